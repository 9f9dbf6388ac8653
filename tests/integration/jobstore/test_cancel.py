"""Cancelling and deleting, on every set-up: at once for what waits, by its run for what runs, and always once."""

from collections.abc import Awaitable, Callable

import pytest

from shared import limits
from shared.jobs import JobState
from shared.jobstore.dead_letters import Redriven
from shared.jobstore.operations import Answer, Cancelled, CancelReply, Ending, Run
from shared.jobstore.store import JobStore
from tests.support import inspection, jobs

Situation = Callable[[JobStore], Awaitable[str]]


async def _queued(store: JobStore) -> str:
    return await jobs.create(store)


async def _in_hand(store: JobStore) -> str:
    job_id = await jobs.create(store)
    await jobs.take(store, job_id)
    return job_id


async def _parked(store: JobStore) -> str:
    run = await jobs.start(store)
    await store.retry_later(run, message=jobs.RETRYING, error=jobs.BROKEN, delay_ms=60_000, lease_ms=jobs.LEASE_MS)
    return run.job_id


async def _handed_back(store: JobStore) -> str:
    run = await jobs.start(store)
    await store.release(run, message=jobs.RELEASED)
    return run.job_id


async def _redriven(store: JobStore) -> str:
    run = await jobs.fail(store)
    assert await jobs.redrive(store, run) is Redriven.OK
    return run.job_id


WAITING = [_queued, _in_hand, _parked, _handed_back, _redriven]
ENDINGS = [jobs.completion(), jobs.failure(), jobs.cancellation()]


async def _backlog_of(store: JobStore, job_id: str) -> int:
    return (await store.backlog(jobs.partition_number(job_id))).unfinished


async def _assert_cancelled(store: JobStore, job_id: str) -> None:
    record = await store.find(job_id)
    assert record is not None
    assert (record.state, record.error, record.expires_at_ms) == (JobState.CANCELLED, None, jobs.EXPIRES_AT_MS)
    log = await inspection.read_log(store, job_id)
    assert [entry.type for entry in log].count("cancelled") == 1
    assert log[-1].message == jobs.CANCELLED
    assert await _backlog_of(store, job_id) == 0
    assert await inspection.pending(store, jobs.partition_number(job_id)) == {}
    assert all(ttl != inspection.NO_EXPIRY for ttl in (await inspection.expiries_of(store, job_id)).values())


@pytest.mark.parametrize("situation", WAITING)
async def test_a_job_that_waits_ends_at_once_and_its_entry_is_gone(store: JobStore, situation: Situation) -> None:
    job_id = await situation(store)

    replies = [await jobs.cancel(store, job_id) for _ in range(3)]

    assert replies == [
        CancelReply(JobState.CANCELLED, ends_now=True),
        CancelReply(JobState.CANCELLED),
        CancelReply(JobState.CANCELLED),
    ]
    await _assert_cancelled(store, job_id)


async def test_an_entry_in_hand_of_a_cancelled_job_runs_nothing(store: JobStore) -> None:
    job_id = await jobs.create(store)
    entry = await jobs.take(store, job_id)
    await jobs.cancel(store, job_id)

    assert await store.claim(entry, "token-late", jobs.terms()) is None

    await _assert_cancelled(store, job_id)


async def test_a_running_job_is_asked_by_every_answer_and_ends_by_its_own_run(store: JobStore) -> None:
    run = await jobs.start(store)

    replies = [await jobs.cancel(store, run.job_id) for _ in range(2)]
    answers = [
        await store.append_progress(run, seq=3, message=jobs.progress(0.5)),
        await store.renew(run, processor="p1", lease_ms=jobs.LEASE_MS),
    ]

    assert replies == [CancelReply(JobState.PROCESSING)] * 2
    assert answers == [Answer.CANCEL] * 2
    assert await _backlog_of(store, run.job_id) == 1
    assert await store.finish(run, jobs.cancellation()) is Answer.OK
    assert await store.finish(run, jobs.cancellation()) is Answer.DONE
    await _assert_cancelled(store, run.job_id)


@pytest.mark.parametrize("tokens", [["token-new"], ["token-new", "token-new"]], ids=["once", "reply-lost"])
async def test_a_job_whose_processor_died_after_the_wish_ends_with_the_next_claim(
    store: JobStore, tokens: list[str]
) -> None:
    run = await jobs.start(store)
    await jobs.cancel(store, run.job_id)
    await jobs.lapse(store, run)
    entry = await jobs.take(store, run.job_id, processor="p2")

    answers = [await store.claim(entry, token, jobs.terms("p2")) for token in tokens]

    assert answers == [Cancelled()] * len(tokens)
    assert await store.renew(run, processor="p1", lease_ms=jobs.LEASE_MS) is Answer.STALE
    await _assert_cancelled(store, run.job_id)


async def test_a_wish_that_comes_while_the_claims_reply_is_lost_reaches_the_run(store: JobStore) -> None:
    job_id = await jobs.create(store)
    entry = await jobs.take(store, job_id)
    first = await store.claim(entry, "token-1", jobs.terms())
    await jobs.cancel(store, job_id)

    again = await store.claim(entry, "token-1", jobs.terms())

    assert isinstance(first, Run)
    assert isinstance(again, Run)
    assert await store.renew(again, processor="p1", lease_ms=jobs.LEASE_MS) is Answer.CANCEL


