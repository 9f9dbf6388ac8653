"""The admin port: /livez, /readyz and /metrics, apart from the public port.

/livez says that the event loop turns and never depends on Redis; /readyz says whether to send work here, and why not.
"""

import contextlib
import json
import socket
from collections.abc import Awaitable, Callable, Generator
from typing import Any

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from shared.listener import listen

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class EmbeddedServer(uvicorn.Server):
    """A uvicorn server among others in one process: signals are the process's business, not the server's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals alone."""
        yield


class AdminServer(EmbeddedServer):
    """The server of the admin port. uvicorn alone would end the process with its own words when the port is taken."""

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer until `should_exit` is set. Raises SettingsError when the address cannot be used."""
        listener = listen(self.config.host, self.config.port, port_variable="WAYBILL_ADMIN_PORT")
        await super().serve(sockets or [listener])


class AdminApp:
    """`problems` gives a sentence for each reason not to be sent work; none means ready."""

    def __init__(self, problems: Callable[[], list[str]]) -> None:
        self._problems = problems

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        status, content_type, body = self._answer(scope["path"])
        headers = [(b"content-type", content_type.encode()), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _answer(self, path: str) -> tuple[int, str, bytes]:
        if path == "/metrics":
            return 200, CONTENT_TYPE_LATEST, generate_latest()
        if path == "/livez":
            return 200, "application/json", b'{"status":"alive"}'
        if path == "/readyz":
            problems = self._problems()
            body = {"status": "not ready" if problems else "ready", "problems": problems}
            return 503 if problems else 200, "application/json", json.dumps(body).encode()
        return 404, "text/plain", b"Not here. See /livez, /readyz and /metrics.\n"


def admin_server(host: str, port: int, problems: Callable[[], list[str]]) -> AdminServer:
    """Make the admin server; run it with `await server.serve()`, end it with `server.should_exit = True`."""
    config = uvicorn.Config(
        AdminApp(problems),
        host=host,
        port=port,
        lifespan="off",
        access_log=False,
        log_config=None,
        ws="none",
        server_header=False,
    )
    return AdminServer(config)
