"""How what a stream says is dressed on its way out, with the clock and the chance in it: two dresses for one engine.

A stream (open_stream.py) knows what is to be said and when. Which bytes that is, what stands at the beginning and at
the end, and what connection it goes over, is here:

    EventStream    Server-Sent Events    sse.py             StreamingHttpProtocol (connection.py)
    Socket         WebSocket             socket_frames.py   SocketConnection (socket_connection.py)
"""

import random
from typing import TYPE_CHECKING, Protocol

from litestar.types import Scope, Send
from websockets.utils import accept_key

from gateway.streaming.connection import StreamingHttpProtocol, connection_of
from gateway.streaming.socket_connection import SocketConnection
from gateway.streaming.socket_frames import text_frame
from gateway.streaming.sse import (
    Message,
    busy_frame,
    frame_in_many,
    heartbeat_frame,
    socket_frame_in_many,
    with_retry,
)
from shared import events, limits
from shared.clock import now_ms

if TYPE_CHECKING:
    from gateway.streaming.open_stream import OpenStream


class Connection(Protocol):
    """What a stream writes to."""

    def hand_over(self, viewer: "OpenStream") -> None:
        """Belong to `viewer`, and tell it when the peer has left."""

    @property
    def is_writable(self) -> bool:
        """Whether the peer takes what is written."""

    async def writable(self) -> None:
        """Return when the peer has taken most of what was written, or has left."""

    def write(self, frames: bytes) -> None:
        """Write whole frames."""

    def ping(self) -> None:
        """Ask the peer whether it is there, where the transport has a way to."""

    def end(self, reason: str) -> None:
        """End the stream, for one of metrics.ENDS."""

    def cut(self) -> None:
        """Close at once, whatever was not sent yet."""


class Dress(Protocol):
    """How one stream is dressed; `name` is that of its transport, in logs and metrics."""

    name: str

    async def open(self, scope: Scope, send: Send) -> Connection:
        """Send the head, and give the connection."""

    def first(self, frames: bytes) -> bytes:
        """Add to the first frames what stands at the beginning."""

    def frame_of(self, message: Message) -> bytes:
        """Frame a message of the one job."""

    def frame_in_many(self, message: Message, job_id: str, vector: bytes | None) -> bytes:
        """Frame a message of one of many jobs; the vector is its id."""

    def heartbeat(self) -> bytes:
        """Say that nothing happened, and that the connection is alive."""

    def goodbye(self, reason: str) -> bytes:
        """Say that the stream ends before its job does, or does not begin."""


class EventStream:
    """Server-Sent Events."""

    name = "sse"
    head = (
        (b"content-type", b"text/event-stream"),
        (b"cache-control", b"no-store, no-transform"),
        (b"x-accel-buffering", b"no"),
        (b"vary", b"Accept, Origin"),
    )
    """The head of every stream; without a length, so that HTTP/1.1 sends it chunked (nginx: X-Accel-Buffering)."""

    async def open(self, scope: Scope, send: Send) -> StreamingHttpProtocol:
        """Send the head of the answer."""
        await send({"type": "http.response.start", "status": 200, "headers": self.head})
        return connection_of(scope)

    def first(self, frames: bytes) -> bytes:
        """Say how soon to come back after a cut; everybody's time is another one."""
        return frames if frames.startswith(b"retry:") else with_retry(frames, retry_ms())

    def frame_of(self, message: Message) -> bytes:
        """Give the frame that all viewers of the job share."""
        return message.frame

    frame_in_many = staticmethod(frame_in_many)

    def heartbeat(self) -> bytes:
        """Say that nothing happened; no onmessage hears it."""
        return heartbeat_frame(_heartbeat())

    def goodbye(self, reason: str) -> bytes:
        """Say why it ends, and when to come back."""
        return busy_frame(_busy(reason), retry_ms())


EVENT_STREAM = EventStream()


class Socket:
    """A WebSocket, asked for with this `key` (handshake.py)."""

    name = "websocket"

    __slots__ = ("_key",)

    def __init__(self, key: str) -> None:
        self._key = key

    async def open(self, scope: Scope, send: Send) -> SocketConnection:
        """Answer the handshake (RFC 6455 §4.2.2), without any of the extensions and subprotocols that were offered."""
        connection = connection_of(scope)
        connection.begin_switching()
        head = (
            (b"upgrade", b"websocket"),
            (b"connection", b"Upgrade"),
            (b"sec-websocket-accept", accept_key(self._key).encode()),
        )
        await send({"type": "http.response.start", "status": 101, "headers": head})
        return connection.switch()

    def first(self, frames: bytes) -> bytes:
        """Add nothing: when to come back is the client's business here."""
        return frames

    def frame_of(self, message: Message) -> bytes:
        """Give the frame that all viewers of the job share."""
        return message.socket_frame

    frame_in_many = staticmethod(socket_frame_in_many)

    def heartbeat(self) -> bytes:
        """Say that nothing happened, in a message: no page is told of the pings that go with it."""
        return text_frame(_heartbeat())

    def goodbye(self, reason: str) -> bytes:
        """Say why it ends; the close frame follows."""
        return text_frame(_busy(reason))


def retry_ms() -> int:
    """Draw a reconnection time, so that viewers who were cut together do not come back together."""
    return random.randint(limits.MIN_SSE_RETRY_MS, limits.MAX_SSE_RETRY_MS)


def _heartbeat() -> bytes:
    return events.encode(events.Heartbeat(at=events.timestamp(now_ms())))


def _busy(reason: str) -> bytes:
    return events.encode(events.Busy(reason=reason, at=events.timestamp(now_ms())))
