"""The page in a real Chromium over real processes: from a click to the saved file, and what else may become of it."""

from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.browser.visitor import visiting
from tests.support import cargo
from tests.support.system import JOBS, System

LONG_IDS = cargo.ids_of(*cargo.LONG)
MIXED_IDS = cargo.ids_of(*cargo.MIXED)


def test_a_download_is_started_watched_and_saved_under_its_name_with_its_bytes(
    browser: Browser, system: System, tmp_path: Path
) -> None:
    with visiting(browser, system.url) as visitor:
        visitor.start(LONG_IDS[:2], name="Überfahrt, Teil 1")
        visitor.sees_state("processing")
        visitor.sees("of 2 files")
        visitor.waits_for_progress(10)
        visitor.sees_state("completed")
        visitor.sees("Ready: Überfahrt, Teil 1.zip, 1.0 MB. Available until")
        name, saved = visitor.save(tmp_path)

    [job] = [job for job in system.get(f"{JOBS}?limit=100").json()["jobs"] if job["total_files"] == 2]
    assert name == "Überfahrt, Teil 1.zip"
    assert saved == system.archive(f"{JOBS}/{job['job_id']}")


def test_a_running_job_is_cancelled_and_can_be_started_again(browser: Browser, system: System) -> None:
    with visiting(browser, system.url) as visitor:
        visitor.start(LONG_IDS)
        visitor.waits_for_progress(20)
        visitor.press("Cancel")
        visitor.sees_state("cancelled")
        visitor.sees("You cancelled this download.")
        visitor.press("Start again")
        expect(visitor.rows).to_have_count(1)
        visitor.sees_state("processing")
        visitor.press("Cancel")
        visitor.sees_state("cancelled")
        visitor.press("Remove")
        visitor.sees("Nothing here yet.")


def test_what_was_started_is_there_after_a_reload(browser: Browser, system: System) -> None:
    with visiting(browser, system.url) as visitor:
        visitor.start(LONG_IDS)
        visitor.waits_for_progress(5)
        visitor.page.reload()
        visitor.sees_state("processing")
        visitor.waits_for_progress(10)
        visitor.press("Cancel")
        visitor.sees_state("cancelled")


def test_a_file_that_is_unknown_is_named_and_can_be_left_out(browser: Browser, system: System) -> None:
    with visiting(browser, system.url) as visitor:
        visitor.start([*MIXED_IDS[:2], 4_711])
        visitor.sees("4711")
        expect(visitor.rows).to_have_count(0)
        visitor.page.get_by_role("button", name="Start without it").click()
        visitor.sees_state("completed")


def test_what_is_typed_wrongly_is_told_with_its_place(browser: Browser, system: System) -> None:
    with visiting(browser, system.url) as visitor:
        visitor.start("70000 7000a")
        visitor.sees("“7000a” (word 2) is not a file id.")
        visitor.start("1-4812")
        visitor.sees("4,812 files; at most 1,000 per archive. Split the request.")
        expect(visitor.rows).to_have_count(0)


def test_a_source_that_vanished_fails_the_job_and_it_is_made_without_it(browser: Browser, system: System) -> None:
    source = system.sources_dir / cargo.MIXED[1].key
    content = source.read_bytes()
    source.unlink()
    try:
        with visiting(browser, system.url) as visitor:
            visitor.start(MIXED_IDS[:3])
            visitor.sees_state("failed")
            visitor.sees(f"File {MIXED_IDS[1]} does not exist any more.")
            visitor.press("Start without it")
            visitor.sees_state("completed")
            expect(visitor.rows).to_have_count(1)
    finally:
        source.write_bytes(content)


def test_everything_is_done_by_the_keyboard_alone(browser: Browser, system: System) -> None:
    with visiting(browser, system.url) as visitor:
        keyboard, page = visitor.page.keyboard, visitor.page
        page.get_by_label("Name of the archive").focus()
        keyboard.press("Shift+Tab")
        keyboard.type(" ".join(map(str, LONG_IDS)))
        keyboard.press("Tab")
        keyboard.press("Tab")
        keyboard.press("Tab")
        keyboard.press("Enter")
        visitor.sees_state("processing")

        keyboard.press("Tab")
        expect(page.locator(":focus")).to_contain_text("Cancel")
        keyboard.press("Enter")
        visitor.sees_state("cancelled")
        expect(page.locator(":focus")).to_contain_text("Start again")
        keyboard.press("Tab")
        expect(page.locator(":focus")).to_contain_text("Remove")
        keyboard.press("Enter")
        expect(page.locator(":focus")).to_have_text("Downloads")
