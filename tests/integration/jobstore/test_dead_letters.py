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
        "number": "1",
        "owner": jobs.OWNER,
        "epoch": "1",
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


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_letter_is_found_by_its_job_and_by_its_own_id(store: JobStore) -> None:
    run = await jobs.fail(store, reason="permanent")
    await jobs.fail(store)
    letters = jobs.letters_of(store)

    [by_job] = await letters.find(run.job_id)
    by_letter = await letters.find(by_job.dead_id)

    assert by_job in by_letter
    assert (by_job.job_id, by_job.owner, by_job.reason, by_job.error) == (
        run.job_id,
        jobs.OWNER,
        "permanent",
        jobs.BROKEN,
    )
    assert (by_job.epoch, by_job.attempts, by_job.failures, by_job.crashes) == (run.epoch, 1, 1, 0)
    assert [json.loads(bytes(event))["type"] for event in by_job.events] == ["queued", "started", "error"]


async def test_a_letter_is_found_by_its_job_when_the_job_is_forgotten(store: JobStore) -> None:
    run = await jobs.fail(store)
    await store.connection.execute("DEL", keys.of_job(jobs.partition_number(run.job_id), run.job_id).record)

    [letter] = await jobs.letters_of(store).find(run.job_id)

    assert letter.job_id == run.job_id


async def test_what_has_no_letter_is_not_found(store: JobStore) -> None:
    run = await jobs.start(store)
    letters = jobs.letters_of(store)

    assert [await letters.find(text) for text in (run.job_id, "1-1", "nonsense", "", store.new_job_id())] == [[]] * 5


async def test_letters_are_read_page_by_page_from_either_end_and_within_bounds(store: JobStore) -> None:
    fill = """for i = 1, tonumber(ARGV[1]) do
        redis.call('XADD', KEYS[1], (1000 + i) .. '-0', 'job', 'x', 'error', '{"code":"A","message":"b"}')
    end"""
    count = limits.DEAD_LETTERS_PER_PAGE * 2 + 10
    await store.connection.execute("EVAL", fill, 1, keys.dead(0), count)
    letters = jobs.letters_of(store)

    oldest_first = [letter.at_ms async for letter in letters.of_partition(0)]
    newest_first = [letter.at_ms async for letter in letters.of_partition(0, is_newest_first=True)]
    within = [letter.at_ms async for letter in letters.of_partition(0, since_ms=1_003, until_ms=1_005)]

    assert oldest_first == [1_000 + i for i in range(1, count + 1)]
    assert newest_first == oldest_first[::-1]
    assert within == [1_003, 1_004, 1_005]


async def test_a_letter_that_cannot_be_read_is_shown_as_far_as_it_can(store: JobStore) -> None:
    await store.connection.execute(
        "XADD", keys.dead(0), "7-0", "job", b"\xff", "error", "{", "events", "[", "epoch", "x"
    )

    [letter] = await jobs.letters_of(store).find("7-0")

    assert (letter.error.code, letter.events, letter.epoch, letter.job_id) == ("UNREADABLE", (), 0, "\ufffd")
