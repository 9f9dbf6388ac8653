"""The page of the API in a browser: it fits, follows light and dark, and its policy lets it be itself."""

from collections.abc import Iterator

import pytest

from tests.browser.chromium import Browser, Tab
from tests.support.system import System

LOADED = "new Promise(go => document.readyState === 'complete' ? go() : addEventListener('load', go))"
PAPER = "getComputedStyle(document.body).backgroundColor"


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """The page of a real gateway, loaded."""
    home = tmp_path_factory.mktemp("page")
    with System(home / "system", processors=0) as system, Browser(home) as browser, browser.tab() as tab:
        tab.visit(f"{system.url}/docs")
        tab.run(LOADED)
        yield tab


@pytest.mark.parametrize("width_pixels", [320, 390, 800, 1440])
def test_nothing_is_wider_than_the_screen(tab: Tab, width_pixels: int) -> None:
    tab.show_on(width_pixels=width_pixels, color_scheme="light")

    assert tab.run("document.documentElement.scrollWidth") <= width_pixels


def test_the_page_follows_light_and_dark(tab: Tab) -> None:
    tab.show_on(width_pixels=800, color_scheme="light")
    light = tab.run(PAPER)
    tab.show_on(width_pixels=800, color_scheme="dark")
    dark = tab.run(PAPER)

    assert (light, dark) == ("rgb(255, 255, 255)", "rgb(20, 24, 28)")


def test_the_contents_stand_beside_the_text_where_there_is_room(tab: Tab) -> None:
    tab.show_on(width_pixels=1440, color_scheme="light")
    wide = tab.run("getComputedStyle(document.querySelector('nav')).position")
    tab.show_on(width_pixels=390, color_scheme="light")
    narrow = tab.run("getComputedStyle(document.querySelector('nav')).position")

    assert (wide, narrow) == ("sticky", "static")


def test_the_page_asks_for_nothing_else(tab: Tab) -> None:
    assert tab.run("performance.getEntriesByType('resource').map(each => each.name)") == []


def test_a_link_to_a_call_leads_to_its_heading(tab: Tab) -> None:
    tab.run("document.querySelector('a[href=\"#post-v1downloadjobs\"]').click()")

    assert tab.run("document.querySelector(':target').textContent") == "POST /v1/download/jobs"
