"""What estimates are made from, on its way: processors are heard, gateways look, and know nothing while they cannot."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway.estimate import Outlook, Promise
from gateway.queue_watch import QueueWatch
from processor.sign_of_life import SignOfLife
from shared import limits
from shared.jobstore.fleet import Fleet, Sign
from shared.jobstore.store import JobStore
from tests.support import jobs
from tests.support.ports import free_ports
from tests.support.stores import running, running_commands


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signs are given, and looks taken, one after the other."""
    monkeypatch.setattr(limits, "SIGN_EVERY_SECONDS", 0.01)
    monkeypatch.setattr(limits, "QUEUE_LOOK_EVERY_SECONDS", 0.01)


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while True:
            if await is_so():
                return
            await asyncio.sleep(0.01)


async def has_open_slots(fleet: Fleet, wanted: list[int]) -> bool:
    return [processor.open_slots for processor in await fleet.processors()] == wanted


async def test_a_processor_says_how_many_jobs_it_would_take_and_is_forgotten_at_its_end(store: JobStore) -> None:
    fleet, may_work = Fleet(store.connection), [True]
    voice = SignOfLife(fleet, processor="p1", slots=4, takes_work=lambda: may_work[0])

    async with running(voice.run):
        await until(lambda: has_open_slots(fleet, [4]))
        may_work[0] = False
        await until(lambda: has_open_slots(fleet, [0]))
        await voice.end()

    assert await fleet.processors() == []


async def test_a_gateway_knows_the_line_the_slots_and_the_jobs_that_it_creates_itself(store: JobStore) -> None:
    await store.finish(await jobs.start(store, partition=0), jobs.completion())
    await Fleet(store.connection).say("p1", Sign(slots=2, open_slots=2))
    waiting = [await jobs.create(store, partition=0) for _ in range(3)]
    watch = QueueWatch(store, Fleet(store.connection))

    async def has_looked() -> bool:
        return watch.promise(waiting[0], None, joins=True).estimated_duration is not None

    async with running(watch.run):
        await until(has_looked)
        new = jobs.new_job(store, partition=0)
        place = watch.note(new.job_id, None, await store.create(new))
        record = await store.find(waiting[2])

        assert place == 3
        assert record is not None
        assert watch.outlook(record) == Outlook(queue_position=2, remaining_seconds=1, starts_in_seconds=1)


async def test_without_redis_a_gateway_says_nothing() -> None:
    [port] = free_ports(1)
    async with running_commands(f"redis://127.0.0.1:{port}/0") as nowhere:
        watch = QueueWatch(JobStore(nowhere, partitions=1), Fleet(nowhere))

        async with running(watch.run):
            await asyncio.sleep(0)

            assert watch.promise(JobStore(nowhere, partitions=1).new_job_id(), 1_000, joins=True) == Promise()
