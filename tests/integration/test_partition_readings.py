"""What is read of each partition for the gauges: side by side, and whatever a reading makes of it."""

import asyncio

import pytest
from opentelemetry.metrics import CallbackOptions
from structlog.testing import capture_logs

from shared import limits
from shared.jobstore.store import JobStore
from shared.telemetry.partition_readings import PartitionReadings
from tests.support.stores import running, running_store

PATIENCE_SECONDS = 10.0


async def test_partitions_are_read_side_by_side_up_to_a_bound(redis_url: str) -> None:
    under_way = most_under_way = 0

    async def read(_: int) -> int:
        nonlocal under_way, most_under_way
        under_way += 1
        most_under_way = max(most_under_way, under_way)
        await asyncio.sleep(0)  # to whoever is read beside it
        under_way -= 1
        return 1

    async with running_store(redis_url, partitions=limits.PARTITIONS_READ_AT_ONCE + 1) as store:
        readings = PartitionReadings(store, read)

        await readings.look()

    [shown] = readings.sum_of(int)(CallbackOptions())
    assert shown.value == limits.PARTITIONS_READ_AT_ONCE + 1
    assert most_under_way == limits.PARTITIONS_READ_AT_ONCE


async def test_a_mistake_of_one_look_is_told_leaves_no_old_number_and_ends_nothing(
    single: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BACKLOG_EVERY_SECONDS", 0.001)
    shown_before_look: list[int] = []
    is_over = asyncio.Event()

    async def read(_: int) -> int:
        shown_before_look.append(len(list(observe(CallbackOptions()))))
        if len(shown_before_look) == 2:
            raise ValueError("a reply that nobody has thought of")
        if len(shown_before_look) == 4:
            is_over.set()
        return 1

    readings = PartitionReadings(single, read)
    observe = readings.sum_of(int)
    with capture_logs() as logs:
        async with asyncio.timeout(PATIENCE_SECONDS), running(readings.run):
            await is_over.wait()

    assert shown_before_look[:4] == [0, 1, 0, 1]
    assert [line["event"] for line in logs].count("reading partitions broke") == 1
