"""A token issuer's JWKS address on loopback that answers what a test says, lies among it, and counts who asks."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from shared import limits


class JwksServer:
    """A context manager: serves `body` with `status`; `is_silent` takes the request and never answers."""

    def __init__(self, body: bytes = b"") -> None:
        self.body = body
        self.status = 200
        self.headers: dict[str, str] = {}
        self.is_silent = False
        self.asked = 0
        self._is_over = threading.Event()

    def __enter__(self) -> Self:
        """Begin to serve."""
        issuer = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked += 1
                if issuer.is_silent:
                    issuer._is_over.wait()
                    return
                self.send_response(issuer.status)
                for name, text in issuer.headers.items():
                    self.send_header(name, text)
                self.end_headers()
                try:
                    self.wfile.write(issuer.body)
                except OSError:  # who has read enough leaves
                    return

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop; who waits is let go."""
        self._is_over.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/jwks.json"


HUGE = b" " * (64 * limits.MAX_JWKS_BYTES)
