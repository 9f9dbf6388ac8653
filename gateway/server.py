"""The public server: its listening socket, and a shutdown that lets streams go before it closes the door.

uvicorn alone closes its listener first and then hangs while one stream is open.
"""

import asyncio
import contextlib
import functools
import socket
from collections.abc import Awaitable, Callable
from typing import Any, cast

import structlog
import uvicorn

from gateway.edge.edge import Edge
from gateway.edge.shell import Shell
from gateway.streaming.connection import StreamingHttpProtocol
from shared import limits
from shared.telemetry.admin import EmbeddedServer

log = structlog.get_logger(__name__)

KEEPALIVE_IDLE_SECONDS = 30
UNACKNOWLEDGED_MAX_MS = 60_000
ABORT_AFTER_SECONDS = 2
CONNECTIONS_WAITING = 4_096
"""As many as Linux allows by default (net.core.somaxconn). When thousands come back at once, who finds no place among
them asks again after 1, 3 and 7 seconds."""


def bound_connections(listener: socket.socket) -> None:
    """Bound what a slow or half-open peer costs; every accepted connection inherits it from its listener.

    A small send buffer makes slow readers felt, keepalive and the user timeout end half-open ones (tcp(7)).
    """
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, limits.SOCKET_SEND_BUFFER_BYTES)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", KEEPALIVE_IDLE_SECONDS), ("TCP_USER_TIMEOUT", UNACKNOWLEDGED_MAX_MS)):
        if hasattr(socket, option):  # Linux has both
            listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


class GatewayServer(EmbeddedServer):
    """uvicorn with a drain: `drain` is given `drain_seconds` to end the streams, and returns when they have."""

    def __init__(
        self,
        app: Shell,
        edge: Edge,
        *,
        drain_seconds: float,
        drain: Callable[[float], Awaitable[None]],
        count_refusal: Callable[[str], None],
    ) -> None:
        super().__init__(
            uvicorn.Config(
                cast(Any, app),
                http=cast(Any, functools.partial(StreamingHttpProtocol, count_refusal=count_refusal, edge=edge)),
                ws="none",
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=False,  # it trusts loopback unasked; see edge/proxies.py
                lifespan="off",
                backlog=CONNECTIONS_WAITING,
                # A request that meets the moment of closing is lost, and a POST may not be sent again by itself.
                # uvicorn's 5 s are those of many clients, httpx among them: with them it is met again and again.
                timeout_keep_alive=cast(int, limits.KEEP_ALIVE_SECONDS),
                timeout_graceful_shutdown=2 * ABORT_AFTER_SECONDS,
            )
        )
        self._drain_seconds = drain_seconds
        self._drain = drain

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams while still accepting, then close the listener, then abort what is left."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._drain_seconds):
                await self._drain(self._drain_seconds)
        # Downloads and idle peers: their apps end when they are told that the peer has left, uvicorn would cancel them.
        aborting = asyncio.get_running_loop().call_later(ABORT_AFTER_SECONDS, self._abort_connections)
        await super().shutdown(sockets)
        aborting.cancel()

    def _abort_connections(self) -> None:
        for connection in list(self.server_state.connections):
            if transport := getattr(connection, "transport", None):
                transport.abort()
