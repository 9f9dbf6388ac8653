"""create: the first event, the command entry and the record, together or not at all."""

import asyncio

from shared.event_id import EventId
from shared.jobs import JobOptions, JobState, partition_of
from shared.jobstore.store import JobStore
from tests.support import inspection, jobs


async def test_create_writes_record_event_and_entry_together(store: JobStore) -> None:
    job = jobs.new_job(store)

    created = await store.create(job)

    record = await store.find(job.job_id)
    assert created.is_new
    assert record is not None
    assert (record.state, record.epoch, record.seq, record.attempt) == (JobState.QUEUED, 0, 1, 0)
    assert (record.owner, record.file_ids, record.options) == (jobs.OWNER, (70_000, 70_001), JobOptions("holiday.zip"))
    assert [(entry.event_id, entry.message) for entry in await inspection.read_log(store, job.job_id)] == [
        (EventId(0, 1), jobs.QUEUED)
    ]
    assert await inspection.commands(store, jobs.partition_number(job.job_id)) == {record.entry: job.job_id}


async def test_create_repeated_answers_exists_and_changes_nothing(store: JobStore) -> None:
    job = jobs.new_job(store)
    await store.create(job)
    before = await inspection.everything_about(store, job.job_id)

    again = await store.create(job)

    assert not again.is_new
    assert await inspection.everything_about(store, job.job_id) == before


async def test_create_repeated_after_the_end_answers_exists_and_starts_nothing(store: JobStore) -> None:
    run = await jobs.start(store)
    await store.finish(run, jobs.completion())
    before = await inspection.everything_about(store, run.job_id)

    again = await store.create(jobs.new_job(store, job_id=run.job_id))

    assert not again.is_new
    assert await inspection.everything_about(store, run.job_id) == before


async def test_create_sent_many_times_at_once_makes_one_job(store: JobStore) -> None:
    job = jobs.new_job(store)

    replies = await asyncio.gather(*(store.create(job) for _ in range(20)))

    assert [reply.is_new for reply in replies].count(True) == 1
    assert len(await inspection.commands(store, jobs.partition_number(job.job_id))) == 1
    assert await inspection.event_types(store, job.job_id) == ["queued"]


async def test_create_tells_how_many_jobs_are_unfinished_in_the_partition(store: JobStore) -> None:
    first = await store.create(jobs.new_job(store, partition=0))

    second = await store.create(jobs.new_job(store, partition=0))

    assert (first.unfinished_jobs, second.unfinished_jobs) == (1, 2)


async def test_new_job_id_carries_a_partition_of_the_store(store: JobStore) -> None:
    ids = [store.new_job_id() for _ in range(200)]

    assert {partition_of(job_id) for job_id in ids} == set(range(store.partitions))


async def test_a_job_lies_in_the_partition_of_its_id_and_nowhere_else(store: JobStore) -> None:
    partition = store.partitions - 1
    job_id = await jobs.create(store, partition=partition)

    owned_keys = await inspection.expiries_of(store, job_id)

    assert owned_keys
    assert all(key.startswith(f"waybill:{{{partition}}}:") for key in owned_keys)
    for other in range(store.partitions - 1):
        assert await inspection.commands(store, other) == {}


async def test_find_of_an_unknown_or_foreign_id_is_none(store: JobStore) -> None:
    unknown = store.new_job_id()
    beyond = jobs.new_job(store, partition=4_095).job_id

    found = [await store.find(text) for text in (unknown, beyond, "", "../../etc/passwd", "0" * 36)]

    assert found == [None] * 5
