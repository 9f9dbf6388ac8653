"""A full Redis takes no new work, and lets everything that began come to its end."""

import pytest

from shared.errors import RedisFull
from shared.jobs import JobState
from shared.jobstore.operations import Answer
from shared.jobstore.store import JobStore
from tests.support import inspection, jobs
from tests.support.cluster import Server
from tests.support.servers import full
from tests.support.stores import running_store


async def test_create_on_a_full_redis_raises_redis_full_and_leaves_nothing(store: JobStore, server: Server) -> None:
    job = jobs.new_job(store)

    with full(server), pytest.raises(RedisFull):
        await store.create(job)

    assert await inspection.expiries_of(store, job.job_id) == {}
    assert await inspection.commands(store, jobs.partition_number(job.job_id)) == {}
    assert (await store.create(job)).is_new


async def test_append_progress_on_a_full_redis_raises_redis_full_and_leaves_no_hole(
    store: JobStore, server: Server
) -> None:
    run = await jobs.start(store)

    with full(server), pytest.raises(RedisFull):
        await store.append_progress(run, seq=3, message=jobs.progress(0.5))

    assert await store.append_progress(run, seq=3, message=jobs.progress(0.5)) is Answer.OK


async def test_a_run_can_end_in_every_way_on_a_full_redis(store: JobStore, server: Server) -> None:
    completed, failed, retried, released, renewed = [await jobs.start(store) for _ in range(5)]

    with full(server):
        answers = [
            await store.finish(completed, jobs.completion()),
            await store.finish(failed, jobs.failure()),
            await store.retry_later(
                retried, message=jobs.RETRYING, error=jobs.BROKEN, delay_ms=0, lease_ms=jobs.LEASE_MS
            ),
            await store.release(released, message=jobs.RELEASED),
            await store.renew(renewed, processor="p1", lease_ms=jobs.LEASE_MS),
        ]

    records = [await store.find(run.job_id) for run in (completed, failed, retried, released, renewed)]
    assert answers == [Answer.OK] * 5
    assert [record.state for record in records if record] == [
        *(JobState.COMPLETED, JobState.FAILED, JobState.RETRYING, JobState.QUEUED, JobState.PROCESSING)
    ]


async def test_waiting_jobs_are_taken_run_and_finished_on_a_full_redis(store: JobStore, server: Server) -> None:
    job_id = await jobs.create(store, partition=0)
    crashed = await jobs.start(store, partition=0)

    with full(server):
        await jobs.lapse(store, crashed)
        assert (await store.backlog(0)).unfinished == 2
        for entry in await store.take(0, processor="p2", most=10, in_hand=()):
            assert await store.finish(await jobs.claim(store, entry), jobs.completion()) is Answer.OK

    assert await inspection.commands(store, 0) == {}
    assert (await inspection.event_types(store, job_id))[-1] == "completed"


async def test_a_process_can_start_on_a_full_redis(store: JobStore, server: Server) -> None:
    run = await jobs.start(store)

    with full(server):
        async with running_store(server.url, partitions=store.partitions) as other:
            assert await other.finish(run, jobs.completion()) is Answer.OK
