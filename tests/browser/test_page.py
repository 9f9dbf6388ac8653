"""The page in a real Chromium over real processes: from a click to the saved file, and what else may become of it."""

import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
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


def test_the_event_log_of_a_row_begins_with_its_job_whenever_it_is_opened(browser: Browser, system: System) -> None:
    with visiting(browser, system.url) as visitor:
        visitor.start(MIXED_IDS)
        visitor.sees_state("completed")
        visitor.rows.first.get_by_text("Events", exact=True).click()
        events = visitor.rows.first.locator(".waybill-events li")
        expect(events.first).to_contain_text("queued")
        expect(events.last).to_contain_text("completed")
        expect(events.last).to_be_in_viewport()


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


def test_a_list_that_cannot_be_fetched_is_asked_for_again_and_what_was_chosen_stays(
    browser: Browser, system: System
) -> None:
    with visiting(browser, system.url, may_fail=True) as visitor:
        page = visitor.page
        visitor.waits_for_form()
        page.get_by_label("leg 1.raw").check()
        page.route("**/v1/download/files**", lambda route: route.abort())
        page.get_by_label("Search by name").fill("lading")
        visitor.sees("The list of files could not be fetched.")
        page.unroute("**/v1/download/files**")
        page.get_by_role("button", name="Try again").click()
        page.get_by_label("Bill of lading.txt").check()
        visitor.sees("2 files chosen")


def test_files_are_found_and_picked_by_name(browser: Browser, system: System) -> None:
    with visiting(browser, system.url) as visitor:
        page = visitor.page
        visitor.waits_for_form()
        page.get_by_label("Search by name").fill("leg ")
        expect(page.locator(".files li")).to_have_count(len(cargo.LONG))
        page.get_by_role("button", name="Choose all shown").click()
        page.get_by_label("leg 1.raw").uncheck()
        page.get_by_label("Search by name").fill("lading")
        page.get_by_label("Bill of lading.txt").check()
        visitor.sees(f"{len(cargo.LONG)} files chosen")
        page.get_by_role("button", name="Start download").click()
        visitor.sees_state("processing")
        visitor.press("Cancel")
        visitor.sees_state("cancelled")

    newest = system.get(f"{JOBS}?limit=1").json()["jobs"][0]
    assert newest["total_files"] == len(cargo.LONG)


def test_the_sum_counts_what_is_typed_too_and_a_start_empties_the_form(browser: Browser, system: System) -> None:
    with visiting(browser, system.url) as visitor:
        page = visitor.page
        visitor.waits_for_form()
        page.get_by_role("button", name="Start download").click()
        visitor.sees("Choose at least one file.")
        page.get_by_label("Bill of lading.txt").check()
        expect(page.get_by_text("Choose at least one file.")).to_be_hidden()
        visitor.sees("1 file chosen.")
        visitor.type_ids(LONG_IDS[:2])
        visitor.sees("3 files chosen.")
        page.get_by_label("Name of the archive").fill("All of it")
        page.get_by_role("button", name="Start download").dblclick()
        visitor.sees("Nothing chosen yet.")
        expect(page.get_by_label("File ids")).to_have_value("")
        expect(page.get_by_label("Name of the archive")).to_have_value("")
        expect(page.get_by_role("checkbox", name="Bill of lading.txt")).not_to_be_checked()
        expect(page.get_by_text("Choose at least one file.")).to_be_hidden()
        visitor.sees_state("completed")
        expect(visitor.rows).to_have_count(1)

    newest = system.get(f"{JOBS}?limit=1").json()["jobs"][0]
    assert newest["total_files"] == 3


def test_a_file_that_is_unknown_is_named_and_can_be_left_out(browser: Browser, system: System) -> None:
    with visiting(browser, system.url, may_fail=True) as visitor:
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
            visitor.sees(f"File {MIXED_IDS[1]} ({cargo.MIXED[1].name}) does not exist any more.")
            visitor.press("Start without it")
            visitor.sees_state("completed")
            expect(visitor.rows).to_have_count(1)
    finally:
        source.write_bytes(content)


def test_everything_is_done_by_the_keyboard_alone(browser: Browser, system: System) -> None:
    with visiting(browser, system.url) as visitor:
        keyboard, page = visitor.page.keyboard, visitor.page
        visitor.waits_for_form()
        page.get_by_label("Name of the archive").focus()
        keyboard.press("Shift+Tab")
        expect(page.locator(":focus")).to_have_text("Type file ids")
        keyboard.press("Enter")
        keyboard.press("Tab")
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


ROOM_BYTES = 50_000
"""Enough for a log, too little for an archive of all of cargo.MIXED."""


@pytest.fixture
def breakable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system whose processor may be left without room; its tries come quickly."""
    with System(tmp_path_factory.mktemp("breakable"), settings={"WAYBILL_RETRY_BASE_MS": "1"}) as running:
        yield running


def limit_files(system: System, size_bytes: int) -> None:
    """Let the processor write no file larger than that, as with a disk that is full."""
    resource.prlimit(system.processors[0].pid, resource.RLIMIT_FSIZE, (size_bytes, resource.RLIM_INFINITY))


@pytest.mark.skipif(sys.platform != "linux", reason="makes writing fail with prlimit(2)")
def test_a_job_that_failed_is_tried_again_once_there_is_room(browser: Browser, breakable: System) -> None:
    limit_files(breakable, ROOM_BYTES)
    with visiting(browser, breakable.url, may_fail=True) as visitor:  # this server does not list its files
        visitor.start(MIXED_IDS)
        visitor.sees("did not work")
        visitor.sees_state("failed")
        visitor.sees("Could not be made")
        limit_files(breakable, resource.RLIM_INFINITY)
        visitor.press("Try again")
        visitor.sees_state("completed")
        expect(visitor.rows).to_have_count(1)
