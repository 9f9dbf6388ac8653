"""A sweep that was on its way while Redis stood still: nobody could renew meanwhile, and nobody may be robbed by it."""

import asyncio

import pytest

from deploy.local.valkey import EmbeddedValkey
from processor.maintenance.sweeper import Sweeper
from shared.errors import RedisUnavailable
from shared.jobstore.store import JobStore
from tests.support import inspection, jobs
from tests.support.servers import empty, frozen
from tests.support.stores import running, running_store

LEASE_MS = 3_000
RENEW_EVERY_SECONDS = 1.0
PAUSE_SECONDS = 3.5
SETTLED_AFTER_SECONDS = 3.0
"""Sweepers have come two or three times by then."""


async def test_late_sweep_moves_nothing_takes_no_lock_and_tells_the_time(store: JobStore) -> None:
    run = await jobs.start(store, partition=0)
    now = (await store.sweep(0, leader="s1", lease_ms=jobs.LEASE_MS, cursor="0-0")).at_ms

    late = await store.sweep(0, leader="s1", lease_ms=0, cursor="0-0", void_after_ms=now - 1)
    in_time = await store.sweep(0, leader="s1", lease_ms=0, cursor="0-0", void_after_ms=now + 60_000)

    assert (late.is_leader, late.is_late, late.found) == (False, True, 0)
    assert late.at_ms >= now
    assert (in_time.is_leader, in_time.is_late, in_time.found) == (True, False, 1)
    assert await inspection.pending(store, 0) == {run.record.entry: "ready"}


async def test_sweep_that_was_on_its_way_when_redis_stood_still_offers_no_running_job(
    standalone_server: EmbeddedValkey,
) -> None:
    empty(standalone_server)
    async with running_store(standalone_server.url, partitions=1) as store:
        run = await jobs.start(store, processor="p1")
        first = await store.sweep(0, leader="s1", lease_ms=1_000, cursor="0-0")

        with frozen(standalone_server), pytest.raises(RedisUnavailable):  # given up after 1.5 s, and sent all the same
            await store.sweep(0, leader="s1", lease_ms=1_000, cursor=first.cursor, void_after_ms=first.at_ms + 500)
        await store.find(run.job_id)  # Redis does what was sent before

        assert await inspection.pending(store, 0) == {run.record.entry: "p1"}


async def test_sweeper_robs_nobody_after_redis_stood_still_without_closing_a_connection(
    standalone_server: EmbeddedValkey,
) -> None:
    empty(standalone_server)
    async with (
        running_store(standalone_server.url, partitions=1) as store,
        running_store(standalone_server.url, partitions=1) as sweepers_store,
    ):
        await asyncio.sleep(LEASE_MS / 1000 + 1)  # a new process waits for a lease
        async with running(Sweeper(sweepers_store, processor="s1", lease_ms=LEASE_MS).run):
            run = await jobs.start(store, processor="p1")
            for _ in range(3):
                await jobs.insist(lambda: store.renew(run, processor="p1", lease_ms=LEASE_MS))
                await asyncio.sleep(RENEW_EVERY_SECONDS)

            with frozen(standalone_server):
                await asyncio.sleep(PAUSE_SECONDS)
            await asyncio.sleep(SETTLED_AFTER_SECONDS)

            assert await inspection.pending(store, 0) == {run.record.entry: "p1"}
