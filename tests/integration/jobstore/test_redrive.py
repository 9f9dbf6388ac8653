"""Redrive and discard: a job that failed for good begins anew under its own id, or is given up by hand."""

import asyncio

import msgspec
import pytest

from shared import clock
from shared.errors import RedisFull
from shared.jobs import JobState
from shared.jobstore import keys
from shared.jobstore.dead_letters import Redriven
from shared.jobstore.lifetimes import Step
from shared.jobstore.operations import Answer, Bounds, Full, Refused
from shared.jobstore.store import JobStore
from tests.support import inspection, jobs
from tests.support.cluster import Server
from tests.support.servers import full
from tests.support.stores import running_live

PATIENCE_SECONDS = 20.0


# ── redrive ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_redrive_makes_a_failed_job_a_new_one_whose_log_goes_on(store: JobStore) -> None:
    run = await jobs.fail(store)
    partition = jobs.partition_number(run.job_id)

    answer = await jobs.redrive(store, run)

    record = await store.find(run.job_id)
    assert answer is Redriven.OK
    assert record is not None
    assert (record.state, record.epoch, record.seq) == (JobState.QUEUED, run.epoch + 1, 4)
    assert (record.attempt, record.failures, record.crashes, record.due_at_ms) == (0, 0, 0, 0)
    assert record.redriven_at_ms == record.updated_at_ms
    assert await inspection.event_types(store, run.job_id) == ["queued", "started", "error", "queued"]
    assert await inspection.commands(store, partition) == {record.entry: run.job_id}
    assert record.entry != run.record.entry
    assert await inspection.dead_letters(store, partition) == []


async def test_nothing_of_the_failed_end_lingers(store: JobStore) -> None:
    run = await jobs.fail(store)

    await jobs.redrive(store, run)

    record = await store.find(run.job_id)
    assert record is not None
    assert {record.error, record.dead_id, record.finished_at_ms, record.expires_at_ms, record.started_at_ms} == {None}
    assert {record.object_key, record.bundle, record.token, record.processor} == {None}
    assert set((await inspection.expiries_of(store, run.job_id)).values()) == {inspection.NO_EXPIRY}


async def test_a_failure_that_another_run_would_meet_too_is_noted_until_the_job_begins_anew(store: JobStore) -> None:
    run = await jobs.fail(store, reason="permanent")
    failed = await store.find(run.job_id)

    await jobs.redrive(store, run)

    begun_anew = await store.find(run.job_id)
    assert failed is not None
    assert begun_anew is not None
    assert (failed.is_permanent, begun_anew.is_permanent) == (True, False)


async def test_a_redriven_job_runs_and_completes(store: JobStore) -> None:
    failed = await jobs.fail(store)
    await jobs.redrive(store, failed)

    run = await jobs.claim(store, await jobs.take(store, failed.job_id))
    answer = await store.finish(run, jobs.completion())

    assert answer is Answer.OK
    assert (run.record.attempt, run.epoch) == (1, failed.epoch + 2)
    types = await inspection.event_types(store, failed.job_id)
    assert types == ["queued", "started", "error", "queued", "started", "completed"]


async def test_a_redriven_job_is_retried_as_often_as_a_new_one(store: JobStore) -> None:
    failed = await jobs.fail(store)
    await jobs.redrive(store, failed)
    run = await jobs.claim(store, await jobs.take(store, failed.job_id))

    await store.finish(run, jobs.failure())

    letter = await jobs.letter_of(store, failed.job_id)
    assert (letter.attempts, letter.failures, letter.epoch) == (1, 1, run.epoch)


async def test_a_redrive_repeated_at_once_changes_nothing_and_answers_the_same(store: JobStore) -> None:
    run = await jobs.fail(store)
    await jobs.redrive(store, run)
    before = await inspection.everything_about(store, run.job_id)

    again = await jobs.redrive(store, run)

    assert again is Redriven.OK
    assert await inspection.everything_about(store, run.job_id) == before


