"""A browser's own WebSocket: by a ticket, with the codes that its page is shown, and its Origin as it sends it."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.browser.chromium import Browser
from tests.support import cargo
from tests.support.harbour import Harbour
from tests.support.local_http import local_client
from tests.support.many_reader import MADE
from tests.support.system import System

FOLLOW = """(url) => new Promise((resolve) => {
    const messages = [];
    const socket = new WebSocket(url);
    socket.onmessage = ({ data }) => messages.push(JSON.parse(data));
    socket.onclose = ({ code, reason }) => resolve({ messages, code, reason });
})"""
REFUSED = (1006, "")
"""All that a page is told of a handshake that failed."""


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def origin_of(home: Path) -> Iterator[str]:
    (home / "index.html").write_text("<!doctype html><title>An application</title>", encoding="utf-8")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(home))) as server:
        threading.Thread(target=server.serve_forever, name="page").start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The origin of an application that the operators have named."""
    yield from origin_of(tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The origin of a page that nobody has named."""
    yield from origin_of(tmp_path_factory.mktemp("stranger"))


@pytest.fixture(scope="module")
def harbour(tmp_path_factory: pytest.TempPathFactory, page: str) -> Iterator[Harbour]:
    """A gateway that asks who calls, and gives tickets."""
    settings = {
        "WAYBILL_AUTH": "keys",
        "WAYBILL_TICKET_SECRETS": f"k1:{'s' * 32}",
        "WAYBILL_CORS_ORIGINS": page,
    }
    with System(tmp_path_factory.mktemp("browser"), settings=settings) as system, local_client() as http:
        yield Harbour(system, http)


def test_a_page_follows_a_job_to_its_end_and_comes_back_after_it(
    chromium: Browser, harbour: Harbour, page: str, stranger: str
) -> None:
    body = {"file_ids": cargo.ids_of(*cargo.LONG[:1]), "ticket": True}
    created = harbour.call("POST", "/v1/download/jobs", harbour.anna, json=body).json()
    url = f"ws{harbour.system.url[4:]}{created['websocket_url']}"
    with chromium.tab(lambda _: None) as tab:
        tab.visit(page)
        first = tab.run(f"({FOLLOW})('{url}&last_event_id=0-0')")
        last_id = first["messages"][-1]["id"]
        again, foreign = (
            tab.run(f"({FOLLOW})('{address}')") for address in (f"{url}&last_event_id={last_id}", url.partition("?")[0])
        )
        tab.visit(stranger)
        elsewhere = tab.run(f"({FOLLOW})('{url}')")

    log = harbour.call("GET", f"/v1/download/jobs/{created['job_id']}/events?limit=500", harbour.anna).json()["events"]
    assert [message for message in first["messages"] if message["type"] not in MADE] == log
    assert (first["code"], again) == (1000, {"messages": [], "code": 1000, "reason": ""})
    assert (foreign["code"], foreign["reason"]) == (4401, "UNAUTHENTICATED")
    assert (elsewhere["code"], elsewhere["reason"]) == REFUSED
