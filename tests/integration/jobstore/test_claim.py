"""claim: who may run a job, and what a lease that ran out costs."""

import asyncio
import secrets

import pytest

from shared import limits
from shared.event_id import EventId
from shared.jobs import JobState
from shared.jobstore import keys
from shared.jobstore.operations import Answer, Buried, Ending, Entry, NotDue, Run
from shared.jobstore.store import JobStore
from tests.support import inspection, jobs


async def test_claim_begins_a_run_with_a_higher_epoch_and_a_started_event(store: JobStore) -> None:
    job_id = await jobs.create(store)
    entry = await jobs.take(store, job_id)

    run = await store.claim(entry, "token-1", jobs.terms("p1"))

    assert isinstance(run, Run)
    record = run.record
    assert (run.epoch, record.state, record.attempt, record.processor) == (1, JobState.PROCESSING, 1, "p1")
    assert record == await store.find(job_id)
    assert record.started_at_ms is not None
    assert record.due_at_ms - record.updated_at_ms == jobs.LEASE_MS
    log = await inspection.read_log(store, job_id)
    assert [entry.event_id for entry in log] == [EventId(0, 1), EventId(1, 2)]
    assert b'"attempt":1,' in log[-1].message


async def test_claim_repeated_with_the_same_token_gives_the_same_run(store: JobStore) -> None:
    entry = await jobs.take(store, await jobs.create(store))
    first = await store.claim(entry, "token-1", jobs.terms())
    before = await inspection.everything_about(store, entry.job_id)

    again = await store.claim(entry, "token-1", jobs.terms())

    assert again == first
    assert await inspection.everything_about(store, entry.job_id) == before


async def test_claim_repeated_after_its_lease_ran_out_is_still_the_same_run(store: JobStore) -> None:
    entry = await jobs.take(store, await jobs.create(store))
    run = await store.claim(entry, "token-1", jobs.terms(lease_ms=0))

    again = await store.claim(entry, "token-1", jobs.terms(lease_ms=0))

    assert isinstance(run, Run)
    assert isinstance(again, Run)
    assert (again.epoch, again.record.crashes) == (run.epoch, 0)


async def test_claim_repeated_after_its_run_was_released_starts_nothing(store: JobStore) -> None:
    entry = await jobs.take(store, await jobs.create(store))
    run = await store.claim(entry, "token-1", jobs.terms())
    assert isinstance(run, Run)
    await store.release(run, message=b'{"type":"queued"}')
    before = await inspection.everything_about(store, entry.job_id)

    late = await store.claim(entry, "token-1", jobs.terms())

    assert late is None
    assert await inspection.everything_about(store, entry.job_id) == before


async def test_claim_of_a_running_job_is_not_due_and_leaves_the_entry_with_its_owner(store: JobStore) -> None:
    run = await jobs.start(store, processor="p1")
    partition = jobs.partition_number(run.job_id)
    await jobs.sweep(store, partition, lease_ms=0)
    entry = await jobs.take(store, run.job_id, processor="p2")

    refused = await store.claim(entry, "token-2", jobs.terms("p2"))

    assert isinstance(refused, NotDue)
    assert jobs.LEASE_MS - 60_000 < refused.wait_ms <= jobs.LEASE_MS
    assert await inspection.pending(store, partition) == {entry.entry_id: "p1"}
    assert await store.find(run.job_id) == run.record


async def test_claim_before_a_retry_is_due_parks_the_entry_again(store: JobStore) -> None:
    run = await jobs.start(store)
    partition = jobs.partition_number(run.job_id)
    await store.retry_later(
        run, message=jobs.RETRYING, error=jobs.BROKEN, delay_ms=jobs.LEASE_MS, lease_ms=jobs.LEASE_MS
    )
    await jobs.sweep(store, partition, lease_ms=0)
    entry = await jobs.take(store, run.job_id, processor="p2")

    refused = await store.claim(entry, "token-2", jobs.terms("p2"))

    assert isinstance(refused, NotDue)
    assert await inspection.pending(store, partition) == {entry.entry_id: "parked"}
    assert await inspection.event_types(store, run.job_id) == ["queued", "started", "retrying"]


async def test_claim_of_many_at_once_gives_the_job_to_one(store: JobStore) -> None:
    entry = await jobs.take(store, await jobs.create(store))

    answers = await asyncio.gather(*(store.claim(entry, f"token-{n}", jobs.terms(f"p{n}")) for n in range(20)))

    assert [type(answer) for answer in answers].count(Run) == 1
    assert [type(answer) for answer in answers].count(NotDue) == 19
    assert await inspection.event_types(store, entry.job_id) == ["queued", "started"]


async def test_claim_after_the_lease_ran_out_counts_one_crash(store: JobStore) -> None:
    run = await jobs.start(store)

    second = await jobs.take_over(store, run)

    assert (second.epoch, second.record.attempt, second.record.crashes, second.record.failures) == (2, 2, 1, 0)
    assert (second.is_takeover, second.taken_from) == (True, run.record.processor)
    assert (run.is_takeover, run.taken_from) == (False, "")
    assert second.record.started_at_ms == run.record.started_at_ms


async def test_claim_keeps_the_start_of_the_first_run(store: JobStore) -> None:
    run = await jobs.start(store)
    record = keys.of_job(jobs.partition_number(run.job_id), run.job_id).record
    await store.connection.execute("HSET", record, "started_at", 1_795_000_000_000)

    second = await jobs.take_over(store, run)

    assert second.record.started_at_ms == 1_795_000_000_000


