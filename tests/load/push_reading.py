"""How fast one process reads published messages: the gateway's live channel, redis-py's PubSub, hiredis fed directly.

All messages are published first, as fast as Redis takes them, and wait for the reader: what is measured is the reader.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import hiredis
import uvloop
from redis.asyncio import Redis

from deploy.local.valkey import EmbeddedValkey
from shared.jobstore.location import parse_location
from tests.load.remote import remote
from tests.support import jobs
from tests.support.stores import running_live

MESSAGES = 60_000
"""Of 200 bytes: less than the 32 MB after which Redis cuts a slow subscriber."""
BATCH = 500
MESSAGE = b"1-3 " + jobs.progress(0.5)
PIECE_BYTES = 65_536


class Reading(NamedTuple):
    """Messages read a second, and CPU (µs) of the reader for each."""

    messages_per_second: float
    cpu_us: float


class Publisher:
    """Publishes on the channels in turn, in a process of its own."""

    def __init__(self, url: str, channels: int) -> None:
        self._address = parse_location(url).addresses[0]
        self._channels = channels

    def publish(self, messages: int) -> int:
        """Publish, and return once Redis has taken everything."""
        return asyncio.run(self._publish(messages))

    async def _publish(self, messages: int) -> int:
        reader, writer = await asyncio.open_connection(*self._address)
        replies = hiredis.Reader()
        for first in range(0, messages, BATCH):
            numbers = range(first, min(first + BATCH, messages))
            commands = [pack("SPUBLISH", name_of(n % self._channels), MESSAGE) for n in numbers]
            writer.write(b"".join(commands))
            left = len(commands)
            while left:
                replies.feed(await reader.read(PIECE_BYTES))
                while replies.gets() is not False:
                    left -= 1
        writer.close()
        return messages


def name_of(number: int) -> str:
    """Name a channel as a job's is named."""
    return f"waybill:{{0}}:events:{number:08d}-0000-8000-8000-000000000000"


def pack(*words: str | bytes) -> bytes:
    """Write one command as it goes over the wire."""
    packed: bytes = hiredis.pack_command(words)  # type: ignore[arg-type]  # its stub knows tuples of one word only
    return packed


class Counter:
    """Counts messages; the clock runs from the first to the last."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        self._began_at = self._cpu_seconds = 0.0
        self.is_over = asyncio.Event()
        self.reading = Reading(0.0, 0.0)

    def count(self, *_: object) -> None:
        """Count one."""
        if self._count == 0:
            self._began_at, self._cpu_seconds = time.monotonic(), time.process_time()
        self._count += 1
        if self._count == self._most:
            cpu_seconds = time.process_time() - self._cpu_seconds
            self.reading = Reading(
                self._most / (time.monotonic() - self._began_at), cpu_seconds * 1_000_000 / self._most
            )
            self.is_over.set()


Subscribed = Callable[[], Awaitable[None]]


async def by_live_channel(url: str, channels: int, counter: Counter, publish: Subscribed) -> None:
    """Read as the gateway does."""
    async with running_live(url, on_message=counter.count) as live:
        await asyncio.gather(*(live.subscribe(name_of(number)) for number in range(channels)))
        await publish()
        await counter.is_over.wait()


async def by_pubsub(url: str, channels: int, counter: Counter, publish: Subscribed) -> None:
    """Read with redis-py's own class."""
    pubsub = Redis.from_url(url, protocol=2).pubsub()
    for first in range(0, channels, BATCH):
        names = [name_of(number) for number in range(first, min(first + BATCH, channels))]
        # SPUBLISH reaches who has subscribed to a channel by SSUBSCRIBE; redis-py's asyncio class has no word for it.
        await pubsub.execute_command("SSUBSCRIBE", *names)
    for _ in range(channels):
        await pubsub.parse_response(timeout=5)
    await publish()
    while not counter.is_over.is_set():
        if await pubsub.parse_response(timeout=5) is not None:
            counter.count()
    await pubsub.aclose()  # type: ignore[no-untyped-call]  # redis-py's own gap


class PushProtocol(asyncio.Protocol):
    """Feeds hiredis with what arrives, and nothing else."""

    def __init__(self, counter: Counter, channels: int) -> None:
        self._replies = hiredis.Reader()
        self._counter = counter
        self._left = channels
        self.is_subscribed = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        """Take what came (asyncio.Protocol)."""
        self._replies.feed(data)
        while (reply := self._replies.gets()) is not False:
            if reply[0] == b"smessage":
                self._counter.count(reply[1].decode(), reply[2])
            else:
                self._left -= 1
                if not self._left:
                    self.is_subscribed.set()


async def by_hiredis(url: str, channels: int, counter: Counter, publish: Subscribed) -> None:
    """Read with hiredis on a connection of one's own."""
    host, port = parse_location(url).addresses[0]
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_connection(lambda: PushProtocol(counter, channels), host, port)
    for number in range(channels):
        transport.write(pack("SSUBSCRIBE", name_of(number)))
    await protocol.is_subscribed.wait()
    await publish()
    await counter.is_over.wait()
    transport.close()


WAYS: dict[str, Callable[[str, int, Counter, Subscribed], Awaitable[None]]] = {
    "the live channel": by_live_channel,
    "redis-py's PubSub": by_pubsub,
    "hiredis fed directly": by_hiredis,
}


class Reader:
    """Reads in one of the ways, in a process of its own."""

    def read(self, way: str, url: str, channels: int) -> Reading:
        """Subscribe, let everything be published, and read it."""
        return uvloop.run(self._read(way, url, channels))

    async def _read(self, way: str, url: str, channels: int) -> Reading:
        counter = Counter(MESSAGES)
        with remote(Publisher, url, channels) as publisher:

            async def publish() -> None:
                # This loop stands still meanwhile, so that all messages wait for it.
                publisher.call("publish", MESSAGES)

            await WAYS[way](url, channels, counter, publish)
        return counter.reading


def measure_push_reading(server: EmbeddedValkey, channels: int) -> None:
    """Print the ways side by side."""
    print(f"\n{MESSAGES:,} messages of {len(MESSAGE)} bytes on {channels:,} channels, read by one process\n")
    print(f"{'':24}{'messages/s':>12}{'':>9}{'CPU µs':>9}")
    first: Reading | None = None
    for way in WAYS:
        reading: Any = Reader().read(way, server.url, channels)
        first = first or reading
        assert first is not None
        ratio = reading.messages_per_second / first.messages_per_second
        print(f"{way:24}{reading.messages_per_second:>12,.0f}{ratio:>7.1f} x{reading.cpu_us:>9.1f}")
