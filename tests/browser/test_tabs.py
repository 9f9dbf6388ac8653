"""Tabs of one browser: one stream for all of them, whichever of them hangs, is frozen or closed."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.visitor import Visitor, visiting
from tests.support import cargo
from tests.support.system import JOBS, System
from tests.support.waiting import until

LONG_IDS = cargo.ids_of(*cargo.LONG)
TABS = 4
STEP_PERCENT = 8
"""Progress that is seen moving on: a second of LONG's thirty is 3 %."""
HELD_SECONDS = 20
"""For how long a tab hangs at most: longer than any wait of another tab for the next event."""
HANG = """jobId => setTimeout(() => {
    localStorage.setItem('hangs', 'yes')
    const call = new XMLHttpRequest()
    call.open('GET', `/v1/download/jobs/${jobId}`, false)
    call.setRequestHeader('Prefer', 'wait=%d')
    call.send()
    localStorage.setItem('hangs', 'no')
}, 0)"""
"""Waits in the page's one thread, and so takes no other tab's processor, until the answer of a long poll comes."""


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system in which one job runs at a time, all of LONG for half a minute; each test ends its own."""
    settings = {"WAYBILL_COPY_RATE_BYTES_PER_SECOND": "100000", "WAYBILL_SLOTS": "1", "WAYBILL_LIST_FILES": "true"}
    with System(tmp_path_factory.mktemp("tabs"), settings=settings) as running:
        yield running


def streams(system: System) -> float:
    """Count the streams that are open now."""
    return system.gateways[0].metric("sse_connections_active")


def open_tabs(leader: Visitor) -> list[Visitor]:
    """Start a download in the first tab, and see it in three others; the first one has the stream."""
    leader.start(LONG_IDS)
    leader.waits_for_progress(3)
    others = [leader.opens_a_tab() for _ in range(TABS - 1)]
    for other in others:
        other.waits_for_progress(3)
    return others


def test_four_tabs_have_one_stream_and_go_on_within_seconds_when_the_one_that_holds_it_hangs(
    browser: Browser, slow: System
) -> None:
    with visiting(browser, slow.url) as leader:
        others = open_tabs(leader)
        assert streams(slow) == 1
        waiting = slow.create_jobs(1, *cargo.MIXED[:1])[0].removeprefix(f"{JOBS}/")
        leader.page.evaluate(HANG % HELD_SECONDS, waiting)
        others[0].page.wait_for_function("() => localStorage.getItem('hangs') === 'yes'")
        shown = others[0].progress_percent()

        for other in others:
            other.waits_for_progress(shown + STEP_PERCENT)

        assert others[0].page.evaluate("localStorage.getItem('hangs')") == "yes"
        slow.call("POST", f"{JOBS}/{waiting}/cancel")  # which is the answer that the tab waits for
        leader.waits_for_progress(shown + STEP_PERCENT)
        until(lambda: streams(slow) == 1, "the tab that hung, or the one that took over, gives its stream up")
        others[0].press("Cancel")
        for tab in (leader, *others):
            tab.sees_state("cancelled")


def test_when_the_tab_with_the_stream_is_closed_the_others_see_the_job_to_its_end(
    browser: Browser, slow: System
) -> None:
    with visiting(browser, slow.url) as first:
        others = open_tabs(first)

        first.page.close()

        until(lambda: streams(slow) == 1, "another tab has the stream")
        shown = others[0].progress_percent()
        for other in others:
            other.waits_for_progress(shown + STEP_PERCENT)
        others[0].press("Cancel")
        for other in others:
            other.sees_state("cancelled")


def test_a_frozen_tab_that_thaws_shows_what_the_others_do_and_there_is_one_stream_again(
    browser: Browser, slow: System
) -> None:
    with visiting(browser, slow.url) as leader:
        others = open_tabs(leader)
        ice = leader.page.context.new_cdp_session(leader.page)
        ice.send("Debugger.enable")
        ice.send(
            "Debugger.pause"
        )  # headless Chromium does not freeze pages that are shown: no line of it runs is the same
        shown = others[0].progress_percent()

        for other in others:
            other.waits_for_progress(shown + STEP_PERCENT)
        ice.send("Debugger.disable")

        leader.waits_for_progress(shown + STEP_PERCENT)
        until(lambda: streams(slow) == 1, "one stream is given up")
        others[0].press("Cancel")
        for tab in (leader, *others):
            tab.sees_state("cancelled")
