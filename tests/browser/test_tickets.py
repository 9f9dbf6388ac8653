"""A browser's own EventSource, which sends no header, at a gateway that asks who calls: by tickets that expire soon."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser as Visited

from tests.browser.application import application
from tests.browser.built_pages import build, show
from tests.browser.chromium import TELL, Browser
from tests.support import cargo
from tests.support.harbour import Harbour
from tests.support.local_http import local_client
from tests.support.system import System
from tests.support.waiting import until

HERE = Path(__file__).parent
SHOWN = "export " + (HERE / "follow_by_ticket.mjs").read_text(encoding="utf-8").partition("export ")[2]
FOLLOW = SHOWN.removeprefix("export ")


@pytest.fixture(scope="module")
def page() -> Iterator[str]:
    """The origin of an application's page."""
    with application() as origin:
        yield origin


@pytest.fixture(scope="module")
def harbour(tmp_path_factory: pytest.TempPathFactory, page: str) -> Iterator[Harbour]:
    """A gateway whose tickets are good for three seconds: a job of LONG outlives several."""
    settings = {
        "WAYBILL_AUTH": "keys",
        "WAYBILL_TICKET_SECRETS": f"k1:{'s' * 32}",
        "WAYBILL_TICKET_SECONDS": "3",
        "WAYBILL_CORS_ORIGINS": page,
    }
    with System(tmp_path_factory.mktemp("browser"), settings=settings) as system, local_client() as http:
        yield Harbour(system, http)


def test_an_event_source_goes_on_by_another_ticket_without_a_gap(
    chromium: Browser, harbour: Harbour, page: str
) -> None:
    path: str = harbour.create(harbour.anna, *cargo.LONG[:5]).headers["location"]
    told: list[dict[str, Any]] = []
    with chromium.tab(lambda line: told.append(json.loads(line))) as tab:
        tab.visit(page)
        # In an application, this is its own server: it knows who is logged in, and asks for a ticket for them.
        headers = {**harbour.anna.headers, "Content-Type": "application/json"}
        ask = f"""async (job_id) => (await fetch("{harbour.system.url}/v1/download/tickets", {{
            method: "POST", headers: {json.dumps(headers)}, body: JSON.stringify({{ job_ids: [job_id] }}),
        }}).then((answer) => answer.json())).ticket"""
        job = json.dumps(harbour.system.url + path)
        tab.run(f"{FOLLOW}\nfollow({job}, {ask}, (message) => {TELL}(JSON.stringify(message)))")
        until(lambda: told and told[-1]["type"] in ("completed", "error", "cancelled"), f"the end; told: {told[-3:]}")

    log = harbour.call("GET", f"{path}/events?limit=500", harbour.anna).json()
    made = ("snapshot", "busy")
    assert [message for message in told if message["type"] not in made] == log["events"]
    assert sum(message.get("reason") == "ticket_expired" for message in told) >= 2
    assert not [message for message in told if message.get("gap")]


def test_the_hooks_follow_many_jobs_by_one_ticket_and_one_stream_under_strict_mode(
    browser: Visited, harbour: Harbour, tmp_path: Path
) -> None:
    built = build("strict", tmp_path / "page")
    paths: list[str] = [harbour.create(harbour.anna, *cargo.LONG[:4]).headers["location"] for _ in range(2)]
    ids = [path.rpartition("/")[2] for path in paths]
    context = browser.new_context()
    context.add_init_script(f"window.asTheServer = {json.dumps(harbour.anna.headers['Authorization'])}")
    page = context.new_page()
    read: list[str] = []
    page.on("request", lambda request: read.append(request.url) if "/v1/" in request.url else None)
    show(page, built, at=harbour.system.url, job_ids=ids)

    page.wait_for_function("[...document.querySelectorAll('output')].every((job) => job.textContent === 'processing')")
    asked = page.evaluate("asked")
    streams = [url for url in read if "/stream" in url]
    page.wait_for_function("[...document.querySelectorAll('output')].every((job) => job.textContent === 'completed')")
    context.close()

    assert {tuple(sorted(one)) for one in asked} == {tuple(sorted(ids))}
    assert len(streams) == 1
    assert all("/v1/download/stream?" in url and "ticket=wt1_" in url for url in streams)


def test_the_readme_shows_what_was_tried() -> None:
    assert f"```js\n{SHOWN}```" in (HERE.parent.parent / "README.md").read_text(encoding="utf-8")
