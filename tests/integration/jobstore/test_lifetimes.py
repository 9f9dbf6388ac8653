"""What stays in Redis, and for how long: an ended job leaves only keys that expire, an unfinished one never expires."""

import pytest

from shared import limits
from shared.jobstore.callback import DeliveryOutcome
from shared.jobstore.operations import Ending
from shared.jobstore.outbox import Outbox
from shared.jobstore.store import JobStore
from tests.support import inspection, jobs

SHARED_KEYS = {"commands", "dead", "stats", "sweeper", "expiry"}


async def _bury(store: JobStore) -> str:
    run = await jobs.start(store)
    for _ in range(limits.MAX_CRASHES - 1):
        run = await jobs.take_over(store, run)
    await jobs.lapse(store, run)
    await store.claim(await jobs.take(store, run.job_id), "token-9", jobs.terms())
    return run.job_id


@pytest.mark.parametrize("ending", [jobs.completion(), jobs.failure()], ids=["completed", "failed"])
async def test_every_key_of_an_ended_job_expires(store: JobStore, ending: Ending) -> None:
    run = await jobs.start(store)
    await store.append_progress(run, seq=3, message=jobs.progress(0.5))
    await store.finish(run, ending)

    owned_keys = await inspection.expiries_of(store, run.job_id)

    assert len(owned_keys) == 2
    assert all(jobs.RETENTION_MS - 60_000 < ttl <= jobs.RETENTION_MS for ttl in owned_keys.values())


async def test_every_key_of_a_buried_job_expires(store: JobStore) -> None:
    job_id = await _bury(store)

    owned_keys = await inspection.expiries_of(store, job_id)

    assert len(owned_keys) == 2
    assert all(jobs.RETENTION_MS - 60_000 < ttl <= jobs.RETENTION_MS for ttl in owned_keys.values())


async def test_no_key_of_an_unfinished_job_expires(store: JobStore) -> None:
    queued = await jobs.create(store)
    running = await jobs.start(store)
    retrying = await jobs.start(store)
    await store.retry_later(retrying, message=jobs.RETRYING, error=jobs.BROKEN, delay_ms=60_000, lease_ms=jobs.LEASE_MS)
    released = await jobs.start(store)
    await store.release(released, message=jobs.RELEASED)

    for job_id in (queued, running.job_id, retrying.job_id, released.job_id):
        owned_keys = await inspection.expiries_of(store, job_id)
        assert set(owned_keys.values()) == {inspection.NO_EXPIRY}


async def test_ended_jobs_leave_nothing_behind_but_the_keys_of_their_partition(store: JobStore) -> None:
    for ending in (jobs.completion(), jobs.failure()):
        await store.finish(await jobs.start(store), ending)
    await _bury(store)
    told = await jobs.fail(store, callback_url="https://example.org/hook")
    outbox, partition = Outbox(store), jobs.partition_number(told.job_id)
    for taken in await outbox.take(partition, "p1", lease_ms=jobs.LEASE_MS, count=10):
        await outbox.delivered(taken, DeliveryOutcome(at_ms=1, duration_ms=2, status=204))

    staying = {key for key, ttl in (await inspection.expiries(store.connection)).items() if ttl == inspection.NO_EXPIRY}

    names = {key.removeprefix("waybill:").rpartition(":")[2] for key in staying - {"waybill:partitions"}}
    assert names <= SHARED_KEYS


async def test_a_job_whose_retention_is_over_is_forgotten_whole(store: JobStore) -> None:
    run = await jobs.start(store)

    await store.finish(run, jobs.completion(retention_ms=0))

    assert await inspection.expiries_of(store, run.job_id) == {}
    assert await store.find(run.job_id) is None
    assert await inspection.commands(store, jobs.partition_number(run.job_id)) == {}
