"""`python -m processor jobs show` as operators run it: a real process, a real Redis, jobs at every point of life."""

import pytest

from shared.jobs import make_job_id
from shared.jobstore import keys
from shared.jobstore.store import JobStore
from tests.support import jobs
from tests.support.operator import Operator, prose


async def shown(operator: Operator, job_id: str, *, code: int = 0) -> str:
    """Show a job as text; its sentences on one line."""
    ended = await operator.run("jobs", "show", job_id)
    assert ended.returncode == code, ended.stderr
    return prose(ended.stdout)


async def test_a_job_is_shown_with_its_record_its_entry_and_its_events(store: JobStore, operator: Operator) -> None:
    run = await jobs.start(store)
    await store.append_progress(run, seq=3, message=jobs.progress(0.5))

    found = await operator.read("jobs", "show", run.job_id)

    assert (found["record"]["state"], found["record"]["owner"], found["record"]["attempt"]) == (
        "processing",
        jobs.OWNER,
        1,
    )
    assert "token" not in found["record"]
    assert (found["entry"]["entry_id"], found["entry"]["holder"]) == (run.record.entry, "p1")
    assert [event["message"]["type"] for event in found["events"]] == ["queued", "started", "progress"]
    assert found["processors_alive"] == 1


async def test_the_page_says_where_a_job_stands_at_each_point_of_its_life(single: JobStore, somebody: Operator) -> None:
    job_id = await jobs.create(single)
    queued = await shown(somebody, job_id)
    run = await jobs.claim(single, await jobs.take(single, job_id))
    running = await shown(somebody, job_id)
    await single.retry_later(run, message=jobs.RETRYING, error=jobs.BROKEN, delay_ms=60_000, lease_ms=jobs.LEASE_MS)
    parked = await shown(somebody, job_id)
    await single.release(await jobs.start(single), message=jobs.RELEASED)

    assert "state queued: has waited for" in queued
    assert f"{run.record.entry}, not read by any processor yet" in queued
    assert "no processor was heard of in its partition: see backlog" in queued
    assert "state processing: attempt 1 on p1; its lease runs out in" in running
    assert f"{run.record.entry}, in the hands of p1, renewed" in running
    assert "state retrying: the next attempt is due in" in parked
    assert f"{run.record.entry}, parked until it is due" in parked
    assert "attempt 1 failed, the next one after 2.0 s (at most 3 fail): SOURCE_CHANGED: file 70001 changed" in parked


async def test_jobs_that_ended_say_how(single: JobStore, somebody: Operator) -> None:
    run = await jobs.start(single)
    await single.finish(run, jobs.completion())
    failed = await jobs.fail(single)

    completed, buried = await shown(somebody, run.job_id), await shown(somebody, failed.job_id)

    assert "archive bundles/x.zip, 2 files, 1.2 kB, CRC-32 0badcafe" in completed
    assert "completed: 2 files, 1.2 kB" in completed
    assert f"see dead-letters show {failed.job_id}" in buried
    assert "failed for good: SOURCE_CHANGED" in buried


async def test_a_lease_that_ran_out_and_a_wish_to_end_are_told(single: JobStore, somebody: Operator) -> None:
    run = await jobs.start(single)
    await jobs.cancel(single, run.job_id)
    await jobs.lapse(single, run)

    page = await shown(somebody, run.job_id)

    assert "its lease ran out" in page
    assert "it was asked to end" in page
    assert "ready to be taken up" in page


async def test_a_job_without_its_entry_is_told_to_be_lost_from_sight(single: JobStore, somebody: Operator) -> None:
    job_id = await jobs.create(single)
    await single.connection.execute("DEL", keys.commands(0))

    page = await shown(somebody, job_id)

    assert "is not in the command stream: no processor will find this job. See doctor --repair." in page


# ── what cannot be shown ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_is_no_job_here_is_told_for_what_it_is(single: JobStore, somebody: Operator) -> None:
    elsewhere, unknown = make_job_id(7, 1), single.new_job_id()

    for identifier, told in (
        ("abc\x1b[2J", "is no job's id: those have 36 characters"),
        ("1795461600123-0", "is the id of a dead letter: see dead-letters show 1795461600123-0."),
        (elsewhere, "belongs to partition 7, and this Redis has 1"),
        (unknown, f"There is no job {unknown}"),
    ):
        ended = await somebody.run("jobs", "show", identifier)
        assert (ended.returncode, ended.stdout) == (1, "")
        assert told in ended.stderr
        assert "\x1b" not in ended.stderr


async def test_a_job_that_left_only_its_letter_is_told(store: JobStore, operator: Operator) -> None:
    run = await jobs.fail(store)
    names = keys.of_job(jobs.partition_number(run.job_id), run.job_id)
    await store.connection.execute("DEL", names.record)
    await store.connection.execute("DEL", names.events)

    ended = await operator.run("jobs", "show", run.job_id)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert f"its dead letter is still there: see dead-letters show {run.job_id}." in ended.stderr


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (["HSET", "{record}", "epoch", "many"], "these fields of its record cannot be read: epoch."),
        (["HSET", "{record}", "schema", "2"], "these fields of its record cannot be read: schema."),
        (["DEL", "{record}"], "Redis has its log, and no record of it"),
        (["SET", "{record}", "mine"], "holds what is not Waybill's"),
        (["SET", "{events}", "mine"], "holds what is not Waybill's"),
    ],
)
async def test_what_is_damaged_is_shown_as_far_as_it_can_be_read(
    single: JobStore, somebody: Operator, damage: list[str], told: str
) -> None:
    job_id = await jobs.create(single)
    names = keys.of_job(0, job_id)
    await single.connection.execute(*(word.format(record=names.record, events=names.events) for word in damage))

    page = await shown(somebody, job_id, code=1)
    found = await somebody.read("jobs", "show", job_id, code=1)

    assert told in page
    assert told in found["trouble"]
    assert ("HISTORY" in page) is ("{events}" not in damage)