async def test_claim_of_a_released_or_retried_job_counts_no_crash(store: JobStore) -> None:
    run = await jobs.start(store)
    await store.release(run, message=jobs.RELEASED)
    released = await jobs.claim(store, await jobs.take(store, run.job_id))
    await store.retry_later(released, message=jobs.RETRYING, error=jobs.BROKEN, delay_ms=0, lease_ms=jobs.LEASE_MS)
    await jobs.sweep(store, jobs.partition_number(run.job_id))

    retried = await jobs.claim(store, await jobs.take(store, run.job_id))

    assert (retried.record.crashes, retried.record.failures, retried.is_takeover) == (0, 1, False)


async def test_claim_takes_the_last_error_off_the_record(store: JobStore) -> None:
    run = await jobs.start(store)
    await store.retry_later(run, message=jobs.RETRYING, error=jobs.BROKEN, delay_ms=0, lease_ms=jobs.LEASE_MS)
    waiting = await store.find(run.job_id)
    await jobs.sweep(store, jobs.partition_number(run.job_id))

    again = await jobs.claim(store, await jobs.take(store, run.job_id))

    assert waiting is not None
    assert waiting.error == jobs.BROKEN
    assert again.record.error is None


async def _crash_to_the_brink(store: JobStore) -> Run:
    run = await jobs.start(store)
    for _ in range(limits.MAX_CRASHES - 1):
        run = await jobs.take_over(store, run)
    await jobs.lapse(store, run)
    return run


async def test_claim_after_too_many_crashes_buries_the_job(store: JobStore) -> None:
    run = await _crash_to_the_brink(store)
    entry = await jobs.take(store, run.job_id, processor="p9")

    answer = await store.claim(entry, "token-9", jobs.terms("p9"))

    record = await store.find(run.job_id)
    assert answer == Buried(attempts=limits.MAX_CRASHES, processor="p2")
    assert record is not None
    assert (record.state, record.crashes, record.epoch) == (JobState.FAILED, limits.MAX_CRASHES, run.epoch + 1)
    assert record.error is not None
    assert record.error.code == "CRASHED"
    assert record.expires_at_ms == jobs.EXPIRES_AT_MS
    assert await inspection.commands(store, jobs.partition_number(run.job_id)) == {}
    assert (await inspection.read_log(store, run.job_id))[-1].message == jobs.BURIED


async def test_claim_repeated_after_a_burial_answers_buried_again_and_changes_nothing(store: JobStore) -> None:
    run = await _crash_to_the_brink(store)
    entry = await jobs.take(store, run.job_id, processor="p9")
    await store.claim(entry, "token-9", jobs.terms("p9"))
    before = await inspection.everything_about(store, run.job_id)

    again = await store.claim(entry, "token-9", jobs.terms("p9"))

    assert again == Buried(attempts=limits.MAX_CRASHES, processor="p2")
    assert await inspection.everything_about(store, run.job_id) == before


async def test_a_run_that_was_buried_is_superseded(store: JobStore) -> None:
    run = await _crash_to_the_brink(store)
    entry = await jobs.take(store, run.job_id, processor="p9")
    await store.claim(entry, "token-9", jobs.terms("p9"))

    answer = await store.finish(run, jobs.completion())

    assert answer is Answer.STALE
    assert (await inspection.event_types(store, run.job_id))[-1] == "error"


@pytest.mark.parametrize("ending", [jobs.completion(), jobs.failure()], ids=["completed", "failed"])
async def test_claim_of_an_ended_job_answers_gone(store: JobStore, ending: Ending) -> None:
    run = await jobs.start(store)
    await store.finish(run, ending)
    before = await inspection.everything_about(store, run.job_id)

    answer = await store.claim(
        Entry(run.record.entry, run.job_id, jobs.partition_number(run.job_id)), secrets.token_hex(8), jobs.terms("p2")
    )

    assert answer is None
    assert await inspection.everything_about(store, run.job_id) == before


async def test_claim_of_a_job_without_a_record_removes_its_entry(store: JobStore) -> None:
    job_id = await jobs.create(store)
    entry = await jobs.take(store, job_id)
    await store.connection.execute("DEL", *(await inspection.expiries_of(store, job_id)))

    answer = await store.claim(entry, "token-1", jobs.terms())

    assert answer is None
    assert await inspection.commands(store, jobs.partition_number(job_id)) == {}
    assert await inspection.pending(store, jobs.partition_number(job_id)) == {}
    assert await inspection.expiries_of(store, job_id) == {}


async def test_claim_through_an_entry_that_is_not_the_records_removes_only_that_entry(store: JobStore) -> None:
    run = await jobs.start(store)
    partition = jobs.partition_number(run.job_id)
    record_before = await store.find(run.job_id)
    stray = await store.connection.execute("XADD", f"waybill:{{{partition}}}:commands", "*", "job", run.job_id)
    assert isinstance(stray, bytes)
    entry = await jobs.take(store, run.job_id, processor="p2")

    answer = await store.claim(entry, "token-2", jobs.terms("p2"))

    assert answer is None
    assert entry.entry_id == stray.decode()
    assert await inspection.commands(store, partition) == {run.record.entry: run.job_id}
    assert await store.find(run.job_id) == record_before