async def test_a_redrive_repeated_after_the_job_failed_once_more_does_not_redrive_it_twice(store: JobStore) -> None:
    first = await jobs.fail(store)
    await jobs.redrive(store, first)
    second = await jobs.claim(store, await jobs.take(store, first.job_id))
    await store.finish(second, jobs.failure())
    before = await inspection.everything_about(store, first.job_id)

    late = await jobs.redrive(store, first)

    assert late is Redriven.OK
    assert await inspection.everything_about(store, first.job_id) == before


async def test_another_redrive_from_the_same_failure_changes_nothing_and_is_told_apart(store: JobStore) -> None:
    run = await jobs.fail(store)
    await jobs.redrive(store, run)
    before = await inspection.everything_about(store, run.job_id)

    answers = [await jobs.redrive(store, run, token=token) for token in ("another", jobs.REDRIVE_TOKEN)]

    assert answers == [Redriven.ALREADY, Redriven.OK]
    assert await inspection.everything_about(store, run.job_id) == before


@pytest.mark.parametrize(("bounds", "met"), [(Bounds(in_flight=1), Full.IN_FLIGHT), (Bounds(backlog=1), Full.BACKLOG)])
async def test_a_redrive_that_meets_a_bound_leaves_nothing_and_one_that_was_done_is_found(
    store: JobStore, bounds: Bounds, met: Full
) -> None:
    run, done = await jobs.fail(store, partition=0), await jobs.fail(store, partition=0)
    await jobs.redrive(store, done)
    before = await inspection.everything(store.connection)

    refused, found = [
        await jobs.letters_of(store).redrive_within(
            one.job_id, bounds, epoch=one.epoch, token=jobs.REDRIVE_TOKEN, message=jobs.REDRIVEN
        )
        for one in (run, done)
    ]

    assert refused == Refused(met, unfinished_jobs=1, in_flight=1)
    assert found is Redriven.OK
    assert await inspection.everything(store.connection) == before


async def test_a_redrive_of_a_job_that_has_not_failed_is_refused(store: JobStore) -> None:
    running, completed = await jobs.start(store), await jobs.start(store)
    await store.finish(completed, jobs.completion())
    before = [await inspection.everything_about(store, run.job_id) for run in (running, completed)]

    answers = [await jobs.redrive(store, run) for run in (running, completed)]

    assert answers == [Redriven.NOT_FAILED] * 2
    assert [await inspection.everything_about(store, run.job_id) for run in (running, completed)] == before


async def test_a_redrive_waits_until_the_janitor_has_deleted_what_was_left(store: JobStore) -> None:
    """The next run leaves its archive under the same key: a deletion that is on its way would hit it."""
    run = await jobs.start(store)
    expired = msgspec.structs.replace(jobs.failure(), object_key="bundles/x.zip", expires_at_ms=clock.now_ms() - 1)
    await store.finish(run, expired)
    janitor, terms, later_ms = jobs.lifetimes_of(store), jobs.expiry_terms(), clock.now_ms() + 3_600_000
    asked = await janitor.expire(run.job_id, terms, now_ms=later_ms)

    meanwhile = await jobs.redrive(store, run)
    deleted = await janitor.expire(run.job_id, terms, deleted_key=asked.object_key, now_ms=later_ms)
    afterwards = await jobs.redrive(store, run)

    assert (asked.step, deleted.step) == (Step.DELETE, Step.TOMBSTONE)
    assert (meanwhile, afterwards) == (Redriven.EXPIRING, Redriven.OK)


async def test_a_redrive_of_a_forgotten_job_is_answered_gone(store: JobStore) -> None:
    letters = jobs.letters_of(store)

    answers = [
        await letters.redrive(name, epoch=1, token="t", message=jobs.REDRIVEN)
        for name in (store.new_job_id(), "nonsense")
    ]

    assert answers == [Redriven.GONE] * 2


