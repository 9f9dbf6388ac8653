"""Who asks for a WebSocket, and how one that cannot be had is refused: it is accepted, and closed with a code.

A browser tells its page nothing about a handshake that failed, and one close code for all of them; so whatever the page
can do something about is told by a code behind the handshake. What no honest page meets is refused as HTTP before it: a
malformed handshake, and a page of another server.
"""

from typing import Any

from litestar import Request
from litestar.types import Receive, Scope, Send

from gateway.auth.refused_callers import REFUSALS_OF_CALLERS, RefusedCallers
from gateway.edge.cors import Cors
from gateway.edge.handshake import asks_for_websocket, insist_on_origin, read_key
from gateway.streaming.dress import Socket
from gateway.streaming.socket_frames import CLOSES, close_of
from shared.errors import WaybillError


class Farewell:
    """The answer to a WebSocket that is not to last: one `busy` message where it has a reason, and the close frame."""

    def __init__(self, dress: Socket, close: tuple[int, str], reason: str | None = None) -> None:
        self._dress = dress
        self._close = close
        self._reason = reason

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the handshake, and close (ASGI 3)."""
        connection = await self._dress.open(scope, send)
        if self._reason is not None and connection.is_writable:
            connection.write(self._dress.goodbye(self._reason))
        connection.close(*self._close)


class SocketDoor:
    """Lets WebSockets in, where they are `offered`, for the pages that `cors` names and for our own."""

    def __init__(self, cors: Cors, refused: RefusedCallers, *, offered: bool) -> None:
        self._cors = cors
        self._refused = refused
        self.offered = offered

    def dress_for(self, request: Request[Any, Any, Any]) -> Socket | None:
        """Give the dress of a request for a WebSocket; None for every other, and where there are none.

        Raises MalformedHandshake, OriginRefused.
        """
        given = dict(request.scope["headers"])
        if not self.offered or not asks_for_websocket(given):
            return None
        insist_on_origin(given, self._cors)
        return Socket(read_key(given, http_version=request.scope["http_version"]))

    def refuse(self, dress: Socket, error: WaybillError, reason: str | None) -> Farewell:
        """Close for an error; `reason` is that of the `busy` message, None for what waiting does not mend."""
        if isinstance(error, REFUSALS_OF_CALLERS):
            self._refused.note(error)
        return Farewell(dress, close_of(error), reason)

    def nothing_more(self, dress: Socket) -> Farewell:
        """Close at once: the cursor is the end of an ended job."""
        return Farewell(dress, CLOSES["terminal"])
