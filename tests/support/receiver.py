"""A receiver of callbacks: a real HTTP server on loopback that answers as it is told to, and keeps what it was sent."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self

from tests.support.waiting import until


class Received(NamedTuple):
    """One POST that arrived; `raw` is its body, byte by byte, and `body` what it says."""

    path: str
    headers: dict[str, str]
    raw: bytes
    body: dict[str, Any]

    @property
    def job_id(self) -> str:
        """The job that it tells of."""
        job_id: str = self.body["data"]["job_id"]
        return job_id

    @property
    def webhook_id(self) -> str:
        """Its id, by which a receiver knows a repetition."""
        return self.headers["webhook-id"]


class Receiver:
    """A context manager: listens on loopback inside of it. `answer` gives the status for each POST."""

    def __init__(self, answer: Callable[[Received], int] = lambda _: 204, *, port: int = 0) -> None:
        self.received: list[Received] = []
        self.answer = answer
        self.headers: dict[str, str] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="receiver")

    @property
    def url(self) -> str:
        """Where to POST, with a secret in its path."""
        return f"http://127.0.0.1:{self._server.server_port}/hooks/hunter2"

    @property
    def admin_url(self) -> str:
        """The same with a user and a password, as operators may have it."""
        return self.url.replace("://", "://waybill:hunter2@")

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def wait_for(self, count: int) -> list[Received]:
        """Wait until so many POSTs have arrived; give all."""
        until(lambda: len(self.received) >= count, f"{count} POSTs arrive at the receiver")
        return list(self.received)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): text for name, text in self.headers.items()}
                received = Received(self.path, headers, raw, json.loads(raw))
                status = receiver.answer(received)
                # After the answer is decided: whoever waits for it may look at what the answer left behind.
                receiver.received.append(received)
                self.send_response(status)
                for name, text in receiver.headers.items():
                    self.send_header(name, text)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        return Handler
