"""The fault proxy does to a connection what it says, and to nothing else: a test behind it means what it seems to."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.proxy import NO_FAULT, Fault, FaultProxy, by_chance

PATIENCE_SECONDS = 10.0
MESSAGE = bytes(range(256)) * 40


class EchoServer:
    """Answers with what it is sent."""

    def __init__(self) -> None:
        self.heard_bytes = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection."""
        while piece := await reader.read(65_536):
            self.heard_bytes += len(piece)
            writer.write(piece)
        writer.close()


@pytest_asyncio.fixture
async def echo() -> AsyncIterator[tuple[EchoServer, FaultProxy]]:
    """An echo server with a proxy in front of it."""
    server = EchoServer()
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    async with FaultProxy(listener.sockets[0].getsockname()[1]).listening() as proxy:
        yield server, proxy
    listener.close()


async def say(proxy: FaultProxy, message: bytes = MESSAGE, *, waits: bool = True) -> bytes:
    """Send a message and give the answer, as far as it comes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(message)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS if waits else 0.2):
            return await _read_up_to(reader, len(message))
    finally:
        writer.close()


async def _read_up_to(reader: asyncio.StreamReader, size_bytes: int) -> bytes:
    found = b""
    while len(found) < size_bytes:
        try:
            piece = await reader.read(65_536)
        except ConnectionError:
            break
        if not piece:
            break
        found += piece
    return found


async def test_without_a_fault_everything_passes(echo: tuple[EchoServer, FaultProxy]) -> None:
    assert await asyncio.gather(*(say(echo[1]) for _ in range(5))) == [MESSAGE] * 5


async def test_a_cut_comes_after_its_bytes(echo: tuple[EchoServer, FaultProxy]) -> None:
    server, proxy = echo
    proxy.deal = lambda number: Fault(cut_after_bytes=len(MESSAGE) + 100) if number == 0 else NO_FAULT

    first, second = await say(proxy), await say(proxy)

    assert (first, second, proxy.cuts) == (MESSAGE[:100], MESSAGE, 1)
    assert server.heard_bytes == 2 * len(MESSAGE)


async def test_a_half_open_connection_swallows_and_stays_open(echo: tuple[EchoServer, FaultProxy]) -> None:
    server, proxy = echo
    proxy.deal = lambda _: Fault(is_half_open=True)

    with pytest.raises(TimeoutError):
        await say(proxy, waits=False)

    assert server.heard_bytes == 0


async def test_lost_replies_leave_the_requests_alone(echo: tuple[EchoServer, FaultProxy]) -> None:
    server, proxy = echo
    proxy.deal = lambda _: Fault(loses_replies_after_bytes=0)

    with pytest.raises(TimeoutError):
        await say(proxy, waits=False)

    assert server.heard_bytes == len(MESSAGE)


@pytest.mark.parametrize("fault", [Fault(delay_seconds=0.1), Fault(bytes_per_second=100_000)], ids=["delay", "slow"])
async def test_a_slow_line_is_slow_and_loses_nothing(echo: tuple[EchoServer, FaultProxy], fault: Fault) -> None:
    _, proxy = echo
    proxy.deal = lambda _: fault
    began_at = time.monotonic()

    assert await say(proxy) == MESSAGE

    assert time.monotonic() - began_at >= 0.1


def test_chance_is_the_same_for_the_same_seed() -> None:
    deal, again, other = (by_chance(seed, cut_bytes=(1, 10**6), delay_seconds=0.1) for seed in (7, 7, 8))

    dealt = [deal(number) for number in range(200)]

    assert dealt == [again(number) for number in range(200)]
    assert dealt != [other(number) for number in range(200)]
    assert any(fault.is_half_open for fault in dealt)
    assert any(fault.loses_replies_after_bytes for fault in dealt)
