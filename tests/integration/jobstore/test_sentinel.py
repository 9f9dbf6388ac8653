"""A master watched by Sentinels: when it dies, jobs and live events go on with the next one."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest

from shared.errors import RedisUnavailable
from shared.jobstore.location import parse_location
from shared.jobstore.operations import Answer
from shared.jobstore.reader import BlockingReader
from shared.jobstore.wire import ask as wire_ask
from shared.jobstore.wire import find_master, open_connection
from tests.support import inspection, jobs
from tests.support.debian_redis import DebianRedis
from tests.support.stores import running_commands, running_live, running_store

T = TypeVar("T")

PATIENCE_SECONDS = 60.0
MASTER = "waybill-master"


class Watched:
    """A master, its replica, and three Sentinels that agree on both."""

    def __init__(self, master: DebianRedis, replica: DebianRedis, sentinels: list[DebianRedis]) -> None:
        self.master = master
        self.replica = replica
        self.sentinels = sentinels

    @property
    def url(self) -> str:
        """The URL, which names all Sentinels."""
        return f"redis+sentinel://{','.join(f'127.0.0.1:{sentinel.port}' for sentinel in self.sentinels)}/{MASTER}/0"


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    """Everything up; whether the Sentinels know the replica already is for the test to wait for."""
    with DebianRedis(tmp_path / "master", "repl-diskless-sync-delay 0") as master:
        following = f"replicaof 127.0.0.1 {master.port}"
        monitor = (
            f"sentinel monitor {MASTER} 127.0.0.1 {master.port} 2",
            f"sentinel down-after-milliseconds {MASTER} 1000",
            f"sentinel failover-timeout {MASTER} 5000",
        )
        with (
            DebianRedis(tmp_path / "replica", following) as replica,
            DebianRedis(tmp_path / "s1", *monitor, sentinel=True) as one,
            DebianRedis(tmp_path / "s2", *monitor, sentinel=True) as two,
            DebianRedis(tmp_path / "s3", *monitor, sentinel=True) as three,
        ):
            yield Watched(master, replica, [one, two, three])


@contextlib.asynccontextmanager
async def asking(port: int) -> AsyncIterator[Callable[..., Awaitable[Any]]]:
    """Give a way to ask one server or Sentinel directly."""
    connection = open_connection(parse_location(f"redis://127.0.0.1:{port}/0"), name="asking")
    await connection.connect()  # type: ignore[no-untyped-call]
    try:
        yield lambda *words: wire_ask(connection, *words)
    finally:
        await connection.disconnect(nowait=True)


async def until(look: Callable[[], Awaitable[T]], is_so: Callable[[T], bool]) -> None:
    """Look again and again, until it is so."""
    while True:
        if is_so(await look()):
            return
        await asyncio.sleep(0.1)


def knows_everybody(reply: list[bytes]) -> bool:
    """Tell whether a Sentinel knows the replica and both other Sentinels."""
    facts = dict(zip(reply[::2], reply[1::2], strict=True))
    return facts[b"num-slaves"] == b"1" and facts[b"num-other-sentinels"] == b"2"


async def wait_until_agreed(watched: Watched) -> None:
    """Return when every Sentinel knows the replica and both other Sentinels, and the replica has caught up."""
    for sentinel in watched.sentinels:
        async with asking(sentinel.port) as ask:
            await until(partial(ask, "SENTINEL", "MASTER", MASTER), knows_everybody)
    async with asking(watched.replica.port) as ask:
        await until(lambda: ask("ROLE"), lambda role: role[3] == b"connected")


async def test_jobs_and_live_events_go_on_after_the_master_died(watched: Watched) -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    restored = asyncio.Event()
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        running_store(watched.url, partitions=1) as store,
        running_live(watched.url, on_message=lambda _, data: heard.put_nowait(data), on_restored=restored.set) as live,
    ):
        await wait_until_agreed(watched)
        reader = BlockingReader(store.connection, partition=0, processor="p2")
        run = await jobs.start(store)
        await live.subscribe(store.live_channel(run.job_id))
        # WAIT: what the replica has not got by now would be lost with the master, as the docs say.
        await store.connection.execute("WAIT", 1, 0, within_seconds=10)
        health_before = store.healthy_since(0)
        restored.clear()

        await asyncio.to_thread(watched.master.kill)
        with pytest.raises(RedisUnavailable):
            await store.create(jobs.new_job(store))
        answer = await jobs.insist(lambda: store.append_progress(run, seq=3, message=jobs.progress(0.5)))
        await restored.wait()
        finished = await jobs.insist(lambda: store.finish(run, jobs.completion()))

        assert (answer, finished) == (Answer.OK, Answer.OK)
        assert await inspection.event_types(store, run.job_id) == ["queued", "started", "progress", "completed"]
        assert b"1-4 " + jobs.COMPLETED in [await heard.get() for _ in range(heard.qsize() or 1)]
        health_after = store.healthy_since(0)
        assert health_before is not None
        assert health_after is not None
        assert health_after > health_before
        job_id = await jobs.create(store)
        while not (entries := await reader.read(most=1)):
            pass
        assert [entry.job_id for entry in entries] == [job_id]
        await reader.close()


async def test_a_demoted_master_is_left_for_the_new_one(watched: Watched) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS), running_store(watched.url, partitions=1) as store:
        await wait_until_agreed(watched)
        async with asking(watched.sentinels[0].port) as ask:
            await ask("SENTINEL", "FAILOVER", MASTER)
            await until(
                lambda: find_master(parse_location(watched.url)),
                lambda found: found == ("127.0.0.1", watched.replica.port),
            )

        job_id = await jobs.insist(lambda: jobs.create(store))

        async with asking(watched.replica.port) as ask:
            assert (await ask("ROLE"))[0] == b"master"
        assert await jobs.insist(lambda: store.find(job_id)) is not None


async def test_a_master_that_no_sentinel_knows_is_told(watched: Watched) -> None:
    async with running_commands(watched.url.replace(MASTER, "nobody")) as commands:
        with pytest.raises(RedisUnavailable, match="watches no master named 'nobody'"):
            await commands.execute("PING")


async def test_one_sentinel_of_several_suffices(watched: Watched) -> None:
    for sentinel in watched.sentinels[1:]:
        await asyncio.to_thread(sentinel.kill)

    async with running_store(watched.url, partitions=1) as store:
        assert await store.find(await jobs.create(store)) is not None
