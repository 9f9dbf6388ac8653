"""The public server: its listening socket, and a shutdown that lets streams go before it closes the door.

uvicorn alone closes its listener first and then hangs while one stream is open.
"""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable

import structlog
import uvicorn
from litestar import Litestar

from shared import limits
from shared.telemetry.admin import EmbeddedServer

log = structlog.get_logger(__name__)

KEEPALIVE_IDLE_SECONDS = 30
UNACKNOWLEDGED_MAX_MS = 60_000
ABORT_AFTER_SECONDS = 2


def listen(host: str, port: int) -> socket.socket:
    """Open the listening socket; what is set here every accepted connection inherits.

    A small send buffer makes slow readers felt, keepalive and the user timeout end half-open ones (tcp(7)). Raises
    OSError when the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, limits.SOCKET_SEND_BUFFER_BYTES)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", KEEPALIVE_IDLE_SECONDS), ("TCP_USER_TIMEOUT", UNACKNOWLEDGED_MAX_MS)):
        if hasattr(socket, option):  # Linux has both
            listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


class GatewayServer(EmbeddedServer):
    """uvicorn with a drain: `drain` asks the streams to end and returns when they have; it is given `drain_seconds`."""

    def __init__(self, app: Litestar, *, drain_seconds: float, drain: Callable[[], Awaitable[None]]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http="httptools",
                ws="none",
                access_log=False,
                log_config=None,
                server_header=False,
                lifespan="off",
                backlog=2048,
                timeout_graceful_shutdown=ABORT_AFTER_SECONDS,
            )
        )
        self._drain_seconds = drain_seconds
        self._drain = drain

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams while still accepting, then close the listener, then abort what is left."""
        log.info("gateway draining")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._drain_seconds):
                await self._drain()
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            if transport := getattr(connection, "transport", None):
                transport.abort()
