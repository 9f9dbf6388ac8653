"""Thousands of viewers in one process, as cheap as they can be: nonblocking sockets, epoll, one search in each piece.

A stamp in an event's message (`@<nanoseconds of the monotonic clock>`) tells when it was given to be appended; that
clock is one for all processes of a machine. What a viewer must see is counted by its ids: one that is not the next is
missed or doubled. Of a stream of many jobs that is the sum of its vector: each event adds one to one of them.
"""

import errno
import heapq
import random
import re
import select
import socket
import time
from collections.abc import Sequence
from typing import NamedTuple

PIECE_BYTES = 65_536
NEAR_ADDRESSES = 16
"""Of 127.0.0.x, in turn: one address has 28,000 ports for connections to one server."""
OPENING_AT_ONCE = 400
WAIT_SECONDS = 0.05
RETURN_SECONDS = (0.5, 3.0)
"""As shipped: what `retry:` asks of a viewer whose stream has ended."""
LAST_CHUNK = b"\r\n0\r\n\r\n"
_ID = re.compile(rb"\nid: ([0-9.-]+)\n")
_SEQ = re.compile(rb"-(\d+)")
_STAMP = re.compile(rb'"message":"@(\d+)"')


class Heard(NamedTuple):
    """What was read of some events: how many, how late each (ns), what was not in order, and this process' CPU.

    `ended`: streams that the gateway ended, or that were cut; they come back by themselves.
    """

    events: int
    late_ns: list[int]
    out_of_order: int
    ended: int
    cpu_seconds: float
    took_seconds: float


class Viewer:
    """One connection, with the place that it has reached."""

    __slots__ = ("job", "number", "rest", "seq", "sock")

    def __init__(self, number: int, job: str, seq: int) -> None:
        self.number = number
        self.job = job
        self.seq = seq
        self.rest = b""
        self.sock: socket.socket | None = None


def _seq_of(place: bytes) -> int:
    return int(place.rpartition(b"-")[2]) if b"." not in place else sum(map(int, _SEQ.findall(place)))