async def test_a_job_without_its_letter_can_be_redriven(store: JobStore) -> None:
    trimmed, discarded = await jobs.fail(store), await jobs.fail(store)
    await jobs.letters_of(store).discard(await jobs.letter_of(store, discarded.job_id))
    await store.connection.execute("DEL", keys.dead(jobs.partition_number(trimmed.job_id)))

    assert [await jobs.redrive(store, run) for run in (trimmed, discarded)] == [Redriven.OK] * 2


async def test_the_run_that_failed_is_superseded_by_a_redrive(store: JobStore) -> None:
    run = await jobs.fail(store)
    await jobs.redrive(store, run)
    before = await inspection.everything_about(store, run.job_id)

    answers = [
        await store.finish(run, jobs.completion()),
        await store.renew(run, processor="p1", lease_ms=jobs.LEASE_MS),
        await store.append_progress(run, seq=5, message=jobs.progress(0.5)),
    ]

    assert answers == [Answer.STALE] * 3
    assert await inspection.everything_about(store, run.job_id) == before


async def test_a_redrive_is_heard_by_viewers_and_by_idle_processors(store: JobStore, server: Server) -> None:
    run = await jobs.fail(store)
    heard: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
    wake = keys.wake(jobs.partition_number(run.job_id))

    async with running_live(server.url, on_message=lambda *message: heard.put_nowait(message)) as live:
        await live.subscribe(store.live_channel(run.job_id))
        await live.subscribe(wake)
        await jobs.redrive(store, run)
        async with asyncio.timeout(PATIENCE_SECONDS):
            message = await heard.get()
            # With one partition the idle sit in a blocking read.
            woken = await heard.get() if store.partitions > 1 else (wake, b"")

    assert message == (store.live_channel(run.job_id), b"2-4 " + jobs.REDRIVEN)
    assert woken == (wake, b"")


async def test_redrive_on_a_full_redis_raises_redis_full_and_changes_nothing(store: JobStore, server: Server) -> None:
    run = await jobs.fail(store)
    before = await inspection.everything_about(store, run.job_id)

    with full(server), pytest.raises(RedisFull):
        await jobs.redrive(store, run)

    assert await inspection.everything_about(store, run.job_id) == before
    assert await jobs.redrive(store, run) is Redriven.OK


# ── discard ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_discard_takes_the_letter_and_leaves_the_job_as_it_is(store: JobStore, server: Server) -> None:
    run = await jobs.fail(store)
    letter, before = await jobs.letter_of(store, run.job_id), await store.find(run.job_id)
    assert before is not None

    with full(server):
        await jobs.letters_of(store).discard(letter)

    after = await store.find(run.job_id)
    assert after is not None
    assert (after.state, after.dead_id, after.error, after.seq) == (JobState.FAILED, None, before.error, before.seq)
    assert await inspection.dead_letters(store, letter.partition) == []
    assert all(ttl > 0 for ttl in (await inspection.expiries_of(store, run.job_id)).values())


async def test_a_repeated_discard_changes_nothing_also_when_the_job_failed_once_more(store: JobStore) -> None:
    run = await jobs.fail(store)
    first = await jobs.letter_of(store, run.job_id)
    await jobs.redrive(store, run)
    again = await jobs.claim(store, await jobs.take(store, run.job_id))
    await store.finish(again, jobs.failure())
    before = await inspection.everything_about(store, run.job_id)

    for _ in range(2):
        await jobs.letters_of(store).discard(first)

    assert await inspection.everything_about(store, run.job_id) == before


async def test_discard_of_a_forgotten_jobs_letter_creates_no_record(store: JobStore) -> None:
    run = await jobs.fail(store)
    letter = await jobs.letter_of(store, run.job_id)
    await store.connection.execute("DEL", keys.of_job(letter.partition, run.job_id).record)

    await jobs.letters_of(store).discard(letter)

    assert await store.find(run.job_id) is None
    assert await inspection.dead_letters(store, letter.partition) == []
