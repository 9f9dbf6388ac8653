"""A server that wants an API key: the page asks for it, and keeps it in this tab alone."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.looks import judge
from tests.browser.visitor import visiting
from tests.support import cargo
from tests.support.service import environment
from tests.support.system import JOBS, System


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system that lets nobody in without a key."""
    secret = f"k1:{'s' * 32}"
    settings = {"WAYBILL_AUTH": "keys", "WAYBILL_LIST_FILES": "true", "WAYBILL_TICKET_SECRETS": secret}
    with System(tmp_path_factory.mktemp("closed"), settings=settings) as running:
        yield running


def make_key(system: System, owner: str) -> str:
    """Make a key, as an operator does."""
    command = [sys.executable, "-m", "gateway", "keys", "create", "--owner", owner, "--json"]
    made = subprocess.run(
        command, env=environment({"REDIS_URL": system.redis.url}), capture_output=True, text=True, check=True
    )
    key: str = json.loads(made.stdout)["api_key"]
    return key


def test_a_key_is_asked_for_refused_and_taken_and_its_owner_gets_the_job(browser: Browser, closed: System) -> None:
    key = make_key(closed, "anna")
    with visiting(browser, closed.url, may_fail=True) as visitor:
        page = visitor.page
        visitor.sees("This server wants an API key.")
        page.get_by_label("API key", exact=True).fill("wb_wrong")
        page.get_by_role("button", name="Use this key").click()
        visitor.sees("The server does not take this key.")
        expect(page.get_by_role("button", name="Forget the API key")).to_be_hidden()
        judge(page, "key-refused")
        page.get_by_label("API key", exact=True).fill(key)
        page.get_by_role("button", name="Use this key").click()
        visitor.start(cargo.ids_of(*cargo.MIXED))
        visitor.sees_state("completed")

        page.reload()
        visitor.sees_state("completed")
        assert key not in page.url
        assert page.evaluate("JSON.stringify(localStorage)").find(key) == -1
        page.get_by_role("button", name="Forget the API key").click()
        visitor.sees("This server wants an API key.")
        expect(visitor.rows).to_have_count(0)

    listed = closed.get(JOBS, authorization=f"Bearer {key}").json()["jobs"]
    assert [job["status"] for job in listed] == ["completed"]


SAFARI = """{
    const { write, writeText } = Clipboard.prototype
    const inClick = (call) => function (...given) {
        if (!globalThis.event) throw new DOMException('not in a click', 'NotAllowedError')
        return call.apply(this, given)
    }
    Object.assign(Clipboard.prototype, { write: inClick(write), writeText: inClick(writeText) })
}"""
"""Lets a text be copied within an event alone, as Safari does."""


def test_a_copied_link_says_how_long_it_works_and_for_whom(browser: Browser, closed: System) -> None:
    key = make_key(closed, "clara")
    may = ["clipboard-read", "clipboard-write"]
    with visiting(browser, closed.url, may_fail=True, permissions=may) as visitor:
        page = visitor.page
        page.get_by_label("API key", exact=True).fill(key)
        page.get_by_role("button", name="Use this key").click()
        visitor.start(cargo.ids_of(*cargo.MIXED))
        visitor.sees_state("completed")
        page.route("**/v1/download/tickets", lambda route: route.abort(), times=1)
        visitor.press("Copy link")
        visitor.sees("The server could not be reached.")
        page.evaluate(SAFARI)
        visitor.press("Copy link")
        visitor.sees("Link copied. It works for about 15 minutes, for whoever has it.")
        link: str = page.evaluate("navigator.clipboard.readText()")

    assert link.startswith(closed.url)
    assert "/file?ticket=wt1_" in link


def test_two_keys_in_two_tabs_of_one_browser_share_no_job(browser: Browser, closed: System) -> None:
    anna, bert = make_key(closed, "anna2"), make_key(closed, "bert")
    with visiting(browser, closed.url, may_fail=True) as first:
        first.page.get_by_label("API key", exact=True).fill(anna)
        first.page.get_by_role("button", name="Use this key").click()
        first.start(cargo.ids_of(*cargo.MIXED))
        first.sees_state("completed")

        page = first.page.context.new_page()
        page.goto(closed.url)
        page.get_by_label("API key", exact=True).fill(bert)
        page.get_by_role("button", name="Use this key").click()
        expect(page.get_by_text("Nothing here yet.")).to_be_visible()
        expect(first.rows).to_have_count(1)
