"""What a screen reader is told while many jobs begin and end: at most twelve times a minute."""

import itertools

from playwright.sync_api import Browser

from tests.browser.visitor import visiting
from tests.support import cargo
from tests.support.system import System

LEAST_MS_BETWEEN = 60_000 / 12 - 100
"""Timers are allowed to be a little early."""
LISTEN = """{
    globalThis.told = []
    const listen = () => {
        const region = document.querySelector('.waybill [role=status]')
        if (!region) return requestAnimationFrame(listen)
        const observer = new MutationObserver(() => told.push(performance.now()))
        observer.observe(region, { childList: true, characterData: true, subtree: true })
    }
    addEventListener('DOMContentLoaded', listen)
}"""


def test_jobs_that_begin_and_end_all_the_time_are_told_at_most_twelve_times_a_minute(
    browser: Browser, system: System
) -> None:
    with visiting(browser, system.url, script=LISTEN) as visitor:
        for number in range(6):
            visitor.start(cargo.ids_of(*cargo.LONG[: number % 3 + 1]), name=f"number {number}")
        visitor.page.wait_for_function("() => told.length >= 3")
        told: list[float] = visitor.page.evaluate("told")

    gaps_ms = [later - earlier for earlier, later in itertools.pairwise(told)]
    assert min(gaps_ms) >= LEAST_MS_BETWEEN