async def test_a_run_that_hands_its_job_back_after_the_wish_is_told_to_end_it(store: JobStore) -> None:
    run = await jobs.start(store)
    await jobs.cancel(store, run.job_id)
    before = await inspection.everything_about(store, run.job_id)

    answers = [await store.release(run, message=jobs.RELEASED) for _ in range(2)]

    assert answers == [Answer.CANCEL] * 2
    assert await inspection.everything_about(store, run.job_id) == before
    assert await store.finish(run, jobs.cancellation()) is Answer.OK
    await _assert_cancelled(store, run.job_id)


async def test_a_run_that_fails_after_the_wish_is_told_to_end_its_job(store: JobStore) -> None:
    run = await jobs.start(store)
    await jobs.cancel(store, run.job_id)
    before = await inspection.everything_about(store, run.job_id)

    answers = [
        await store.retry_later(run, message=jobs.RETRYING, error=jobs.BROKEN, delay_ms=60_000, lease_ms=jobs.LEASE_MS)
        for _ in range(2)
    ]

    assert answers == [Answer.CANCEL] * 2
    assert await inspection.everything_about(store, run.job_id) == before
    assert await store.finish(run, jobs.cancellation()) is Answer.OK
    await _assert_cancelled(store, run.job_id)


@pytest.mark.parametrize("ending", [jobs.completion(), jobs.failure()], ids=["completed", "failed"])
async def test_a_run_that_ends_in_spite_of_the_wish_has_ended_its_job(store: JobStore, ending: Ending) -> None:
    run = await jobs.start(store)
    await jobs.cancel(store, run.job_id)

    assert await store.finish(run, ending) is Answer.OK

    reply = await jobs.cancel(store, run.job_id)
    assert reply == CancelReply(ending.state, ending.object_key)
    assert "cancelled" not in await inspection.event_types(store, run.job_id)


@pytest.mark.parametrize("ending", ENDINGS, ids=["completed", "failed", "cancelled"])
async def test_cancelling_an_ended_job_changes_nothing(store: JobStore, ending: Ending) -> None:
    run = await jobs.start(store)
    await store.finish(run, ending)
    before = await inspection.everything_about(store, run.job_id)

    reply = await jobs.cancel(store, run.job_id)

    assert reply == CancelReply(ending.state, ending.object_key)
    assert await inspection.everything_about(store, run.job_id) == before


async def test_a_wish_does_not_outlive_a_redrive(store: JobStore) -> None:
    run = await jobs.start(store)
    await jobs.cancel(store, run.job_id)
    await store.finish(run, jobs.failure())

    assert await jobs.redrive(store, run) is Redriven.OK

    again = await jobs.claim(store, await jobs.take(store, run.job_id))
    assert await store.renew(again, processor="p1", lease_ms=jobs.LEASE_MS) is Answer.OK


async def test_a_job_that_nobody_knows_cannot_be_cancelled(store: JobStore) -> None:
    assert await jobs.cancel(store, store.new_job_id()) is None


# ── delete ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("situation", WAITING)
async def test_a_deleted_job_that_waited_is_over_at_once_for_everybody(store: JobStore, situation: Situation) -> None:
    job_id = await situation(store)

    replies = [await jobs.cancel(store, job_id, deletes=True) for _ in range(2)]

    assert [reply and reply.state for reply in replies] == [JobState.CANCELLED] * 2
    record = await store.find(job_id)
    assert record is not None
    assert record.deleted_at_ms == record.expires_at_ms == record.finished_at_ms
    assert (await inspection.visits(store, jobs.partition_number(job_id)))[job_id] == record.deleted_at_ms


@pytest.mark.parametrize("ending", ENDINGS, ids=["completed", "failed", "cancelled"])
async def test_a_job_that_is_deleted_while_it_runs_is_due_with_its_end_whatever_that_is(
    store: JobStore, ending: Ending
) -> None:
    run = await jobs.start(store)

    await jobs.cancel(store, run.job_id, deletes=True)
    await store.finish(run, ending)

    record = await store.find(run.job_id)
    assert record is not None
    assert (record.object_key, record.expires_at_ms) == (ending.object_key, record.finished_at_ms)
    assert (await inspection.visits(store, jobs.partition_number(run.job_id)))[run.job_id] == record.finished_at_ms


async def test_a_deleted_job_cannot_be_redriven(store: JobStore) -> None:
    run = await jobs.fail(store)
    await jobs.cancel(store, run.job_id, deletes=True)

    assert await jobs.redrive(store, run) is Redriven.GONE


async def test_deleting_an_ended_job_gives_its_object_and_lets_the_janitor_come(store: JobStore) -> None:
    run = await jobs.start(store)
    await store.finish(run, jobs.completion())

    replies = [await jobs.cancel(store, run.job_id, deletes=True) for _ in range(2)]

    assert replies == [CancelReply(JobState.COMPLETED, jobs.completion().object_key)] * 2
    record = await store.find(run.job_id)
    assert record is not None
    assert record.deleted_at_ms == record.expires_at_ms is not None
    assert (await inspection.visits(store, jobs.partition_number(run.job_id)))[run.job_id] == record.deleted_at_ms


async def test_a_log_is_trimmed_after_the_time_that_the_limits_say(store: JobStore) -> None:
    run = await jobs.start(store)

    await store.finish(run, jobs.completion())

    record = await store.find(run.job_id)
    assert record is not None
    assert record.finished_at_ms is not None
    visits = await inspection.visits(store, jobs.partition_number(run.job_id))
    assert visits[run.job_id] - record.finished_at_ms == limits.LOG_TRIMMED_AFTER_MS
