"""Dead letters: what an operator needs to know of a job that failed for good."""

import json

from shared import limits
from shared.jobstore import keys
from shared.jobstore.store import JobStore
from tests.support import inspection, jobs


async def test_a_failed_job_leaves_a_dead_letter_with_its_reason_and_evidence(store: JobStore) -> None:
    run = await jobs.start(store, processor="p1")
    await store.append_progress(run, seq=3, message=jobs.progress(0.25))

    await store.finish(run, jobs.failure(reason="permanent"))

    [letter] = await inspection.dead_letters(store, jobs.partition_number(run.job_id))
    record = await store.find(run.job_id)
    assert record is not None
    assert record.dead_id == letter.entry_id
    assert {name: text for name, text in letter.fields.items() if name not in ("error", "events")} == {
        "job": run.job_id,
        "reason": "permanent",
        "attempts": "1",
        "failures": "1",
        "crashes": "0",
        "processor": "p1",
    }
    assert json.loads(letter.fields["error"])["code"] == "SOURCE_CHANGED"
    assert [event["type"] for event in letter.events] == ["queued", "started", "progress", "error"]


async def test_a_job_that_crashed_too_often_leaves_a_dead_letter(store: JobStore) -> None:
    run = await jobs.start(store, processor="p1")
    for n in range(2, limits.MAX_CRASHES + 1):
        run = await jobs.take_over(store, run, processor=f"p{n}")
    await jobs.lapse(store, run)

    await store.claim(await jobs.take(store, run.job_id, processor="p9"), "token-9", jobs.terms("p9"))

    [letter] = await inspection.dead_letters(store, jobs.partition_number(run.job_id))
    assert (letter.fields["reason"], letter.fields["crashes"]) == ("crashes", str(limits.MAX_CRASHES))
    assert letter.fields["processor"] == f"p{limits.MAX_CRASHES}"
    assert json.loads(letter.fields["error"])["code"] == "CRASHED"
    assert letter.events[-1]["type"] == "error"


async def test_a_completed_job_leaves_no_dead_letter(store: JobStore) -> None:
    run = await jobs.start(store)

    await store.finish(run, jobs.completion())

    assert await inspection.dead_letters(store, jobs.partition_number(run.job_id)) == []


async def test_a_dead_letter_keeps_only_the_last_events(store: JobStore) -> None:
    run = await jobs.start(store)
    for seq in range(3, 40):
        await store.append_progress(run, seq=seq, message=jobs.progress(seq / 100))

    await store.finish(run, jobs.failure())

    [letter] = await inspection.dead_letters(store, jobs.partition_number(run.job_id))
    assert len(letter.events) == limits.DEAD_LETTER_EVENTS
    assert [event["type"] for event in letter.events] == ["progress"] * (limits.DEAD_LETTER_EVENTS - 1) + ["error"]


async def test_a_repeated_finish_leaves_one_dead_letter(store: JobStore) -> None:
    run = await jobs.start(store)

    for _ in range(3):
        await store.finish(run, jobs.failure())

    assert len(await inspection.dead_letters(store, jobs.partition_number(run.job_id))) == 1


async def test_the_stream_of_dead_letters_is_bounded(store: JobStore) -> None:
    fill = "for i = 1, tonumber(ARGV[1]) do redis.call('XADD', KEYS[1], '*', 'job', 'x', 'events', '[]') end"
    await store.connection.execute("EVAL", fill, 1, keys.dead(0), limits.MAX_DEAD_LETTERS + 500)
    run = await jobs.start(store, partition=0)

    await store.finish(run, jobs.failure())

    letters = (await store.backlog(0)).dead_letters
    # MAXLEN ~ trims whole nodes of the stream only; a node is 1,024 bytes here.
    assert limits.MAX_DEAD_LETTERS <= letters <= limits.MAX_DEAD_LETTERS + 100
