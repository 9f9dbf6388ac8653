"""The page on bad lines: a gateway that restarts, a network that goes away, a proxy that holds streams back."""

import contextlib
import http.server
import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import PLAIN_HOST
from tests.browser.visitor import PATIENCE_MS, visiting
from tests.support import cargo
from tests.support.proxy import FaultProxy
from tests.support.system import JOBS, System

LONG_IDS = cargo.ids_of(*cargo.LONG)
STEPS_PERCENT = 8
"""Progress that is seen moving on: half a second of LONG's twelve is 4 %."""


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system in which all of LONG takes half a minute; whoever ends its gateway starts another one in its place."""
    settings = {
        "WAYBILL_COPY_RATE_BYTES_PER_SECOND": "100000",
        "WAYBILL_DRAIN_SECONDS": "0.5",
        "WAYBILL_HOSTS": PLAIN_HOST,
    }
    with System(tmp_path_factory.mktemp("slow"), settings=settings) as running:
        yield running


class HoldingProxy(http.server.BaseHTTPRequestHandler):
    """A proxy that sends an answer on when it is whole, as some antivirus programs do: of a stream nothing comes."""

    protocol_version = "HTTP/1.1"
    gateway_port = 0

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name: text for name, text in self.headers.items() if name.lower() != "connection"}
        far = HTTPConnection("127.0.0.1", self.gateway_port, timeout=PATIENCE_MS / 1_000)
        with contextlib.suppress(OSError, HTTPException):  # whoever leaves, leaves both
            far.request(self.command, self.path, body, headers)
            answer = far.getresponse()
            is_stream = answer.getheader("Content-Type", "").startswith("text/event-stream")
            if is_stream:
                self._send_head(answer.status, answer.getheaders(), None)
            content = answer.read()
            if not is_stream:
                self._send_head(answer.status, answer.getheaders(), len(content))
                self.wfile.write(content)
        far.close()

    def _send_head(self, status: int, headers: list[tuple[str, str]], length_bytes: int | None) -> None:
        self.send_response_only(status)
        for name, text in headers:
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, text)
        if length_bytes is None:
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(length_bytes))
        self.end_headers()
        self.wfile.flush()

    do_GET = do_POST = do_HEAD = do_DELETE = _pass  # noqa: N815  # the server looks for these names

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def holding_proxy(gateway_port: int) -> Iterator[str]:
    """Put a holding proxy before a gateway; give its address."""
    handler = type("Handler", (HoldingProxy,), {"gateway_port": gateway_port})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_gateway_that_restarts_in_the_middle_is_not_noticed_for_long(browser: Browser, slow: System) -> None:
    with visiting(browser, slow.url, may_fail=True) as visitor:
        visitor.start(LONG_IDS[:2])
        visitor.waits_for_progress(5)

        gateway = slow.gateways[0]
        gateway.terminate()
        gateway.exit_code()
        expect(visitor.rows.first).to_have_attribute("data-stale", "true", timeout=PATIENCE_MS)
        slow.gateways[0] = slow.start("gateway", WAYBILL_PORT=str(gateway.port))
        slow.gateways[0].wait_until_ready()
        shown = visitor.progress_percent()

        visitor.waits_for_progress(shown + STEPS_PERCENT)
        expect(visitor.rows.first).not_to_have_attribute("data-stale", "true")
        visitor.sees_state("completed")


def test_who_is_offline_is_told_and_sees_where_it_stands_when_back(browser: Browser, slow: System) -> None:
    line = FaultProxy(slow.gateways[0].port)
    with line.in_thread(), visiting(browser, f"http://127.0.0.1:{line.port}", may_fail=True) as visitor:
        visitor.start(LONG_IDS[:4])
        visitor.waits_for_progress(5)

        visitor.page.context.set_offline(True)
        line.cut()  # Chromium's own switch lets open streams go on
        visitor.sees("You seem to be offline. Your downloads go on without you.")
        shown = visitor.progress_percent()
        visitor.page.context.set_offline(False)

        visitor.waits_for_progress(shown + STEPS_PERCENT)
        expect(visitor.page.locator(".waybill-connection")).to_be_hidden(timeout=PATIENCE_MS)
        visitor.press("Cancel")
        visitor.sees_state("cancelled")


def test_behind_a_proxy_that_holds_streams_back_progress_comes_by_polling_and_it_is_said(
    browser: Browser, slow: System
) -> None:
    with holding_proxy(slow.gateways[0].port) as url, visiting(browser, url, may_fail=True) as visitor:
        visitor.start(LONG_IDS)
        visitor.sees("Live updates are blocked on this network; checking every 2 seconds.")
        visitor.waits_for_progress(5)
        shown = visitor.progress_percent()
        visitor.waits_for_progress(shown + STEPS_PERCENT)
        visitor.page.get_by_text("Why?").click()
        visitor.sees("holds its messages back")
        visitor.press("Cancel")
        visitor.sees_state("cancelled")


def test_a_server_that_is_away_at_the_start_gets_the_request_when_it_is_back(browser: Browser, slow: System) -> None:
    before = len(slow.get(JOBS).json()["jobs"])
    with visiting(browser, slow.url, may_fail=True) as visitor:
        gateway = slow.gateways[0]
        gateway.kill()
        visitor.start(cargo.ids_of(*cargo.MIXED), name="kept")
        visitor.sees("Not sent yet")

        slow.gateways[0] = slow.start("gateway", WAYBILL_PORT=str(gateway.port))
        slow.gateways[0].wait_until_ready()

        visitor.sees_state("completed")
    jobs = slow.get(JOBS).json()["jobs"]
    assert [job["status"] for job in jobs[: len(jobs) - before]] == ["completed"]


def test_on_a_plain_http_origin_that_no_browser_trusts_everything_but_the_clipboard_is_there(
    browser: Browser, slow: System, tmp_path: Path
) -> None:
    url = f"http://{PLAIN_HOST}:{slow.gateways[0].port}"
    with visiting(browser, url, may_fail=True) as visitor:
        assert visitor.page.evaluate("isSecureContext") is False
        visitor.start(cargo.ids_of(*cargo.MIXED), name="plain")
        visitor.sees_state("completed")
        expect(visitor.page.get_by_role("button", name="Copy link")).to_be_hidden()
        name, _ = visitor.save(tmp_path)

    assert name == "plain.zip"
