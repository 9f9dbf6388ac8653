"""What of a wait for a body is the caller's, and what is ours, on a real connection."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator

from gateway.edge.body_wait import BodyWait

BUSY_SECONDS = 0.2


@contextlib.asynccontextmanager
async def connected() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Give an end to read from, and the one to write to."""
    ours, theirs = socket.socketpair()
    reading, own_writing = await asyncio.open_connection(sock=ours)
    _, writing = await asyncio.open_connection(sock=theirs)
    yield reading, writing
    for one in (own_writing, writing):
        one.close()
        await one.wait_closed()


async def test_what_the_loop_does_before_it_reads_a_body_that_is_there_is_ours() -> None:
    async with connected() as (reading, writing):
        writing.write(b"body")
        asyncio.get_running_loop().call_soon(time.sleep, BUSY_SECONDS)

        wait = BodyWait()
        await reading.read(4)
        waited_seconds = wait.end()

    assert waited_seconds < BUSY_SECONDS


async def test_while_nothing_arrives_it_is_the_caller_who_takes_the_time() -> None:
    async with connected() as (reading, writing):
        asyncio.get_running_loop().call_later(BUSY_SECONDS, writing.write, b"body")

        wait = BodyWait()
        await reading.read(4)
        waited_seconds = wait.end()

    assert waited_seconds > BUSY_SECONDS / 2
