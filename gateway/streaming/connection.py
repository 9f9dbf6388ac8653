"""A connection that is handed over to a viewer: once a stream has begun, it is written without uvicorn's request.

    head sent by the app ─▶ hand_over ─▶ write … write ─▶ end ─▶ the next request, or closed
                                            └─ the peer leaves, or takes nothing for too long ─▶ viewer.dismiss

A request costs a task, its frames, its headers and three events, for as long as it lasts; a stream lasts for minutes.
"""

import weakref
from typing import TYPE_CHECKING, Any

from litestar.types import Scope

from gateway.http_protocol import BoundedHttpProtocol
from gateway.streaming.socket_connection import SocketConnection
from shared import limits

if TYPE_CHECKING:
    from gateway.streaming.open_stream import OpenStream

EXTENSION = "waybill.stream"
"""Of the ASGI scope: where a viewer finds the connection that it may have."""


def connection_of(scope: Scope) -> "StreamingHttpProtocol":
    """Give the connection of a request."""
    extensions: Any = scope["extensions"]
    connection = extensions[EXTENSION]["connection"]()
    assert isinstance(connection, StreamingHttpProtocol), "uvicorn keeps a connection for as long as its request"
    return connection


class StreamingHttpProtocol(BoundedHttpProtocol):
    """One connection, and the viewer that has it for now."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._viewer: OpenStream | None = None
        self._closes_after_stream = False
        self._dropped_bytes = 0
        self._request: Any = None

    # ── what a viewer asks for ────────────────────────────────────────────────────────────────────────────────────────

    def hand_over(self, viewer: "OpenStream") -> None:
        """Belong to `viewer`, whose app has sent the head of a chunked answer, until end() or the peer's leaving."""
        request = self._request
        # What else the peer has sent, or still owes, is not read beside a stream: it sends it again (RFC 9112 §9.3.2).
        has_more = request.more_body or self.scope is not request.scope
        self._closes_after_stream = has_more or not request.keep_alive
        self._let_go_of_request()
        if request.disconnected:
            viewer.dismiss("left")
        else:
            self._viewer = viewer

    @property
    def is_writable(self) -> bool:
        """Whether the peer takes what is written, up to a buffer of 64 KiB."""
        return not self.flow.write_paused and not self.transport.is_closing()

    async def writable(self) -> None:
        """Return when the peer has taken most of what was written, or has left."""
        await self.flow.drain()

    def write(self, frames: bytes) -> None:
        """Write a chunk (RFC 9112 §7.1)."""
        self.transport.write(b"%x\r\n%b\r\n" % (len(frames), frames))

    def ping(self) -> None:
        """Ask for nothing: an event stream is one way, and TCP itself tells whether the peer is there."""

    def end(self, _: str) -> None:
        """End the answer, which has said why; the peer may ask for something else."""
        self._viewer = None
        self._expect(None)
        self.transport.write(b"0\r\n\r\n")
        if self._closes_after_stream:
            self.transport.close()
            # close() waits until everything was taken, and a peer may take its time.
            self._expect(limits.STREAM_SEND_WITHIN_SECONDS)
        self.on_response_complete()

    def cut(self) -> None:
        """Close at once, whatever was not sent yet."""
        self.transport.abort()

    # ── WebSocket ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def begin_switching(self) -> None:
        """Let the head that comes next be one of status 101, which has no body."""
        self._request.chunked_encoding = False

    def switch(self) -> SocketConnection:
        """Leave the transport to a WebSocket, once the app has answered 101; this protocol is done."""
        request, is_paused = self._request, self.flow.write_paused
        socket = SocketConnection(self.transport, self.connections, is_paused=is_paused)
        self._let_go_of_request()
        self.connections.discard(self)
        if request.disconnected:
            socket.connection_lost(None)
        else:
            self.connections.add(socket)  # type: ignore[arg-type]
            self.transport.set_protocol(socket)
        self.parser = None  # type: ignore[assignment]
        return socket

    # ── what becomes of it (asyncio.Protocol) ─────────────────────────────────────────────────────────────────────────

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the viewer that its peer has left."""
        super().connection_lost(exc)
        viewer, self._viewer = self._viewer, None
        if viewer is not None:
            viewer.dismiss("left")

    def data_received(self, data: bytes) -> None:
        """Take some bytes; during a stream they are dropped, and it is the last answer here."""
        if self._viewer is None:
            super().data_received(data)
            return
        self._closes_after_stream = True
        self._dropped_bytes += len(data)
        if self._dropped_bytes > limits.MAX_HEAD_BYTES:
            self._viewer.dismiss("left")
            self.cut()

    def pause_writing(self) -> None:
        """Give the peer a while to take what was written."""
        super().pause_writing()
        if self._viewer is not None:
            self._expect(limits.STREAM_SEND_WITHIN_SECONDS)

    def resume_writing(self) -> None:
        """Go on."""
        super().resume_writing()
        if self._viewer is not None:
            self._expect(None)
            self._viewer.go_on()

    def _time_is_up(self) -> None:
        if self._viewer is None and self.transport.is_closing():
            self.cut()
        elif self._viewer is None:
            super()._time_is_up()
        else:
            self._viewer.dismiss("slow")
            self.cut()

    def _let_go_of_request(self) -> None:
        self._request.response_complete = True  # so that uvicorn is content when the app returns
        self.pipeline.clear()
        self.flow.resume_reading()  # only a connection that is read tells that its peer has left
        self._expect(None)
        self._request = self.cycle = self.scope = self.headers = None  # type: ignore[assignment]

    # ── uvicorn's requests ────────────────────────────────────────────────────────────────────────────────────────────

    def on_message_begin(self) -> None:
        """Offer the connection to the request's app."""
        super().on_message_begin()
        # Weakly: a connection that refers to itself would wait for the collector, which comes rarely (garbage.py).
        self.scope["extensions"] = {EXTENSION: {"connection": weakref.ref(self)}}

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._request = cycle
        super()._start_asgi_task(cycle, app)
