"""append_progress and renew: what a run says while it lasts."""

import asyncio

from shared import limits
from shared.event_id import EventId
from shared.jobs import ProgressSnapshot
from shared.jobstore import keys
from shared.jobstore.operations import Answer, Behind, Run
from shared.jobstore.store import JobStore
from tests.support import inspection, jobs


async def test_append_progress_extends_the_log_and_the_record(store: JobStore) -> None:
    run = await jobs.start(store)

    answer = await store.append_progress(run, seq=3, message=jobs.progress(0.25))

    record = await store.find(run.job_id)
    log = await inspection.read_log(store, run.job_id)
    assert answer is Answer.OK
    assert (log[-1].event_id, log[-1].message) == (EventId(1, 3), jobs.progress(0.25))
    assert record is not None
    assert record.seq == 3
    assert record.progress == ProgressSnapshot(0.25, 1, 617, 1_234, "copying")


async def test_append_progress_repeated_after_lost_reply_answers_dup(store: JobStore) -> None:
    run = await jobs.start(store)
    await store.append_progress(run, seq=3, message=jobs.progress(0.25))
    before = await inspection.everything_about(store, run.job_id)

    again = await store.append_progress(run, seq=3, message=jobs.progress(0.25))

    assert again is Answer.DUP
    assert await inspection.everything_about(store, run.job_id) == before


async def test_append_progress_sent_many_times_at_once_writes_one_event(store: JobStore) -> None:
    run = await jobs.start(store)

    answers = await asyncio.gather(*(store.append_progress(run, seq=3, message=jobs.progress(0.25)) for _ in range(20)))

    assert sorted(answers) == [Answer.DUP] * 19 + [Answer.OK]
    assert await inspection.event_types(store, run.job_id) == ["queued", "started", "progress"]


async def test_append_progress_after_lost_writes_says_where_the_log_ends_and_writes_nothing(store: JobStore) -> None:
    run = await jobs.start(store)
    before = await inspection.everything_about(store, run.job_id)

    answer = await store.append_progress(run, seq=4, message=jobs.progress(0.25))

    assert answer == Behind(2)
    assert await inspection.everything_about(store, run.job_id) == before


async def test_seq_is_dense_over_the_whole_life_of_a_job(store: JobStore) -> None:
    run = await jobs.start(store)
    await store.append_progress(run, seq=3, message=jobs.progress(0.25))
    await store.release(run, message=jobs.RELEASED)
    run = await jobs.claim(store, await jobs.take(store, run.job_id))
    await store.append_progress(run, seq=6, message=jobs.progress(0.5))
    await store.retry_later(run, message=jobs.RETRYING, error=jobs.BROKEN, delay_ms=0, lease_ms=jobs.LEASE_MS)
    await jobs.sweep(store, jobs.partition_number(run.job_id))
    run = await jobs.take_over(store, await jobs.claim(store, await jobs.take(store, run.job_id)))
    await store.finish(run, jobs.completion())

    log = await inspection.read_log(store, run.job_id)

    assert [str(entry.event_id) for entry in log] == [
        "0-1",
        "1-2",
        "1-3",
        "1-4",
        "2-5",
        "2-6",
        "2-7",
        "3-8",
        "4-9",
        "4-10",
    ]
    assert [entry.type for entry in log] == [
        *(
            "queued",
            "started",
            "progress",
            "queued",
            "started",
            "progress",
            "retrying",
            "started",
            "started",
            "completed",
        )
    ]


async def test_renew_moves_the_end_of_the_lease_and_nothing_that_people_see(store: JobStore) -> None:
    run = await jobs.start(store)

    answer = await store.renew(run, processor="p1", lease_ms=2 * jobs.LEASE_MS)

    record = await store.find(run.job_id)
    assert answer is Answer.OK
    assert record is not None
    assert record.due_at_ms >= run.record.due_at_ms + jobs.LEASE_MS
    assert (record.seq, record.updated_at_ms) == (run.record.seq, run.record.updated_at_ms)


async def test_renew_takes_the_entry_back_from_the_sweeper(store: JobStore) -> None:
    run = await jobs.start(store, processor="p1")
    partition = jobs.partition_number(run.job_id)
    await jobs.sweep(store, partition, lease_ms=0)
    swept = await inspection.pending(store, partition)

    await store.renew(run, processor="p1", lease_ms=jobs.LEASE_MS)

    assert swept == {run.record.entry: "ready"}
    assert await inspection.pending(store, partition) == {run.record.entry: "p1"}
    assert await store.take(partition, processor="p2", most=10, in_hand=()) == []


async def test_renew_in_the_nick_of_time_keeps_the_job(store: JobStore) -> None:
    run = await jobs.start(store, processor="p1")
    await jobs.lapse(store, run)
    entry = await jobs.take(store, run.job_id, processor="p2")

    answer = await store.renew(run, processor="p1", lease_ms=jobs.LEASE_MS)

    assert answer is Answer.OK
    assert not isinstance(await store.claim(entry, "token-2", jobs.terms("p2")), Run)
    assert await store.append_progress(run, seq=3, message=jobs.progress(0.25)) is Answer.OK


async def test_read_events_pages_from_any_cursor(store: JobStore) -> None:
    run = await jobs.start(store)
    for seq in range(3, 8):
        await store.append_progress(run, seq=seq, message=jobs.progress(seq / 10))

    first = await store.read_events(run.job_id, after=EventId(0, 1), count=3)
    rest = await store.read_events(run.job_id, after=first[-1][0], count=100)

    assert [event_id.seq for event_id, _ in first + rest] == [2, 3, 4, 5, 6, 7]
    assert await store.last_event(run.job_id) == (EventId(1, 7), jobs.progress(0.7))
    assert await store.last_event(store.new_job_id()) is None


async def test_a_run_that_reports_for_days_keeps_a_bounded_log_whose_seq_goes_on(store: JobStore) -> None:
    run = await jobs.start(store)
    of_job = keys.of_job(jobs.partition_number(run.job_id), run.job_id)
    last = limits.MAX_LOG_EVENTS + 500
    fill = (
        "for seq = 3, tonumber(ARGV[1]) do redis.call('XADD', KEYS[1], '1-' .. seq, 'd', ARGV[2]) end"
        " redis.call('HSET', KEYS[2], 'seq', ARGV[1])"
    )
    await store.connection.execute("EVAL", fill, 2, of_job.events, of_job.record, last, jobs.progress(0.25))

    assert await store.append_progress(run, seq=last + 1, message=jobs.progress(0.5)) is Answer.OK

    log = await inspection.read_log(store, run.job_id)
    # MAXLEN ~ trims whole nodes of the stream only; a node is 1,024 bytes here.
    assert limits.MAX_LOG_EVENTS <= len(log) <= limits.MAX_LOG_EVENTS + 100
    assert [entry.event_id for entry in log[-2:]] == [EventId(1, last), EventId(1, last + 1)]
