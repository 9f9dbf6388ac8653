"""A line between clients and a server of any TCP protocol, with faults: by script, by seeded chance, or by hand.

    client ──▶ FaultProxy ──▶ server        requests
    client ◀── FaultProxy ◀── server        replies: delayed, slowed down, lost; then both sides cut

Each connection is dealt one Fault when it is opened. The proxy runs on the caller's event loop; for tests without one,
`in_thread` gives it a thread with a loop of its own.
"""

import asyncio
import contextlib
import random
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import NamedTuple

PIECE_BYTES = 65_536
SLOW_PIECE_BYTES = 1_024


class Fault(NamedTuple):
    """What befalls one connection; by default nothing does.

    `cut_after_bytes`: both sides are closed once so many bytes went through, replies and requests together.
    `cut_after_reply_bytes`: the same, of the replies alone. `piece_bytes`: what arrives goes on in pieces of so many
    bytes, a packet each.
    `delay_seconds`: before each piece. `bytes_per_second`: in each direction. `is_half_open`: it is accepted and
    everything swallowed, and the server never hears of it. `loses_replies_after_bytes`: replies beyond vanish while
    requests still arrive, and nothing is closed.
    """

    cut_after_bytes: int | None = None
    delay_seconds: float = 0.0
    bytes_per_second: int | None = None
    is_half_open: bool = False
    loses_replies_after_bytes: int | None = None
    cut_after_reply_bytes: int | None = None
    piece_bytes: int | None = None


Deal = Callable[[int], Fault]
"""Gives the fault of the n-th connection, counted from 0."""
NO_FAULT = Fault()


def by_chance(seed: int, *, cut_bytes: tuple[int, int], delay_seconds: float, rare: float = 0.05) -> Deal:
    """Deal faults at random, the same for the same seed: cuts and delays always, the silent ones rarely."""

    def deal(number: int) -> Fault:
        chance = random.Random(f"{seed}/{number}")
        kind = chance.random()
        return Fault(
            cut_after_bytes=chance.randint(*cut_bytes),
            delay_seconds=chance.uniform(0, delay_seconds),
            bytes_per_second=chance.randint(200_000, 2_000_000) if kind > 0.8 else None,
            is_half_open=kind < rare,
            loses_replies_after_bytes=chance.randint(*cut_bytes) if rare <= kind < 2 * rare else None,
        )

    return deal


class FaultProxy:
    """Forwards bytes to 127.0.0.1:`server_port`, which may be set later; listens on `port`."""

    def __init__(self, server_port: int = 0, *, deal: Deal = lambda _: NO_FAULT) -> None:
        self.server_port = server_port
        self.deal = deal
        self.port = 0
        self.connections = 0
        self.cuts = 0
        self.lost_replies = 0
        self.request_bytes = 0
        """What clients have sent, over all connections."""
        self._replies_until_loss: int | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator["FaultProxy"]:
        """Listen until the end of the block, then close everything."""
        self._loop = asyncio.get_running_loop()
        listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = listener.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            listener.close()
            self.close_all()
            for task in self._serving:
                task.cancel()
            await asyncio.gather(*self._serving, return_exceptions=True)
            await listener.wait_closed()

    @contextlib.contextmanager
    def in_thread(self) -> Iterator["FaultProxy"]:
        """Listen until the end of the block, in a thread."""
        is_up, loop, is_over = threading.Event(), asyncio.new_event_loop(), asyncio.Event()

        async def serve() -> None:
            async with self.listening():
                is_up.set()
                await is_over.wait()

        thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), name="fault-proxy", daemon=True)
        thread.start()
        is_up.wait()
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(is_over.set)
            thread.join()
            loop.close()

    @property
    def url(self) -> str:
        """The address of a Redis behind this proxy."""
        return f"redis://127.0.0.1:{self.port}/0"

    def lose_next_reply(self, *, after: int = 0) -> None:
        """Cut everything in place of the next reply: the server has done what was asked, the client cannot know.

        `after`: so many replies come through before.
        """
        self._replies_until_loss = after

    def cut(self) -> None:
        """Close all connections; from any thread."""
        self._loop.call_soon_threadsafe(self.close_all)

    def close_all(self) -> None:
        """Close all connections at once; on the proxy's own loop."""
        for writer in self._writers:
            writer.close()

    async def _serve(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        fault = self.deal(self.connections)
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        self._writers.add(to_client)
        try:
            if fault.is_half_open:
                while await from_client.read(PIECE_BYTES):
                    pass
            else:
                await self._connect(_Line(self, fault), from_client, to_client)
        except (OSError, ExceptionGroup, asyncio.CancelledError):
            pass  # either side is gone, or the proxy ends: so does the connection
        finally:
            self._serving.discard(task)
            self._writers.discard(to_client)
            to_client.close()

    async def _connect(self, line: "_Line", from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self.server_port)
        self._writers.add(to_server)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(line.forward(from_client, to_server, is_reply=False))
                group.create_task(line.forward(from_server, to_client, is_reply=True))
        finally:
            self._writers.discard(to_server)
            to_server.close()

    def take_lost_reply(self) -> bool:
        """Tell whether this reply is the one to be lost."""
        if self._replies_until_loss is None:
            return False
        is_lost = self._replies_until_loss == 0
        self._replies_until_loss = None if is_lost else self._replies_until_loss - 1
        self.lost_replies += is_lost
        return is_lost


class _Line:
    """One connection's two directions, which share what is left until the cut."""

    def __init__(self, proxy: FaultProxy, fault: Fault) -> None:
        self._proxy = proxy
        self._fault = fault
        self._passed_bytes = 0
        self._passed_reply_bytes = 0
        self._reply_bytes = 0

    async def forward(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, is_reply: bool) -> None:
        """Pass pieces on until either side ends, or the fault does it."""
        size = self._fault.piece_bytes or (SLOW_PIECE_BYTES if self._fault.bytes_per_second else PIECE_BYTES)
        while piece := await source.read(size):
            if is_reply and self._proxy.take_lost_reply():
                self._proxy.close_all()
                return
            if not is_reply:
                self._proxy.request_bytes += len(piece)
            await self._linger(piece)
            if is_reply and self._swallows(piece):
                continue
            left = self._left_bytes(is_reply=is_reply)
            target.write(piece if left is None else piece[:left])
            self._passed_bytes += len(piece)
            self._passed_reply_bytes += len(piece) if is_reply else 0
            await target.drain()
            if self._fault.piece_bytes:
                await asyncio.sleep(0)  # let the reader read; what is written in one turn may be one packet
            if left is not None and len(piece) >= left:
                self._proxy.cuts += 1
                raise ConnectionResetError("cut by the proxy")
        target.close()

    async def _linger(self, piece: bytes) -> None:
        pause_seconds = self._fault.delay_seconds + len(piece) / (self._fault.bytes_per_second or float("inf"))
        if pause_seconds:
            await asyncio.sleep(pause_seconds)

    def _swallows(self, piece: bytes) -> bool:
        self._reply_bytes += len(piece)
        bound = self._fault.loses_replies_after_bytes
        return bound is not None and self._reply_bytes > bound

    def _left_bytes(self, *, is_reply: bool) -> int | None:
        bounds = [(self._fault.cut_after_bytes, self._passed_bytes)]
        if is_reply:
            bounds.append((self._fault.cut_after_reply_bytes, self._passed_reply_bytes))
        return min((max(0, bound - passed) for bound, passed in bounds if bound is not None), default=None)
