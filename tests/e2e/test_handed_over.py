"""What becomes of a connection that was handed over to a stream: its peer sends more during the stream, or after it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from shared.jobstore.operations import Run
from shared.jobstore.store import JobStore
from tests.support import jobs
from tests.support.stores import running_store
from tests.support.system import JOBS, System
from tests.support.waiting import PATIENCE_SECONDS

LAST_CHUNK = b"\r\n0\r\n\r\n"
NOTHING = b"GET /v1/nothing HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A gateway without a processor."""
    with System(tmp_path_factory.mktemp("handed-over"), processors=0) as running:
        yield running


@pytest_asyncio.fixture
async def store(idle: System) -> AsyncIterator[JobStore]:
    """The gateway's store."""
    async with running_store(idle.redis.url, partitions=1) as running:
        yield running


class Peer:
    """One connection, written and read by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, data: bytes) -> None:
        """Send some bytes."""
        self._writer.write(data)

    async def read_until(self, end: bytes) -> bytes:
        """Read up to `end`."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self._reader.readuntil(end)

    async def read_all(self) -> bytes:
        """Read until the other side closes; nothing when it refuses what it was sent after that."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            try:
                return await self._reader.read()
            except ConnectionError:
                return b""


@contextlib.asynccontextmanager
async def peer_of(system: System) -> AsyncIterator[Peer]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(system.url.rpartition(":")[2]))
    try:
        yield Peer(reader, writer)
    finally:
        writer.close()


def ask_for_stream(run: Run, more: str = "") -> bytes:
    return f"GET {JOBS}/{run.job_id}/stream HTTP/1.1\r\nHost: localhost\r\n{more}\r\n".encode()


async def test_a_connection_serves_other_requests_after_its_stream(idle: System, store: JobStore) -> None:
    run = await jobs.start(store)

    async with peer_of(idle) as peer:
        peer.send(ask_for_stream(run))
        await peer.read_until(b'"type":"snapshot"')
        await store.finish(run, jobs.completion())
        assert b'"type":"completed"' in await peer.read_until(LAST_CHUNK)
        peer.send(ask_for_stream(run))
        assert b'"type":"completed"' in await peer.read_until(LAST_CHUNK)
        peer.send(NOTHING)
        assert (await peer.read_until(b"\r\n\r\n")).startswith(b"HTTP/1.1 404")


async def test_a_request_during_a_stream_is_not_answered_inside_it(idle: System, store: JobStore) -> None:
    run = await jobs.start(store)

    async with peer_of(idle) as peer:
        peer.send(ask_for_stream(run))
        await peer.read_until(b'"type":"snapshot"')
        peer.send(NOTHING)
        await store.append_progress(run, seq=3, message=jobs.progress(0.5))
        stream = await peer.read_until(b"id: 1-3")
        await store.finish(run, jobs.completion())
        stream += await peer.read_all()

    assert b"HTTP/1.1" not in stream
    assert stream.endswith(LAST_CHUNK)


@pytest.mark.parametrize("behind", [NOTHING, NOTHING[:20]], ids=["a request", "half a request"])
async def test_what_stands_behind_the_request_for_a_stream_is_not_taken_for_the_beginning_of_another(
    behind: bytes, idle: System, store: JobStore
) -> None:
    run = await jobs.start(store)

    async with peer_of(idle) as peer:
        peer.send(ask_for_stream(run) + behind)
        await peer.read_until(b'"type":"snapshot"')
        await store.finish(run, jobs.completion())
        stream = await peer.read_until(LAST_CHUNK)
        peer.send(NOTHING[20:] if behind != NOTHING else NOTHING)
        rest = await peer.read_all()

    assert b"HTTP/1.1" not in stream
    assert rest == b""


async def test_a_stream_whose_peer_closes_the_connection_by_its_own_word_is_closed_at_the_end(
    idle: System, store: JobStore
) -> None:
    run = await jobs.start(store)

    async with peer_of(idle) as peer:
        peer.send(ask_for_stream(run, "Connection: close\r\n"))
        await peer.read_until(b'"type":"snapshot"')
        await store.finish(run, jobs.completion())

        assert (await peer.read_all()).endswith(LAST_CHUNK)
