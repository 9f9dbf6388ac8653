"""The admin port: /livez, /readyz, /startedz and /metrics, apart from the public port.

/livez     the event loop turns; never depends on Redis
/readyz    whether all is well here, and what is not
/startedz  whether to send callers here: yes from the first time that all was well, until it stops
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
    """`problems` gives a sentence for each reason not to be sent work; none means ready.

    `is_stopping` tells whether this process has been told to end.
    """

    def __init__(self, problems: Callable[[], list[str]], is_stopping: Callable[[], bool]) -> None:
        self._problems = problems
        self._is_stopping = is_stopping
        self._has_started = False

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
            return _readiness(self._problems())
        if path == "/startedz":
            return _readiness(self._what_keeps_callers_away())
        return 404, "text/plain", b"Not here. See /livez, /readyz, /startedz and /metrics.\n"

    def _what_keeps_callers_away(self) -> list[str]:
        """Give the problems that are some before the first time that there was none, and while it stops.

        A dependency that all processes have in common is no reason to send callers to another one: where all of them
        are taken away, callers are answered by what stands before us, which knows neither `busy` nor Retry-After.
        """
        problems = self._problems()
        self._has_started |= not problems
        return [] if self._has_started and not self._is_stopping() else problems


def _readiness(problems: list[str]) -> tuple[int, str, bytes]:
    body = {"status": "not ready" if problems else "ready", "problems": problems}
    return 503 if problems else 200, "application/json", json.dumps(body).encode()


def admin_server(
    host: str, port: int, problems: Callable[[], list[str]], *, is_stopping: Callable[[], bool]
) -> AdminServer:
    """Make the admin server; run it with `await server.serve()`, end it with `server.should_exit = True`."""
    config = uvicorn.Config(
        AdminApp(problems, is_stopping),
        host=host,
        port=port,
        lifespan="off",
        access_log=False,
        log_config=None,
        ws="none",
        server_header=False,
    )
    return AdminServer(config)
