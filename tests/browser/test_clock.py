"""A computer whose clock is wrong: every time that the page shows is the server's."""

import pytest
from playwright.sync_api import Browser

from tests.browser.visitor import visiting
from tests.support import cargo
from tests.support.system import System

LONG_IDS = cargo.ids_of(*cargo.LONG)
OFF = """{
    const off = %d * 3_600_000
    const Right = Date
    globalThis.Date = class extends Right {
        constructor(...given) {
            super(...(given.length ? given : [Right.now() + off]))
        }
        static now() {
            return Right.now() + off
        }
    }
}"""


@pytest.mark.parametrize("hours", [3, -27])
def test_a_clock_that_is_hours_off_changes_nothing_that_is_shown(browser: Browser, system: System, hours: int) -> None:
    with visiting(browser, system.url) as right:
        right.start(cargo.ids_of(*cargo.MIXED))
        right.sees_state("completed")
        sentence = right.rows.first.get_by_text("Available until").inner_text()
        kept = right.page.context.storage_state()

    with visiting(browser, system.url, script=OFF % hours, storage_state=kept) as wrong:
        wrong.sees(sentence)
        wrong.start(LONG_IDS[:2])
        wrong.waits_for_progress(10)
        assert "still trying" not in wrong.rows.first.inner_text()
        wrong.sees_state("completed")
        wrong.sees(sentence.partition(", ")[2].partition(", ")[0])
