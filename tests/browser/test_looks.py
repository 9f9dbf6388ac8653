"""Every state, in light and dark, wide and narrow, in the system's own colours, and judged by axe-core."""

import gzip
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from deploy.local.page import WEB_DIR
from tests.browser.gallery import gallery
from tests.browser.looks import judge
from tests.browser.npm_package import build_page
from tests.browser.visitor import Visitor, visiting
from tests.support import cargo
from tests.support.system import System

# The gateway's handlers declare their parameters as Litestar 2 does; it announces the style of Litestar 3.
pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.base_exceptions.LitestarDeprecationWarning")
SCHEMES = ("light", "dark")
WIDTHS_PIXELS = (1280, 390)
LOOKS = [*itertools.product(SCHEMES, WIDTHS_PIXELS)]
GALLERY_QUERIES = {
    "states": "",
    "empty": "?jobs=none",
    "polling": "?connection=polling",
    "lost": "?connection=waiting&stale",
}
MAX_PAGE_SCRIPT_BYTES = 95_000
MAX_STYLE_BYTES = 8_000


@pytest.fixture(scope="module")
def gallery_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The gallery's address."""
    directory = tmp_path_factory.mktemp("gallery")
    build_page(WEB_DIR, directory, config="vite.gallery.config.ts")
    with gallery(directory) as url:
        yield url


@pytest.mark.parametrize("query", GALLERY_QUERIES)
def test_nothing_serious_is_found_in_any_state(browser: Browser, gallery_url: str, query: str) -> None:
    for scheme, width in LOOKS:
        options: dict[str, Any] = {
            "viewport": {"width": width, "height": 800},
            "color_scheme": scheme,
            "has_touch": width < 500,
        }
        with visiting(browser, gallery_url + GALLERY_QUERIES[query], **options) as visitor:
            _open_everything(visitor)
            judge(visitor.page, f"{query}-{scheme}-{width}")
            assert is_as_wide_as_its_window(visitor.page), f"{query} scrolls sideways at {width}"


def _open_everything(visitor: Visitor) -> None:
    visitor.page.locator(".files").wait_for()
    for at in (0, 1):
        for summary in visitor.page.locator(".waybill-job summary").all()[at::10]:
            summary.click()


def is_as_wide_as_its_window(page: Page) -> bool:
    """Tell whether nothing stands out to the side."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def test_bars_are_seen_in_the_systems_own_colours(browser: Browser, gallery_url: str) -> None:
    for scheme in SCHEMES:
        with visiting(browser, gallery_url, forced_colors="active", color_scheme=scheme) as visitor:
            visitor.page.locator(".files").wait_for()
            judge(visitor.page, f"forced-{scheme}")
            colour = "getComputedStyle(document.querySelector('{}')).backgroundColor"
            fill = visitor.page.evaluate(colour.format("[data-manner=moving] .waybill-bar-fill"))
            track = visitor.page.evaluate(colour.format("[data-manner=moving]"))
            assert fill != track


def test_the_list_is_as_light_or_dark_as_the_page_around_it_whatever_the_system_is(
    browser: Browser, gallery_url: str
) -> None:
    with visiting(browser, gallery_url, color_scheme="dark") as visitor:
        colour = "getComputedStyle(document.querySelector('.waybill-title')).color"
        visitor.page.locator(".waybill-title").wait_for()
        on_dark = visitor.page.evaluate(colour)
        visitor.page.evaluate("document.documentElement.style.colorScheme = 'light'")
        assert (on_dark, visitor.page.evaluate(colour)) == ("rgb(230, 233, 238)", "rgb(31, 35, 40)")


def test_nothing_moves_for_who_wants_no_motion(browser: Browser, gallery_url: str) -> None:
    with visiting(browser, gallery_url, reduced_motion="reduce") as visitor:
        visitor.page.locator(".files").wait_for()
        moving = "document.getAnimations().filter((one) => one.playState === 'running').length"
        assert visitor.page.evaluate(moving) == 0
    with visiting(browser, gallery_url) as visitor:
        visitor.page.locator(".files").wait_for()
        assert visitor.page.evaluate(moving) > 0


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_nothing_serious_is_found_along_the_way_of_a_real_download(
    browser: Browser, system: System, scheme: str, width: int
) -> None:
    options: dict[str, Any] = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
    with visiting(browser, system.url, **options) as visitor:
        judge(visitor.page, f"real-empty-{scheme}-{width}")
        visitor.start("7000a")
        visitor.sees("is not a file id")
        judge(visitor.page, f"real-problem-{scheme}-{width}")
        visitor.start(cargo.ids_of(*cargo.LONG)[:2])
        visitor.waits_for_progress(10)
        judge(visitor.page, f"real-processing-{scheme}-{width}")
        visitor.rows.first.get_by_text("Events", exact=True).click()
        visitor.sees_state("completed")
        judge(visitor.page, f"real-completed-{scheme}-{width}")


def test_the_page_is_small() -> None:
    assets = [*(WEB_DIR / "dist" / "page" / "assets").iterdir()]
    gzipped_bytes = {
        kind: sum(len(gzip.compress(path.read_bytes())) for path in assets if path.suffix == kind)
        for kind in (".js", ".css")
    }

    assert 0 < gzipped_bytes[".js"] <= MAX_PAGE_SCRIPT_BYTES
    assert 0 < gzipped_bytes[".css"] <= MAX_STYLE_BYTES
