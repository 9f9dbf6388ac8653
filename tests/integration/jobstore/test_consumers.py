"""Consumers of processors that are gone are removed when they own nothing, and never otherwise."""

from typing import Any, cast

import pytest

from shared import limits
from shared.jobstore import keys
from shared.jobstore.store import JobStore
from tests.support import jobs


async def consumers(store: JobStore, partition: int = 0) -> set[str]:
    """Name the consumers that a partition has."""
    reply = await store.connection.execute("XINFO", "CONSUMERS", keys.commands(partition), keys.GROUP)
    return {flat[flat.index(b"name") + 1].decode() for flat in cast("list[Any]", reply)}


@pytest.fixture(autouse=True)
def gone_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take everybody for gone who does nothing at this moment."""
    monkeypatch.setattr(limits, "CONSUMER_GONE_AFTER_MS", 0)


async def test_who_owns_nothing_is_removed_and_who_owns_something_stays(store: JobStore) -> None:
    running = await jobs.start(store, partition=0, processor="works")
    for processor in ("idle", "ended"):
        await store.finish(await jobs.start(store, partition=0, processor=processor), jobs.completion())

    dropped = await jobs.lifetimes_of(store).drop_consumers(0)

    assert sorted(dropped) == ["ended", "idle"]
    assert await consumers(store) == {"works"}
    assert await store.find(running.job_id) is not None


async def test_places_where_entries_stand_stay_though_nothing_stands_there(store: JobStore) -> None:
    run = await jobs.start(store, partition=0)
    await store.retry_later(run, message=jobs.RETRYING, error=jobs.BROKEN, delay_ms=0, lease_ms=jobs.LEASE_MS)
    await jobs.sweep(store, 0)
    await store.finish(await jobs.claim(store, await jobs.take(store, run.job_id)), jobs.completion())

    dropped = await jobs.lifetimes_of(store).drop_consumers(0)

    assert (dropped, await consumers(store)) == (["p1"], {"parked", "ready"})


async def test_who_was_heard_of_lately_stays(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CONSUMER_GONE_AFTER_MS", 60_000)
    await store.finish(await jobs.start(store, partition=0, processor="waits"), jobs.completion())

    assert await jobs.lifetimes_of(store).drop_consumers(0) == []
    assert await consumers(store) == {"waits"}


async def test_a_processor_that_was_taken_for_gone_works_on(store: JobStore) -> None:
    await store.take(0, processor="p1", most=1, in_hand=())
    await jobs.lifetimes_of(store).drop_consumers(0)

    run = await jobs.start(store, partition=0)

    assert await consumers(store) == {"p1"}
    assert run.epoch == 1


async def test_so_many_are_removed_at_once_and_no_more(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CONSUMERS_PER_TURN", 2)
    for number in range(3):
        await store.finish(await jobs.start(store, partition=0, processor=f"gone-{number}"), jobs.completion())

    assert [len(await jobs.lifetimes_of(store).drop_consumers(0)) for _ in range(3)] == [2, 1, 0]


async def test_a_redis_that_was_emptied_has_none_to_remove(store: JobStore) -> None:
    await store.connection.execute("DEL", keys.commands(0))

    assert await jobs.lifetimes_of(store).drop_consumers(0) == []
