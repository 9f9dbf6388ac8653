"""What a run keeps for the next one: under the fence, through every hand-over, until the job is completed or tidied."""

from collections.abc import Awaitable, Callable

import pytest

from shared import clock, limits
from shared.jobs import Checkpoint, JobState
from shared.jobstore import keys
from shared.jobstore.lifetimes import Step, Taken
from shared.jobstore.operations import Answer, Run
from shared.jobstore.store import JobStore
from tests.support import inspection, jobs

DAY_MS = 86_400_000


async def released(store: JobStore, run: Run) -> Run:
    """A processor stops, and another one goes on."""
    assert await store.release(run, message=jobs.RELEASED) is Answer.OK
    return await jobs.claim(store, await jobs.take(store, run.job_id, processor="p2"), processor="p2")


async def retried(store: JobStore, run: Run) -> Run:
    """A run fails, and is tried again."""
    await store.retry_later(run, message=jobs.RETRYING, error=jobs.BROKEN, delay_ms=0, lease_ms=jobs.LEASE_MS)
    await jobs.sweep(store, jobs.partition_number(run.job_id), lease_ms=0)
    return await jobs.claim(store, await jobs.take(store, run.job_id, processor="p2"), processor="p2")


async def redriven(store: JobStore, run: Run) -> Run:
    """A job fails for good, and an operator starts it anew."""
    assert await store.finish(run, jobs.failure()) is Answer.OK
    await jobs.redrive(store, run)
    return await jobs.claim(store, await jobs.take(store, run.job_id))


@pytest.mark.parametrize("hand_over", [released, retried, jobs.take_over, redriven])
async def test_the_next_run_is_given_the_checkpoint(
    store: JobStore, hand_over: Callable[[JobStore, Run], Awaitable[Run]]
) -> None:
    first = await jobs.start(store)
    await jobs.keep(store, first, Checkpoint("the first that it kept"))
    await jobs.keep(store, first)
    await store.renew(first, processor="p1", lease_ms=jobs.LEASE_MS)

    second = await hand_over(store, first)

    assert first.record.checkpoint is None
    assert second.record.checkpoint == jobs.CHECKPOINT


async def test_a_superseded_run_keeps_nothing(store: JobStore) -> None:
    first = await jobs.start(store)
    second = await jobs.take_over(store, first)
    await jobs.keep(store, second)
    before = await inspection.everything_about(store, first.job_id)

    assert await jobs.keep(store, first, Checkpoint("of a zombie")) is Answer.STALE

    assert await inspection.everything_about(store, first.job_id) == before


async def test_a_completed_job_has_no_checkpoint_any_more(store: JobStore) -> None:
    run = await jobs.start(store)
    await jobs.keep(store, run)

    await store.finish(run, jobs.completion())

    record = await store.find(run.job_id)
    assert record is not None
    assert (record.state, record.checkpoint) == (JobState.COMPLETED, None)


@pytest.mark.parametrize("kept", [b"no JSON", b'{"upload": 5}', b"\xff", b'{"note": "n", "of": "a later version"}'])
async def test_a_checkpoint_that_cannot_be_read_costs_no_job(store: JobStore, kept: bytes) -> None:
    job_id = await jobs.create(store)
    record = keys.of_job(jobs.partition_number(job_id), job_id).record
    await store.connection.execute("HSET", record, "checkpoint", kept)

    run = await jobs.claim(store, await jobs.take(store, job_id))

    assert run.record.checkpoint in (None, Checkpoint("n"))


async def test_the_janitor_is_asked_to_abort_the_upload_once_before_anything_goes(store: JobStore) -> None:
    run = await jobs.start(store)
    await jobs.keep(store, run)
    await store.finish(run, jobs.failure())
    lifetimes, terms = jobs.lifetimes_of(store), jobs.expiry_terms()
    trimmed_at_ms = clock.now_ms() + limits.LOG_TRIMMED_AFTER_MS + 60_000

    asked = [await lifetimes.expire(run.job_id, terms, now_ms=trimmed_at_ms) for _ in range(2)]
    done = await lifetimes.expire(run.job_id, terms, aborted=asked[0].checkpoint, now_ms=trimmed_at_ms)
    later = await lifetimes.expire(run.job_id, terms, now_ms=jobs.EXPIRES_AT_MS)

    record = await store.find(run.job_id)
    assert [one.step for one in asked] == [Step.ABORT] * 2
    assert [one.upload for one in asked] == [jobs.CHECKPOINT.upload] * 2
    assert (done, later) == (Taken(Step.TRIMMED), Taken(Step.TOMBSTONE))
    assert record is not None
    assert record.checkpoint is None


async def test_a_job_that_was_redriven_meanwhile_keeps_its_checkpoint(store: JobStore) -> None:
    run = await jobs.start(store)
    await jobs.keep(store, run)
    await store.finish(run, jobs.failure())
    lifetimes, terms = jobs.lifetimes_of(store), jobs.expiry_terms()
    asked = await lifetimes.expire(run.job_id, terms, now_ms=clock.now_ms() + DAY_MS)
    await jobs.redrive(store, run)

    done = await lifetimes.expire(run.job_id, terms, aborted=asked.checkpoint, now_ms=clock.now_ms() + DAY_MS // 2)

    record = await store.find(run.job_id)
    assert (asked.step, done.step) == (Step.ABORT, Step.NOT_YET)
    assert record is not None
    assert record.checkpoint == jobs.CHECKPOINT
