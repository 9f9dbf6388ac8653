"""Jobs in flight: one for each unfinished job of an owner, whatever ends it; and creates that meet a bound."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from shared.jobstore import keys
from shared.jobstore.damage import bury_damaged
from shared.jobstore.in_flight import count_in_flight
from shared.jobstore.operations import Bounds, Created, Full, Refused
from shared.jobstore.store import JobStore
from tests.support import inspection, jobs
from tests.support.cluster import Server
from tests.support.stores import running_store


async def in_flight(store: JobStore, owner: str = jobs.OWNER) -> int:
    """Count an owner's jobs in flight in all partitions."""
    return sum(await count_in_flight(store.connection, owner, range(store.partitions)))


# ── what counts ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_job_counts_from_its_creation_on_while_it_waits_runs_and_is_tried_again(store: JobStore) -> None:
    run = await jobs.start(store)
    waiting = await jobs.create(store)
    await store.retry_later(run, message=jobs.RETRYING, error=jobs.BROKEN, delay_ms=0, lease_ms=jobs.LEASE_MS)

    assert await in_flight(store) == 2

    await jobs.cancel(store, waiting)
    assert await in_flight(store) == 1


async def _completed(store: JobStore) -> None:
    await store.finish(await jobs.start(store), jobs.completion())


async def _failed(store: JobStore) -> None:
    await jobs.fail(store)


async def _cancelled_while_it_waited(store: JobStore) -> None:
    await jobs.cancel(store, await jobs.create(store))


async def _cancelled_by_its_run(store: JobStore) -> None:
    run = await jobs.start(store)
    await jobs.cancel(store, run.job_id)
    await store.finish(run, jobs.cancellation())


async def _cancelled_by_the_next_claim(store: JobStore) -> None:
    run = await jobs.start(store)
    await jobs.cancel(store, run.job_id)
    await jobs.lapse(store, run)
    await store.claim(await jobs.take(store, run.job_id), "token-2", jobs.terms())


async def _buried(store: JobStore) -> None:
    run = await jobs.start(store)
    for _ in range(2):
        run = await jobs.take_over(store, run)
    await jobs.lapse(store, run)
    await store.claim(await jobs.take(store, run.job_id), "token-4", jobs.terms())


async def _expired(store: JobStore) -> None:
    job_id = await jobs.create(store)
    await jobs.lifetimes_of(store).expire(job_id, jobs.expiry_terms(), now_ms=jobs.EXPIRES_AT_MS)


async def _damaged(store: JobStore) -> None:
    entry = await jobs.take(store, await jobs.create(store))
    await store.connection.execute("HSET", keys.record(entry.partition, entry.job_id), "epoch", "many")
    await bury_damaged(store, entry, jobs.BROKEN, message=jobs.FAILED, terms=jobs.terms())


async def _deleted(store: JobStore) -> None:
    await jobs.cancel(store, await jobs.create(store), deletes=True)


ENDS = [
    *(_completed, _failed, _cancelled_while_it_waited, _cancelled_by_its_run, _cancelled_by_the_next_claim),
    *(_buried, _expired, _damaged, _deleted),
]


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__[1:])
async def test_a_job_that_has_ended_counts_no_more(store: JobStore, end: Callable[[JobStore], Awaitable[None]]) -> None:
    other = await jobs.create(store)

    await end(store)

    assert await in_flight(store) == 1
    assert not (await store.create(jobs.new_job(store, job_id=other))).is_new
    assert await in_flight(store) == 1


async def test_a_redriven_job_counts_again_and_a_repeated_redrive_does_not(store: JobStore) -> None:
    run = await jobs.fail(store)

    await jobs.redrive(store, run)
    await jobs.redrive(store, run)

    assert await in_flight(store) == 1


async def test_owners_whose_names_begin_alike_are_counted_apart(store: JobStore) -> None:
    names = ["anna", "anna:b", "annabel", "ann", "Anna"]
    for number, owner in enumerate(names, start=1):
        for _ in range(number):
            await store.create(jobs.new_job(store, owner=owner))

    assert [await in_flight(store, owner) for owner in names] == [1, 2, 3, 4, 5]


async def test_the_last_job_that_ends_leaves_nothing_to_count_with(store: JobStore) -> None:
    run = await jobs.start(store)
    await store.finish(run, jobs.completion())

    names = await inspection.expiries(store.connection)

    assert not [name for name in names if name.endswith(":in_flight")]


# ── what meets a bound ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("full", [Full.IN_FLIGHT, Full.BACKLOG])
async def test_a_create_that_meets_a_bound_leaves_nothing(store: JobStore, full: Full) -> None:
    await jobs.create(store, partition=0)
    bounds = Bounds(in_flight=1) if full is Full.IN_FLIGHT else Bounds(backlog=1)
    before = await inspection.everything(store.connection)

    refused = await store.create_within(jobs.new_job(store, partition=0), bounds)

    assert refused == Refused(full, unfinished_jobs=1, in_flight=1)
    assert await inspection.everything(store.connection) == before


@pytest.mark.parametrize("bounds", [Bounds(in_flight=0), Bounds(backlog=0), Bounds(in_flight=-3)])
async def test_a_create_that_is_repeated_is_never_refused(store: JobStore, bounds: Bounds) -> None:
    job = jobs.new_job(store)
    await store.create(job)

    again = await store.create_within(job, bounds)

    assert isinstance(again, Created)
    assert not again.is_new


async def test_others_jobs_do_not_count_against_an_owner(store: JobStore) -> None:
    for owner in ("anna", f"{jobs.OWNER}.", "zoe"):
        await store.create(jobs.new_job(store, partition=0, owner=owner))

    created = await store.create_within(jobs.new_job(store, partition=0), Bounds(in_flight=1))

    assert isinstance(created, Created)
    assert created.in_flight == 1


async def test_a_place_that_a_job_has_left_is_free_at_once(store: JobStore) -> None:
    job_id = await jobs.create(store, partition=0)
    new = jobs.new_job(store, partition=0)
    assert isinstance(await store.create_within(new, Bounds(in_flight=1)), Refused)

    await jobs.cancel(store, job_id)

    assert isinstance(await store.create_within(new, Bounds(in_flight=1)), Created)


@pytest.mark.parametrize("bounds", [Bounds(in_flight=7), Bounds(backlog=7)])
async def test_of_many_creates_at_once_through_three_connections_as_many_are_made_as_there_is_room_for(
    store: JobStore, server: Server, bounds: Bounds
) -> None:
    async with (
        running_store(server.url, partitions=store.partitions) as second,
        running_store(server.url, partitions=store.partitions) as third,
    ):
        answers = await asyncio.gather(
            *(
                one.create_within(jobs.new_job(store, partition=0), bounds)
                for _ in range(20)
                for one in (store, second, third)
            )
        )

    assert sum(isinstance(answer, Created) for answer in answers) == 7
    assert (await store.backlog(0)).unfinished == 7
