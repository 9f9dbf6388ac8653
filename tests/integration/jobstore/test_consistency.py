"""What does not fit together is found, page by page, and put right; what is only being moved is left alone."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import pytest

from shared import clock, limits
from shared.jobs import JobState
from shared.jobstore import keys
from shared.jobstore.callback import CallbackName, DeliveryOutcome
from shared.jobstore.consistency import Consistency, Finding, Kind, Place, Sighting
from shared.jobstore.operations import Answer, Damaged, NotDue, Run
from shared.jobstore.outbox import Outbox
from shared.jobstore.store import JobStore
from tests.support import inspection, jobs

DAY_MS = 86_400_000


def consistency_of(store: JobStore) -> Consistency:
    """Give the walk beside a store."""
    return Consistency(store.connection, partitions=store.partitions)


async def findings(store: JobStore) -> list[Finding]:
    """Look at all partitions."""
    consistency = consistency_of(store)
    return [
        finding
        for partition in range(store.partitions)
        async for page in consistency.walk(partition)
        for finding in page.findings
    ]


async def kinds(store: JobStore) -> list[str]:
    """Look at all partitions; give the kinds that are found."""
    return sorted(finding.kind for finding in await findings(store))


async def repair_all(store: JobStore) -> list[bool]:
    """Repair what one walk finds."""
    return [await consistency_of(store).repair(finding) for finding in await findings(store)]


def record_of(job_id: str) -> str:
    """Name the record of a job."""
    return keys.record(jobs.partition_number(job_id), job_id)


async def unlink_entry(store: JobStore, job_id: str) -> None:
    """Let the entry of a job be lost."""
    record = await store.find(job_id)
    assert record is not None
    names = keys.of_job(jobs.partition_number(job_id), job_id)
    await store.connection.execute("XACK", names.commands, keys.GROUP, record.entry)
    await store.connection.execute("XDEL", names.commands, record.entry)


async def uncount(store: JobStore, job_id: str) -> None:
    """Let a job not count as in flight, as one that an older version has created."""
    await store.connection.execute("ZREM", keys.in_flight(jobs.partition_number(job_id)), f"{jobs.OWNER} {job_id}")


async def unlink_visit(store: JobStore, job_id: str) -> None:
    """Let the janitor forget a job, as one of a version that had no janitor."""
    await store.connection.execute("ZREM", keys.expiry(jobs.partition_number(job_id)), job_id)


# ── what can be wrong ─────────────────────────────────────────────────────────────────────────────────────────────────


async def _entry_without_record(store: JobStore) -> None:
    job_id = await jobs.create(store)
    await store.connection.execute("DEL", record_of(job_id), store.live_channel(job_id))
    await unlink_visit(store, job_id)
    await uncount(store, job_id)
    await store.connection.execute("DEL", keys.owner_jobs(jobs.partition_number(job_id), jobs.OWNER))


async def _entry_of_ended_job(store: JobStore) -> None:
    run = await jobs.fail(store)
    names = keys.of_job(jobs.partition_number(run.job_id), run.job_id)
    await store.connection.execute("XADD", names.commands, "*", "job", run.job_id)


async def _entry_superseded(store: JobStore) -> None:
    job_id = await jobs.create(store)
    await store.connection.execute("XADD", keys.commands(jobs.partition_number(job_id)), "*", "job", job_id)


async def _record_without_entry(store: JobStore) -> None:
    await unlink_entry(store, await jobs.create(store))


async def _entry_in_nobodys_hands(store: JobStore) -> None:
    """Somebody has acknowledged by hand what a processor had taken."""
    entry = await jobs.take(store, await jobs.create(store))
    await store.connection.execute("XACK", keys.commands(entry.partition), keys.GROUP, entry.entry_id)


async def _waiting_without_visit(store: JobStore) -> None:
    await unlink_visit(store, await jobs.create(store))


async def _ended_without_visit(store: JobStore) -> None:
    await unlink_visit(store, (await jobs.fail(store)).job_id)


async def _visit_without_record(store: JobStore) -> None:
    job_id = jobs.new_job(store).job_id
    visit_at_ms = clock.now_ms() + DAY_MS
    await store.connection.execute("ZADD", keys.expiry(jobs.partition_number(job_id)), visit_at_ms, job_id)


async def _listing_without_record(store: JobStore) -> None:
    job_id = jobs.new_job(store).job_id
    await store.connection.execute("ZADD", keys.owner_jobs(jobs.partition_number(job_id), "anna: & co"), 1, job_id)


async def _record_not_counted(store: JobStore) -> None:
    await uncount(store, await jobs.create(store))


async def _run_not_counted(store: JobStore) -> None:
    await uncount(store, (await jobs.start(store)).job_id)


async def _count_of_an_ended_job(store: JobStore) -> None:
    """A processor of an older version has ended it."""
    run = await jobs.fail(store)
    await count(store, run.job_id, jobs.OWNER)


async def _count_of_a_forgotten_job(store: JobStore) -> None:
    await count(store, jobs.new_job(store).job_id, "somebody")


async def _count_of_another_owner(store: JobStore) -> None:
    await count(store, await jobs.create(store), "somebody")


async def _callback_without_entry(store: JobStore) -> None:
    run = await jobs.fail(store, callback_url="https://example.org/hook")
    await store.connection.execute("DEL", keys.outbox(jobs.partition_number(run.job_id)))


async def _callback_without_message(store: JobStore) -> None:
    run = await jobs.fail(store, callback_url="https://example.org/hook")
    name = keys.callbacks(jobs.partition_number(run.job_id), run.job_id)
    await store.connection.execute("HSET", name, "ends", f"0 0_admin {run.epoch} x")


async def _callback_without_anything_else(store: JobStore) -> None:
    job_id = await jobs.create(store)
    name = keys.callbacks(jobs.partition_number(job_id), job_id)
    await store.connection.execute("HSET", name, "ends", "1")


async def _callback_of_another_type(store: JobStore) -> None:
    await _record_without_callback(store)
    [job_id] = [key.rpartition(":")[2] for key in await inspection.expiries(store.connection) if ":job:" in key]
    await store.connection.execute("SET", keys.callbacks(jobs.partition_number(job_id), job_id), "x")


async def _callback_not_counted(store: JobStore) -> None:
    """A processor of an older version has written it."""
    run = await jobs.fail(store, callback_url="https://example.org/hook")
    await store.connection.execute("DEL", keys.waiting_callbacks(jobs.partition_number(run.job_id)))


async def _count_of_a_callback_that_was_told(store: JobStore) -> None:
    """By a processor of an older version."""
    run = await jobs.fail(store, callback_url="https://example.org/hook")
    partition, epoch = jobs.partition_number(run.job_id), run.epoch
    [taken] = await Outbox(store).take(partition, "p1", lease_ms=jobs.LEASE_MS, count=10)
    await Outbox(store).delivered(taken, DeliveryOutcome(at_ms=1, duration_ms=2, status=204))
    await count_callback(store, run.job_id, epoch, jobs.OWNER)


async def _count_of_a_forgotten_callback(store: JobStore) -> None:
    await count_callback(store, jobs.new_job(store).job_id, 1, "somebody")


async def _count_of_another_owners_callback(store: JobStore) -> None:
    run = await jobs.fail(store, callback_url="https://example.org/hook")
    await count_callback(store, run.job_id, run.epoch, "somebody")


async def count_callback(store: JobStore, job_id: str, epoch: int, owner: str) -> None:
    """Let a callback count as waiting, whatever it is."""
    member = f"{owner} {CallbackName(job_id, epoch).text}"
    await store.connection.execute("ZADD", keys.waiting_callbacks(jobs.partition_number(job_id)), 0, member)


async def _record_without_callback(store: JobStore) -> None:
    """A processor of an older version has ended it."""
    run = await jobs.fail(store, callback_url="https://example.org/hook")
    partition = jobs.partition_number(run.job_id)
    names = (keys.outbox(partition), keys.waiting_callbacks(partition), keys.callbacks(partition, run.job_id))
    await store.connection.execute("DEL", *names)


async def count(store: JobStore, job_id: str, owner: str) -> None:
    """Let a job count as in flight, whatever it is."""
    await store.connection.execute("ZADD", keys.in_flight(jobs.partition_number(job_id)), 0, f"{owner} {job_id}")


class Wrong(NamedTuple):
    """A kind, and how it comes about."""

    kind: Kind
    bring_about: Callable[[JobStore], Awaitable[None]]

    def __str__(self) -> str:
        return self.bring_about.__name__.removeprefix("_")


WRONGS = [
    Wrong(Kind.ENTRY_WITHOUT_RECORD, _entry_without_record),
    Wrong(Kind.ENTRY_OF_ENDED_JOB, _entry_of_ended_job),
    Wrong(Kind.ENTRY_SUPERSEDED, _entry_superseded),
    Wrong(Kind.RECORD_WITHOUT_ENTRY, _record_without_entry),
    Wrong(Kind.RECORD_WITHOUT_ENTRY, _entry_in_nobodys_hands),
    Wrong(Kind.RECORD_WITHOUT_VISIT, _waiting_without_visit),
    Wrong(Kind.RECORD_WITHOUT_VISIT, _ended_without_visit),
    Wrong(Kind.VISIT_WITHOUT_RECORD, _visit_without_record),
    Wrong(Kind.LISTING_WITHOUT_RECORD, _listing_without_record),
    Wrong(Kind.RECORD_NOT_COUNTED, _record_not_counted),
    Wrong(Kind.RECORD_NOT_COUNTED, _run_not_counted),
    Wrong(Kind.COUNT_WITHOUT_JOB, _count_of_an_ended_job),
    Wrong(Kind.COUNT_WITHOUT_JOB, _count_of_a_forgotten_job),
    Wrong(Kind.COUNT_WITHOUT_JOB, _count_of_another_owner),
    Wrong(Kind.CALLBACK_WITHOUT_ENTRY, _callback_without_entry),
    Wrong(Kind.CALLBACK_NOT_COUNTED, _callback_not_counted),
    Wrong(Kind.COUNT_WITHOUT_CALLBACK, _count_of_a_callback_that_was_told),
    Wrong(Kind.COUNT_WITHOUT_CALLBACK, _count_of_a_forgotten_callback),
    Wrong(Kind.COUNT_WITHOUT_CALLBACK, _count_of_another_owners_callback),
    Wrong(Kind.RECORD_WITHOUT_CALLBACK, _record_without_callback),
    Wrong(Kind.RECORD_WITHOUT_CALLBACK, _callback_of_another_type),
    Wrong(Kind.CALLBACK_WITHOUT_MESSAGE, _callback_without_message),
    Wrong(Kind.CALLBACK_WITHOUT_MESSAGE, _callback_without_anything_else),
]


@pytest.mark.parametrize("wrong", WRONGS, ids=str)
async def test_what_is_wrong_is_found_by_a_look_and_gone_after_its_repair(store: JobStore, wrong: Wrong) -> None:
    await wrong.bring_about(store)

    assert await kinds(store) == [wrong.kind]
    assert await kinds(store) == [wrong.kind]
    assert await repair_all(store) == [True]

    assert await kinds(store) == []


@pytest.mark.parametrize("wrong", WRONGS, ids=str)
async def test_a_repair_that_comes_again_changes_nothing(store: JobStore, wrong: Wrong) -> None:
    await wrong.bring_about(store)
    found = await findings(store)
    await repair_all(store)
    before = await inspection.everything(store.connection)

    assert [await consistency_of(store).repair(finding) for finding in found] == [False]

    assert await inspection.everything(store.connection) == before


async def test_every_kind_is_said_in_a_sentence_of_its_own() -> None:
    sentences = {Finding(kind, Sighting("", Place.RECORD)).sentence for kind in Kind}

    assert len(sentences) == len(Kind)


# ── what is not wrong ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_jobs_in_every_state_fit_together(store: JobStore) -> None:
    await jobs.create(store)
    await jobs.start(store)
    parked = await jobs.start(store)
    await store.retry_later(parked, message=jobs.RETRYING, error=jobs.BROKEN, delay_ms=60_000, lease_ms=jobs.LEASE_MS)
    await store.release(await jobs.start(store), message=jobs.RELEASED)
    await store.finish(await jobs.start(store), jobs.completion())
    await jobs.redrive(store, await jobs.fail(store))
    await jobs.fail(store)
    await jobs.cancel(store, await jobs.create(store), deletes=True)
    await jobs.start(store, callback_url="https://example.org/hook")
    for operation in (Outbox.delivered, Outbox.give_up):
        ended = await jobs.fail(store, callback_url="https://example.org/hook")
        partition = jobs.partition_number(ended.job_id)
        [taken] = await Outbox(store).take(partition, "p1", lease_ms=jobs.LEASE_MS, count=10)
        await operation(Outbox(store), taken, DeliveryOutcome(at_ms=1, duration_ms=2, status=200))
    await jobs.fail(store, callback_url="https://example.org/hook")

    assert await findings(store) == []


async def test_an_end_whose_callback_was_settled_long_ago_needs_none(store: JobStore) -> None:
    run = await jobs.fail(store, callback_url="https://example.org/hook")
    partition = jobs.partition_number(run.job_id)
    names = (keys.outbox(partition), keys.waiting_callbacks(partition), keys.callbacks(partition, run.job_id))
    await store.connection.execute("DEL", *names)
    finished_at_ms = clock.now_ms() - limits.CALLBACK_KEPT_MS
    await store.connection.execute("HSET", record_of(run.job_id), "finished_at", finished_at_ms)

    assert await findings(store) == []


async def test_a_callback_whose_message_is_lost_is_written_anew_once(store: JobStore) -> None:
    run = await jobs.fail(store, callback_url="https://example.org/hook")
    name = keys.callbacks(jobs.partition_number(run.job_id), run.job_id)
    await store.connection.execute("HDEL", name, str(run.epoch))
    assert sorted(await kinds(store)) == [Kind.CALLBACK_WITHOUT_MESSAGE, Kind.RECORD_WITHOUT_CALLBACK]

    await repair_all(store)

    assert await kinds(store) == []
    assert [callback.name.epoch for callback in await Outbox(store).deliveries(run.job_id)] == [run.epoch]


async def test_a_callback_that_was_made_good_tells_what_the_end_would_have(store: JobStore) -> None:
    await _record_without_callback(store)

    await repair_all(store)

    taken = [
        callback
        for partition in range(store.partitions)
        for callback in await Outbox(store).take(partition, "p1", lease_ms=jobs.LEASE_MS, count=10)
    ]
    assert [(callback.message, callback.record.state) for callback in taken] == [(jobs.FAILED, JobState.FAILED)]


async def test_jobs_that_are_worked_on_during_a_walk_are_never_found_wrong(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CONSISTENCY_PAGE_JOBS", 3)

    async def live() -> None:
        for _ in range(25):
            await store.finish(await jobs.start(store), jobs.completion())

    async with asyncio.TaskGroup() as group:
        lives = [group.create_task(live()) for _ in range(3)]
        walks = 0
        while not all(life.done() for life in lives):
            assert await findings(store) == []
            walks += 1

    assert walks >= 1


async def test_entries_of_others_are_left_to_the_processors(store: JobStore) -> None:
    await store.connection.execute("XADD", keys.commands(0), "*", "of", "nobody")
    await store.connection.execute("ZADD", keys.expiry(0), 1, b"\xff")

    assert await findings(store) == []


async def test_a_list_that_is_somebody_elses_hides_nothing_behind_it(store: JobStore) -> None:
    for partition in range(store.partitions):
        await store.connection.execute("SET", keys.owner_jobs(partition, "no-list"), "x")
    await _listing_without_record(store)
    await _record_without_entry(store)

    assert await kinds(store) == [Kind.LISTING_WITHOUT_RECORD, Kind.RECORD_WITHOUT_ENTRY]


async def test_a_walk_of_many_pages_meets_every_job(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CONSISTENCY_PAGE_JOBS", 5)
    lost = [await jobs.create(store) for _ in range(20)]
    for job_id in lost:
        await unlink_entry(store, job_id)

    found = await findings(store)

    assert {finding.job_id for finding in found} == set(lost)


# ── jobs that nobody would have found ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("state", ["queued", "retrying", "released"])
async def test_a_waiting_job_that_lost_its_entry_is_run_after_all(store: JobStore, state: str) -> None:
    job_id = await _in_state(store, state)
    await unlink_entry(store, job_id)

    await repair_all(store)

    run = await jobs.claim(store, await jobs.take(store, job_id, processor="p2"))
    assert await store.finish(run, jobs.completion()) is Answer.OK
    assert (await store.backlog(jobs.partition_number(job_id))).unfinished == 0


async def _in_state(store: JobStore, state: str) -> str:
    if state == "queued":
        return await jobs.create(store)
    run = await jobs.start(store)
    if state == "retrying":
        await store.retry_later(run, message=jobs.RETRYING, error=jobs.BROKEN, delay_ms=0, lease_ms=jobs.LEASE_MS)
    else:
        await store.release(run, message=jobs.RELEASED)
    return run.job_id


async def test_a_retry_that_lost_its_entry_does_not_come_early(store: JobStore) -> None:
    run = await jobs.start(store)
    await store.retry_later(run, message=jobs.RETRYING, error=jobs.BROKEN, delay_ms=60_000, lease_ms=jobs.LEASE_MS)
    await unlink_entry(store, run.job_id)

    await repair_all(store)

    entry = await jobs.take(store, run.job_id)
    assert isinstance(await store.claim(entry, secrets.token_hex(8), jobs.terms()), NotDue)


async def test_a_run_whose_entry_is_lost_is_left_alone_while_it_lives(store: JobStore) -> None:
    run = await jobs.start(store)
    await unlink_entry(store, run.job_id)

    assert await findings(store) == []
    assert await store.finish(run, jobs.completion()) is Answer.OK

    assert await findings(store) == []


async def test_a_run_that_died_after_its_entry_was_lost_is_taken_over_and_counted_as_a_crash(store: JobStore) -> None:
    run = await jobs.start(store)
    await unlink_entry(store, run.job_id)
    await _end_lease(store, run, ago_ms=limits.LOST_RUN_AFTER_MS - 10_000)
    assert await findings(store) == []
    await _end_lease(store, run, ago_ms=limits.LOST_RUN_AFTER_MS + 1)

    await repair_all(store)

    later = await jobs.claim(store, await jobs.take(store, run.job_id, processor="p2"), processor="p2")
    assert (later.is_takeover, later.record.crashes) == (True, 1)
    assert await store.finish(run, jobs.completion()) is Answer.STALE


async def test_a_job_whose_entry_is_in_nobodys_hands_is_given_another(store: JobStore) -> None:
    run = await jobs.start(store)
    partition = jobs.partition_number(run.job_id)
    await store.connection.execute("XGROUP", "DELCONSUMER", keys.commands(partition), keys.GROUP, "p1")
    await _end_lease(store, run, ago_ms=limits.LOST_RUN_AFTER_MS - 10_000)
    assert await findings(store) == []
    await _end_lease(store, run, ago_ms=limits.LOST_RUN_AFTER_MS + 1)

    await repair_all(store)

    later = await jobs.claim(store, await jobs.take(store, run.job_id, processor="p2"), processor="p2")
    assert later.is_takeover
    assert list(await inspection.commands(store, partition)) == [later.record.entry]


async def _end_lease(store: JobStore, run: Run, *, ago_ms: int) -> None:
    await store.connection.execute("HSET", record_of(run.job_id), "due_at", clock.now_ms() - ago_ms)


async def test_a_job_of_before_the_upgrade_is_given_the_end_that_it_should_have_had(store: JobStore) -> None:
    job_id = await jobs.create(store)
    await unlink_visit(store, job_id)

    await repair_all(store)

    record = await store.find(job_id)
    assert record is not None
    visits = await inspection.visits(store, jobs.partition_number(job_id))
    assert visits == {job_id: record.updated_at_ms + limits.MAX_WAITING_MS}


async def test_a_record_that_cannot_be_read_is_told_and_left(store: JobStore) -> None:
    damaged, strange = await jobs.create(store), await jobs.create(store)
    await store.connection.execute("HSET", record_of(damaged), "due_at", "soon")
    await store.connection.execute("SET", record_of(strange), "no hash")
    before = await inspection.everything(store.connection)

    assert await kinds(store) == [Kind.RECORD_UNREADABLE] * 2
    assert await repair_all(store) == [False, False]

    assert await inspection.everything(store.connection) == before


async def test_a_record_that_cannot_be_read_and_has_no_entry_is_found_by_a_claim(store: JobStore) -> None:
    """The claim answers that it is damaged, and its processor buries it; without an entry nobody ever would."""
    job_id = await jobs.create(store)
    await unlink_entry(store, job_id)
    await store.connection.execute("HSET", record_of(job_id), "due_at", "soon")

    assert await kinds(store) == [Kind.RECORD_WITHOUT_ENTRY]
    assert await repair_all(store) == [True]

    assert isinstance(await store.claim(await jobs.take(store, job_id), "t", jobs.terms()), Damaged)
    assert await kinds(store) == [Kind.RECORD_UNREADABLE]


async def test_what_has_mended_itself_since_the_look_is_not_repaired(store: JobStore) -> None:
    job_id = await jobs.create(store)
    await unlink_entry(store, job_id)
    found = await findings(store)
    await jobs.cancel(store, job_id)

    assert [await consistency_of(store).repair(finding) for finding in found] == [False]

    record = await store.find(job_id)
    assert record is not None
    assert record.state is JobState.CANCELLED
    assert (await store.backlog(jobs.partition_number(job_id))).unfinished == 0