class Crowd:
    """Opens streams and reads them; every call blocks, and between calls bytes wait in the sockets."""

    asks_with = "Accept: text/event-stream"
    id_pattern = _ID
    frame_end = b"\n\n"
    first_frame_ends = (b"\n\n\r\n", LAST_CHUNK)

    def __init__(self, path_format: str) -> None:
        self._path_format = path_format
        self._epoll = select.epoll()
        self._viewers: list[Viewer] = []
        self._open: dict[int, Viewer] = {}
        self._ports: Sequence[int] = ()
        self._returning: list[tuple[float, int]] = []
        """When who comes back: (monotonic seconds, the viewer's number), a heap."""

    def watch(self, ports: Sequence[int], jobs: Sequence[str], seq: int) -> tuple[float, int]:
        """Open a stream for each job, the ports in turn; `seq` is that of its last event.

        Gives the seconds that it took, and how many were told `busy` and had to come again.
        """
        self._ports, began_at, refusals = ports, time.monotonic(), 0
        added = [Viewer(number, job, seq) for number, job in enumerate(jobs, start=len(self._viewers))]
        self._viewers += added
        waiting, opening = added[::-1], set[int]()
        while waiting or opening:
            while waiting and len(opening) < OPENING_AT_ONCE:
                opening.add(self._connect(waiting.pop(), cursor=None))
            for descriptor, _ in self._epoll.poll(WAIT_SECONDS):
                viewer = self._open[descriptor]
                if not self._read_first_frame(descriptor):
                    continue
                opening.discard(descriptor)
                if b'"type":"busy"' in viewer.rest:
                    refusals += 1
                    self._forget(descriptor)
                    waiting.insert(0, viewer)
                viewer.rest = b""
        return time.monotonic() - began_at, refusals

    def leave(self) -> None:
        """Close all streams; the places are remembered."""
        for descriptor, viewer in self._open.items():
            self._epoll.unregister(descriptor)
            assert viewer.sock is not None
            viewer.sock.close()
            viewer.rest = b""
        self._open.clear()

    def come_back(self, ports: Sequence[int]) -> None:
        """Connect all at once, each with the id of its last event; listen() reads what they are given."""
        self._ports = ports
        for viewer in self._viewers:
            self._connect(viewer, cursor=f"1-{viewer.seq}")

    def listen(self, events: int, within_seconds: float) -> Heard:
        """Read until so many events have come, or for so long."""
        began_at, cpu_seconds = time.monotonic(), time.process_time()
        late_ns: list[int] = []
        heard = out_of_order = ended = 0
        until = began_at + within_seconds
        while heard < events and (now := time.monotonic()) < until:
            while self._returning and self._returning[0][0] <= now:
                viewer = self._viewers[heapq.heappop(self._returning)[1]]
                self._connect(viewer, cursor=f"1-{viewer.seq}")
            for descriptor, what in self._epoll.poll(min(WAIT_SECONDS, until - now)):
                viewer = self._open[descriptor]
                assert viewer.sock is not None
                if what & select.EPOLLOUT:
                    self._ask(descriptor)
                    continue
                try:
                    piece = viewer.sock.recv(PIECE_BYTES)
                except BlockingIOError:
                    continue
                except ConnectionError:
                    piece = b""
                text = viewer.rest + piece if viewer.rest else piece
                if not piece or text.endswith(LAST_CHUNK):
                    ended += 1
                    self._forget(descriptor)
                    heapq.heappush(self._returning, (now + random.uniform(*RETURN_SECONDS), viewer.number))
                at_ns = time.monotonic_ns()
                # A frame that has not ended is read with its end.
                end = text.rfind(self.frame_end) + len(self.frame_end) if self.frame_end in text else 0
                viewer.rest, text = text[end:], text[:end]
                for seq in map(_seq_of, self.id_pattern.findall(text)):
                    out_of_order += seq != viewer.seq + 1
                    viewer.seq = seq
                    heard += 1
                late_ns += [at_ns - int(stamp) for stamp in _STAMP.findall(text)]
        cpu_seconds = time.process_time() - cpu_seconds
        return Heard(heard, late_ns, out_of_order, ended, cpu_seconds, time.monotonic() - began_at)

    def _connect(self, viewer: Viewer, cursor: str | None) -> int:
        viewer.sock = sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_IP, getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24), 1)
        sock.bind((f"127.0.0.{1 + viewer.number % NEAR_ADDRESSES}", 0))
        result = sock.connect_ex(("127.0.0.1", self._ports[viewer.number % len(self._ports)]))
        assert result in (0, errno.EINPROGRESS), errno.errorcode[result]
        last = f"Last-Event-ID: {cursor}\r\n" if cursor else ""
        path = self._path_format.format(viewer.job)
        viewer.rest = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{self.asks_with}\r\n{last}\r\n".encode()
        self._epoll.register(sock, select.EPOLLOUT)
        self._open[sock.fileno()] = viewer
        return sock.fileno()

    def _ask(self, descriptor: int) -> None:
        viewer = self._open[descriptor]
        assert viewer.sock is not None
        viewer.sock.send(viewer.rest)
        viewer.rest = b""
        self._epoll.modify(descriptor, select.EPOLLIN)

    def _read_first_frame(self, descriptor: int) -> bool:
        """Take a step of opening a stream; True once the head and the first frame are there."""
        viewer = self._open[descriptor]
        assert viewer.sock is not None
        if viewer.rest.startswith(b"GET"):
            self._ask(descriptor)
            return False
        piece = viewer.sock.recv(PIECE_BYTES)
        viewer.rest += piece
        assert piece, f"a stream has ended while others were opened: {viewer.rest!r}"
        return viewer.rest.endswith(self.first_frame_ends)

    def _forget(self, descriptor: int) -> None:
        viewer = self._open.pop(descriptor)
        self._epoll.unregister(descriptor)
        assert viewer.sock is not None
        viewer.sock.close()


class SocketCrowd(Crowd):
    """The same over WebSockets: of a frame no more is read than id and stamp, and no ping is answered."""

    asks_with = (
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    )
    id_pattern = re.compile(rb'"id":"([0-9.-]+)"')
    frame_end = b"}"  # of a progress message, which has no object inside
    first_frame_ends = (b"}", b"}\x89\x00")
