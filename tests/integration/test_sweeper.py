"""The sweeper on a real job store: when it may take over, and how far it comes."""

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

from deploy.local.valkey import EmbeddedValkey
from processor.maintenance.sweeper import Sweeper
from shared import limits
from shared.jobstore import keys
from shared.jobstore.store import JobStore
from tests.support import inspection, jobs
from tests.support.servers import cut_clients
from tests.support.stores import pretend_long_health, running_store

LEASE_MS = 15_000


@pytest_asyncio.fixture
async def store(redis_url: str) -> AsyncIterator[JobStore]:
    """A store with one partition."""
    async with running_store(redis_url, partitions=1) as running:
        yield running


async def sweep(sweeper: Sweeper, *, pages: int = 1) -> None:
    """Sweep some pages; the first answer ever only tells Redis' time."""
    for _ in range(1 + pages):
        await sweeper.sweep_all()


async def abandon(store: JobStore, count: int) -> None:
    """Leave entries in the hands of a processor that died two leases ago."""
    for _ in range(count):
        await jobs.create(store)
    taken = [entry.entry_id for entry in await store.take(0, processor="dead", most=count, in_hand=())]
    await store.connection.execute(
        "XCLAIM", keys.commands(0), keys.GROUP, "dead", 0, *taken, "IDLE", 2 * LEASE_MS, "JUSTID"
    )


async def test_sweeper_offers_what_a_dead_processor_left(store: JobStore) -> None:
    await abandon(store, 3)
    pretend_long_health(store)

    await sweep(Sweeper(store, processor="p1", lease_ms=LEASE_MS))

    assert list((await inspection.pending(store, 0)).values()) == ["ready"] * 3


async def test_sweeper_of_a_new_process_moves_nothing_before_a_lease_is_over(store: JobStore) -> None:
    await abandon(store, 3)

    await sweep(Sweeper(store, processor="p1", lease_ms=LEASE_MS))

    assert list((await inspection.pending(store, 0)).values()) == ["dead"] * 3


async def test_sweeper_moves_nothing_right_after_an_outage(store: JobStore, standalone_server: EmbeddedValkey) -> None:
    await abandon(store, 3)
    pretend_long_health(store)
    await asyncio.to_thread(cut_clients, standalone_server)
    await store.connection.execute("PING", within_seconds=10)

    await sweep(Sweeper(store, processor="p1", lease_ms=LEASE_MS))

    assert list((await inspection.pending(store, 0)).values()) == ["dead"] * 3


async def test_sweeper_goes_on_where_it_was_and_reaches_the_last_entry(store: JobStore) -> None:
    await abandon(store, limits.SWEEP_PAGE_ENTRIES + 20)
    pretend_long_health(store)
    sweeper = Sweeper(store, processor="p1", lease_ms=0)  # what was moved looks abandoned again, at the front

    await sweep(sweeper, pages=2)

    assert set((await inspection.pending(store, 0)).values()) == {"ready"}


async def test_retries_that_are_due_go_on_while_nobody_may_be_robbed(store: JobStore) -> None:
    run = await jobs.start(store, partition=0)
    await store.retry_later(run, message=jobs.RETRYING, error=jobs.BROKEN, delay_ms=0, lease_ms=LEASE_MS)
    await abandon(store, 1)

    await sweep(Sweeper(store, processor="p1", lease_ms=LEASE_MS))

    assert sorted((await inspection.pending(store, 0)).values()) == ["dead", "ready"]
