"""What is asked of thousands of partitions leaves room for the commands of everybody else."""

from collections.abc import Awaitable, Callable

import pytest

from shared import limits
from shared.jobstore.in_flight import count_in_flight, count_waiting_callbacks
from shared.jobstore.listing import list_jobs
from shared.jobstore.outbox import Outbox
from shared.jobstore.store import JobStore
from tests.support import jobs
from tests.support.stores import running_store

MANY = limits.PARTITIONS_READ_AT_ONCE + 1
READINGS: dict[str, Callable[[JobStore], Awaitable[object]]] = {
    "jobs in flight": lambda store: count_in_flight(store.connection, jobs.OWNER, range(MANY)),
    "callbacks that wait": lambda store: count_waiting_callbacks(store.connection, jobs.OWNER, range(MANY)),
    "callbacks that are due": lambda store: Outbox(store).next_up(count=10),
    "an owner's jobs": lambda store: list_jobs(store, jobs.OWNER, after=None, limit=10, is_wanted=lambda _: True),
}


@pytest.mark.parametrize("reading", READINGS)
async def test_reading_of_many_partitions_is_not_refused_for_its_own_commands(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, reading: str
) -> None:
    async with running_store(redis_url, partitions=MANY) as store:
        monkeypatch.setattr(limits, "MAX_REDIS_REQUESTS_WAITING", limits.PARTITIONS_READ_AT_ONCE)

        await READINGS[reading](store)


async def test_counts_are_in_the_order_of_the_partitions(redis_url: str) -> None:
    async with running_store(redis_url, partitions=MANY) as store:
        last = await jobs.create(store, partition=MANY - 1)

        counts = await count_in_flight(store.connection, jobs.OWNER, range(MANY))

    assert jobs.partition_number(last) == MANY - 1
    assert counts == [0] * (MANY - 1) + [1]
