"""A job's place in line: drawn when it is created, counted from where the last run began, come what may."""

import pytest

from shared.jobs import Standing
from shared.jobstore import keys
from shared.jobstore.line import read_line
from shared.jobstore.operations import Answer, LinePlace, NewJob
from shared.jobstore.store import JobStore
from tests.support import jobs

PARTITION = 0
"""That of these jobs."""


def sized(store: JobStore, size_bytes: int | None) -> NewJob:
    new = jobs.new_job(store, partition=PARTITION)
    return NewJob(
        job_id=new.job_id,
        owner=new.owner,
        file_ids=new.file_ids,
        options=new.options,
        queued_message=new.queued_message,
        expected_bytes=size_bytes,
        promised_ms=90_000,
    )


async def test_places_count_jobs_and_what_their_files_have_together(store: JobStore) -> None:
    created = [await store.create(sized(store, size_bytes)) for size_bytes in (5_000_000, None, 1_999)]

    assert [one.place for one in created] == [LinePlace(1, 5_000), LinePlace(2, 5_000), LinePlace(3, 5_001)]
    assert {one.taken for one in created} == {LinePlace()}


async def test_a_record_keeps_its_place_its_size_and_what_was_promised(store: JobStore) -> None:
    new = sized(store, 5_000_000)
    await store.create(new)

    record = await store.find(new.job_id)

    assert record is not None
    assert record.standing == Standing(1, 5_000, 5_000_000, 90_000)


async def test_a_repeated_create_answers_with_the_same_place_and_draws_no_other(store: JobStore) -> None:
    new = sized(store, 5_000_000)
    first = await store.create(new)

    again = await store.create(new)

    assert (again.place, (await read_line(store, PARTITION)).line.end) == (first.place, first.place)


async def test_the_line_moves_up_with_each_run_that_begins_and_never_back(store: JobStore) -> None:
    ids = []
    for _ in range(3):
        new = sized(store, 2_000)
        await store.create(new)
        ids.append(new.job_id)
    entries = {entry.job_id: entry for entry in await store.take(PARTITION, processor="p1", most=3, in_hand=())}

    moved = []
    for job_id in (ids[1], ids[0], ids[2]):
        await jobs.claim(store, entries[job_id])
        moved.append((await read_line(store, PARTITION)).line.taken)

    assert moved == [LinePlace(2, 4), LinePlace(2, 4), LinePlace(3, 6)]


async def test_a_job_that_was_handed_back_keeps_its_place_before_the_others(store: JobStore) -> None:
    run = await jobs.start(store, partition=PARTITION)
    await jobs.create(store, partition=PARTITION)
    assert await store.release(run, message=jobs.RELEASED) is Answer.OK

    line, record = (await read_line(store, PARTITION)).line, await store.find(run.job_id)

    assert (line.ready, line.waiting, line.running) == (1, 1, 0)
    assert record is not None
    assert record.standing is not None
    assert record.standing.ticket == line.taken.ticket


async def test_a_job_that_is_started_anew_goes_to_the_end_and_was_promised_nothing(store: JobStore) -> None:
    new = sized(store, 7_000)
    await store.create(new)
    run = await jobs.claim(store, await jobs.take(store, new.job_id))
    await store.finish(run, jobs.failure())
    await jobs.create(store, partition=PARTITION)

    await jobs.redrive(store, run)

    record = await store.find(new.job_id)
    assert record is not None
    assert record.standing == Standing(3, 14, 7_000, None)


async def test_a_job_from_before_there_were_places_runs_and_moves_nothing(store: JobStore) -> None:
    job_id = await jobs.create(store, partition=PARTITION)
    await store.connection.execute("HDEL", keys.of_job(PARTITION, job_id).record, "standing")

    await jobs.claim(store, await jobs.take(store, job_id))

    assert (await read_line(store, PARTITION)).line.taken == LinePlace()


@pytest.mark.parametrize("value", ["noon", "[-3,0]", "[1e99,1]", "[7", ""])
async def test_a_place_that_is_no_number_keeps_no_job_from_running(store: JobStore, value: str) -> None:
    job_id = await jobs.create(store, partition=PARTITION)
    await store.connection.execute("HSET", keys.of_job(PARTITION, job_id).record, "standing", value)

    run = await jobs.claim(store, await jobs.take(store, job_id))

    assert run.record.standing is None
    assert (await read_line(store, PARTITION)).line.taken == LinePlace()
