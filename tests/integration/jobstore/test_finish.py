"""finish: the one tail of all ends."""

import asyncio

import pytest

from shared.jobs import JobState
from shared.jobstore.operations import Answer, Ending
from shared.jobstore.store import JobStore
from tests.support import inspection, jobs


async def test_finish_completes_the_job(store: JobStore) -> None:
    run = await jobs.start(store)

    answer = await store.finish(run, jobs.completion())

    record = await store.find(run.job_id)
    assert answer is Answer.OK
    assert record is not None
    assert (record.state, record.bundle, record.object_key) == (JobState.COMPLETED, jobs.BUNDLE, "bundles/x.zip")
    assert (record.expires_at_ms, record.finished_at_ms) == (jobs.EXPIRES_AT_MS, record.updated_at_ms)
    assert (record.error, record.dead_id, record.failures) == (None, None, 0)
    assert (await inspection.read_log(store, run.job_id))[-1].message == jobs.COMPLETED


async def test_finish_fails_the_job_and_counts_its_last_failure(store: JobStore) -> None:
    run = await jobs.start(store)

    answer = await store.finish(run, jobs.failure())

    record = await store.find(run.job_id)
    assert answer is Answer.OK
    assert record is not None
    assert (record.state, record.error, record.failures) == (JobState.FAILED, jobs.BROKEN, 1)
    assert record.dead_id is not None
    assert (await inspection.read_log(store, run.job_id))[-1].message == jobs.FAILED


@pytest.mark.parametrize("ending", [jobs.completion(), jobs.failure()], ids=["completed", "failed"])
async def test_finish_removes_the_command_entry(store: JobStore, ending: Ending) -> None:
    run = await jobs.start(store)
    partition = jobs.partition_number(run.job_id)

    await store.finish(run, ending)

    assert await inspection.commands(store, partition) == {}
    assert await inspection.pending(store, partition) == {}


@pytest.mark.parametrize("ending", [jobs.completion(), jobs.failure()], ids=["completed", "failed"])
async def test_finish_repeated_after_lost_reply_answers_done(store: JobStore, ending: Ending) -> None:
    run = await jobs.start(store)
    await store.finish(run, ending)
    before = await inspection.everything_about(store, run.job_id)

    again = await store.finish(run, ending)

    assert again is Answer.DONE
    assert await inspection.everything_about(store, run.job_id) == before


async def test_finish_after_finish_with_the_other_outcome_keeps_the_first(store: JobStore) -> None:
    run = await jobs.start(store)
    await store.finish(run, jobs.completion())
    before = await inspection.everything_about(store, run.job_id)

    again = await store.finish(run, jobs.failure())

    assert again is Answer.DONE
    assert await inspection.everything_about(store, run.job_id) == before


async def test_finish_sent_many_times_at_once_writes_exactly_one_terminal_event(store: JobStore) -> None:
    run = await jobs.start(store)

    answers = await asyncio.gather(
        *(store.finish(run, ending) for _ in range(10) for ending in (jobs.failure(), jobs.completion()))
    )

    assert sorted(answers) == [Answer.DONE] * 19 + [Answer.OK]
    assert await inspection.event_types(store, run.job_id) == ["queued", "started", "error"]


async def test_nothing_is_written_after_the_terminal_event(store: JobStore) -> None:
    run = await jobs.start(store)
    await store.finish(run, jobs.completion())
    before = await inspection.everything_about(store, run.job_id)

    answers = [
        await store.append_progress(run, seq=4, message=jobs.progress(0.5)),
        await store.renew(run, processor="p1", lease_ms=jobs.LEASE_MS),
        await store.release(run, message=jobs.RELEASED),
        await store.retry_later(run, message=jobs.RETRYING, error=jobs.BROKEN, delay_ms=0, lease_ms=jobs.LEASE_MS),
    ]

    assert answers == [Answer.DONE] * 4
    assert await inspection.everything_about(store, run.job_id) == before


async def test_finish_of_a_job_that_is_gone_answers_gone_and_leaves_nothing(store: JobStore) -> None:
    run = await jobs.start(store)
    await store.connection.execute("DEL", *(await inspection.expiries_of(store, run.job_id)))

    answers = [
        await store.finish(run, jobs.completion()),
        await store.append_progress(run, seq=3, message=jobs.progress(0.5)),
        await store.renew(run, processor="p1", lease_ms=jobs.LEASE_MS),
        await store.release(run, message=jobs.RELEASED),
        await store.retry_later(run, message=jobs.RETRYING, error=jobs.BROKEN, delay_ms=0, lease_ms=jobs.LEASE_MS),
    ]

    assert answers == [Answer.GONE] * 5
    assert await inspection.expiries_of(store, run.job_id) == {}
