"""A WebSocket that a viewer has: the second kind of connection, beside that of event streams (connection.py).

    101 sent ─▶ hand_over ─▶ write … ping … write ─▶ end: close frame ─▶ the peer's ─▶ gone
                                └─ the peer closes, leaves, takes nothing, answers no ping, or says too much ─▶ dismiss

What the peer sends is read by the sans-I/O protocol of `websockets`, which keeps to RFC 6455 and to a bound for each
message; nothing of it is wanted, so it is counted and dropped. What is sent was framed before (socket_frames.py), and
goes straight to the transport. There is no task and no queue: a live viewer costs what it costs on an event stream.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from websockets.frames import Frame, Opcode
from websockets.protocol import SERVER, Protocol, State

from gateway.streaming.socket_frames import CLOSES, PING, TOO_MANY
from shared import limits

if TYPE_CHECKING:
    from gateway.streaming.open_stream import OpenStream

# It would write what anybody sends into the log: at level debug every frame, at info every end.
_SILENT = logging.getLogger("gateway.websocket")
_SILENT.setLevel(logging.CRITICAL)


class SocketConnection(asyncio.Protocol):
    """One WebSocket, whose head was answered on `transport`; `connections` are those that the server knows.

    `is_paused`: the transport's buffer was full before.
    """

    __slots__ = (
        "_connections",
        "_count_until",
        "_deadline",
        "_frames",
        "_has_room",
        "_is_ending",
        "_is_lost",
        "_is_paused",
        "_protocol",
        "_unanswered_pings",
        "_viewer",
        "transport",
    )

    def __init__(self, transport: asyncio.Transport, connections: set[Any], *, is_paused: bool) -> None:
        self.transport = transport
        self._connections = connections
        self._is_paused = is_paused
        self._is_lost = False
        self._is_ending = False
        self._has_room: asyncio.Event | None = None
        self._protocol = Protocol(SERVER, max_size=limits.MAX_SOCKET_MESSAGE_BYTES, logger=_SILENT)
        self._viewer: OpenStream | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._frames = 0
        self._count_until = 0.0
        self._unanswered_pings = 0

    # ── what a viewer asks for ────────────────────────────────────────────────────────────────────────────────────────

    def hand_over(self, viewer: "OpenStream") -> None:
        """Belong to `viewer` until end(), or until the peer has gone."""
        self._viewer = viewer
        if self._is_lost:
            self._let_go("left")
        self._let_go_if_closed()

    @property
    def is_writable(self) -> bool:
        """Whether the peer takes what is written, up to a buffer of 64 KiB."""
        return not self._is_paused and self._protocol.state is State.OPEN and not self.transport.is_closing()

    async def writable(self) -> None:
        """Return when the peer has taken most of what was written, or has left."""
        if self._is_paused and not self._is_lost:
            self._has_room = self._has_room or asyncio.Event()
            await self._has_room.wait()

    def write(self, frames: bytes) -> None:
        """Write whole frames."""
        self.transport.write(frames)

    def ping(self) -> None:
        """Ask the peer whether it is there; who has not answered the last ones is taken for gone."""
        if self._unanswered_pings == limits.SOCKET_PINGS_UNANSWERED:
            self._let_go("left")
            self.cut()
            return
        self._unanswered_pings += 1
        self.transport.write(PING)

    def end(self, reason: str) -> None:
        """Close it for one of the reasons in CLOSES."""
        self.close(*CLOSES[reason])

    def close(self, code: int, reason: str) -> None:
        """Say goodbye, and wait a little for the peer to do so (RFC 6455 §7.1.2)."""
        self._viewer = None
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(code, reason)
        self._send()

    def cut(self) -> None:
        """Close at once, whatever was not sent yet."""
        self.transport.abort()

    # ── what becomes of it (asyncio.Protocol) ─────────────────────────────────────────────────────────────────────────

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the viewer that its peer has left."""
        self._connections.discard(self)
        self._is_lost = True
        self._expect(None)
        self._make_room()
        self._let_go("left")

    def data_received(self, data: bytes) -> None:
        """Take some bytes, a little at a time: so much of what is in them is in memory at once."""
        for at in range(0, len(data), limits.MAX_SOCKET_MESSAGE_BYTES):
            self._take(data[at : at + limits.MAX_SOCKET_MESSAGE_BYTES])

    def pause_writing(self) -> None:
        """Give the peer a while to take what was written."""
        self._is_paused = True
        if self._viewer is not None:
            self._expect(limits.STREAM_SEND_WITHIN_SECONDS)

    def resume_writing(self) -> None:
        """Go on."""
        self._is_paused = False
        self._make_room()
        if self._viewer is not None:
            self._expect(None)
            self._viewer.go_on()

    def shutdown(self) -> None:
        """End, because the server does (uvicorn asks all that it knows)."""
        if self._protocol.state is State.OPEN:
            self.end("drain")

    # ── what the peer says ────────────────────────────────────────────────────────────────────────────────────────────

    def _take(self, piece: bytes) -> None:
        if self._protocol.state is not State.OPEN and self.transport.is_closing():
            return
        self._protocol.receive_data(piece)
        frames = self._protocol.events_received()
        if any(isinstance(frame, Frame) and frame.opcode is Opcode.PONG for frame in frames):
            self._unanswered_pings = 0
        if self._is_too_much(frames) and self._protocol.state is State.OPEN:
            self._protocol.fail(*TOO_MANY)
        self._send()
        self._let_go_if_closed()

    def _is_too_much(self, frames: Sequence[object]) -> bool:
        """Count frames of all kinds, answers to our pings among them, minute by minute."""
        at_seconds = asyncio.get_running_loop().time()
        if at_seconds >= self._count_until:
            self._frames, self._count_until = 0, at_seconds + 60
        self._frames += len(frames)
        return self._frames > limits.SOCKET_FRAMES_PER_MINUTE

    def _send(self) -> None:
        """Send what the protocol itself has to say: pongs, a close frame, and the end of what is sent."""
        for written in self._protocol.data_to_send():
            if self.transport.is_closing():
                return
            if written:
                self.transport.write(written)
            else:
                self.transport.write_eof()
        if self._protocol.state is not State.OPEN and not self._is_ending:
            self._is_ending = True  # once: whoever goes on talking does not put it off
            self._expect(limits.SOCKET_CLOSE_WITHIN_SECONDS)

    # ── the end ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _let_go_if_closed(self) -> None:
        if self._protocol.state is not State.OPEN:
            self._let_go("left" if self._protocol.close_rcvd else "refused")

    def _let_go(self, reason: str) -> None:
        viewer, self._viewer = self._viewer, None
        if viewer is not None:
            viewer.dismiss(reason)

    def _make_room(self) -> None:
        if self._has_room is not None:
            self._has_room.set()
            self._has_room = None

    def _expect(self, within_seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        loop = asyncio.get_running_loop()
        self._deadline = None if within_seconds is None else loop.call_later(within_seconds, self._time_is_up)

    def _time_is_up(self) -> None:
        self._let_go("slow")
        self.cut()
