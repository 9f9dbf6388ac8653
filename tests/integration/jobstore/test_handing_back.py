"""retry_later and release: a run ends, its job does not."""

from shared.jobs import JobState
from shared.jobstore import keys
from shared.jobstore.operations import Answer, NotDue, Run
from shared.jobstore.store import JobStore
from tests.support import inspection, jobs


async def _retry(store: JobStore, run: Run, *, delay_ms: int = 0) -> Answer:
    return await store.retry_later(
        run, message=jobs.RETRYING, error=jobs.BROKEN, delay_ms=delay_ms, lease_ms=jobs.LEASE_MS
    )


async def test_retry_later_parks_the_job_and_counts_a_failure(store: JobStore) -> None:
    run = await jobs.start(store)

    answer = await _retry(store, run, delay_ms=5_000)

    record = await store.find(run.job_id)
    assert answer is Answer.OK
    assert record is not None
    assert (record.state, record.failures, record.attempt, record.crashes) == (JobState.RETRYING, 1, 1, 0)
    assert record.due_at_ms - record.updated_at_ms == 5_000
    assert record.error == jobs.BROKEN
    assert await inspection.pending(store, jobs.partition_number(run.job_id)) == {record.entry: "parked"}
    assert (await inspection.read_log(store, run.job_id))[-1].message == jobs.RETRYING


async def test_retry_later_repeated_after_lost_reply_answers_done(store: JobStore) -> None:
    run = await jobs.start(store)
    await _retry(store, run)
    before = await inspection.everything_about(store, run.job_id)

    again = await _retry(store, run)

    assert again is Answer.DONE
    assert await inspection.everything_about(store, run.job_id) == before


async def test_a_job_is_not_ready_before_its_delay(store: JobStore) -> None:
    run = await jobs.start(store)
    await _retry(store, run, delay_ms=60_000)

    found = await jobs.sweep(store, jobs.partition_number(run.job_id))

    assert found == 0
    assert await store.take(jobs.partition_number(run.job_id), processor="p2", most=10, in_hand=()) == []


async def test_a_job_is_ready_when_its_delay_is_over(store: JobStore) -> None:
    run = await jobs.start(store)
    await _retry(store, run, delay_ms=0)

    found = await jobs.sweep(store, jobs.partition_number(run.job_id))
    second = await jobs.claim(store, await jobs.take(store, run.job_id, processor="p2"), processor="p2")

    assert found == 1
    assert (second.record.attempt, second.record.failures, second.epoch) == (2, 1, 2)


async def test_a_delay_beyond_the_lease_is_aged_again_by_every_claim_that_comes_too_early(store: JobStore) -> None:
    run = await jobs.start(store)
    partition = jobs.partition_number(run.job_id)
    record = keys.of_job(partition, run.job_id).record
    await _retry(store, run, delay_ms=5 * jobs.LEASE_MS // 2)

    async def claim_too_early() -> object:
        await jobs.sweep(store, partition, lease_ms=0)
        return await store.claim(await jobs.take(store, run.job_id, processor="p2"), "token-2", jobs.terms("p2"))

    early = await claim_too_early()
    found_early = await jobs.sweep(store, partition, lease_ms=60_000)
    await store.connection.execute("HINCRBY", record, "due_at", -2 * jobs.LEASE_MS)  # two leases go by
    later = await claim_too_early()
    found_later = [
        await jobs.sweep(store, partition, lease_ms=age_ms) for age_ms in (jobs.LEASE_MS, jobs.LEASE_MS // 2)
    ]
    await store.connection.execute("HSET", record, "due_at", 0)
    again = await jobs.claim(store, await jobs.take(store, run.job_id, processor="p2"), processor="p2")

    assert isinstance(early, NotDue)
    assert isinstance(later, NotDue)
    assert (found_early, found_later) == (0, [0, 1])
    assert (again.record.attempt, again.record.failures, again.record.crashes) == (2, 1, 0)


async def test_failures_crashes_and_releases_are_counted_apart(store: JobStore) -> None:
    run = await jobs.start(store)
    await store.release(run, message=jobs.RELEASED)
    run = await jobs.claim(store, await jobs.take(store, run.job_id))
    run = await jobs.take_over(store, run)
    await _retry(store, run)
    await jobs.sweep(store, jobs.partition_number(run.job_id))
    run = await jobs.claim(store, await jobs.take(store, run.job_id))
    await store.release(run, message=jobs.RELEASED)

    record = await store.find(run.job_id)

    assert record is not None
    assert (record.attempt, record.failures, record.crashes, record.epoch) == (2, 1, 1, 4)


async def test_release_makes_the_job_ready_at_once_and_counts_nothing(store: JobStore) -> None:
    run = await jobs.start(store)

    answer = await store.release(run, message=jobs.RELEASED)

    record = await store.find(run.job_id)
    assert answer is Answer.OK
    assert record is not None
    assert (record.state, record.attempt, record.failures, record.crashes) == (JobState.QUEUED, 0, 0, 0)
    assert (await inspection.read_log(store, run.job_id))[-1].message == jobs.RELEASED
    second = await jobs.claim(store, await jobs.take(store, run.job_id, processor="p2"), processor="p2")
    assert (second.record.attempt, second.epoch) == (1, 2)


async def test_release_repeated_after_lost_reply_answers_done(store: JobStore) -> None:
    run = await jobs.start(store)
    await store.release(run, message=jobs.RELEASED)
    before = await inspection.everything_about(store, run.job_id)

    again = await store.release(run, message=jobs.RELEASED)

    assert again is Answer.DONE
    assert await inspection.everything_about(store, run.job_id) == before


async def test_the_other_ends_of_a_run_that_was_handed_back_answer_done(store: JobStore) -> None:
    run = await jobs.start(store)
    await store.release(run, message=jobs.RELEASED)
    before = await inspection.everything_about(store, run.job_id)

    answers = [
        await store.finish(run, jobs.completion()),
        await _retry(store, run),
        await store.renew(run, processor="p1", lease_ms=jobs.LEASE_MS),
        await store.append_progress(run, seq=4, message=jobs.progress(0.5)),
    ]

    assert answers == [Answer.DONE] * 4
    assert await inspection.everything_about(store, run.job_id) == before
