"""Records, logs and entries that nobody can read: each ends with a dead letter, and nothing is taken up for ever."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from opentelemetry import metrics

from processor.execution import Execution
from processor.metrics import ProcessorMetrics
from processor.settlement import RunPolicy
from processor.work import Work
from shared.errors import RecordUnreadable
from shared.jobs import JobState
from shared.jobstore import keys
from shared.jobstore.operations import Entry
from shared.jobstore.store import JobStore
from shared.objects.directory import ObjectDirectory
from shared.retention import Retention
from tests.load.idle_handler import handle
from tests.support import inspection, jobs

POLICY = RunPolicy(processor="p1", lease_ms=jobs.LEASE_MS, renew_every_ms=1_000, retention=Retention(60))

Damage = Callable[[JobStore, keys.JobKeys], Awaitable[object]]


@pytest_asyncio.fixture
async def execute(store: JobStore, tmp_path: Path) -> AsyncIterator[Callable[[Entry], Awaitable[None]]]:
    """Executes an entry as a processor does, with a handler that does nothing."""

    async def execute_once(entry: Entry) -> None:
        meter = ProcessorMetrics(metrics.get_meter("test"))
        await Execution(store, Work(handle, ObjectDirectory(tmp_path)), POLICY, meter).execute(entry)

    yield execute_once


def setting(field: str, text: str | bytes) -> Damage:
    """Put nonsense into a field of the record."""
    return lambda store, job: store.connection.execute("HSET", job.record, field, text)


def without(field: str) -> Damage:
    """Take a field out of the record."""
    return lambda store, job: store.connection.execute("HDEL", job.record, field)


async def another_kind_of_record(store: JobStore, job: keys.JobKeys) -> None:
    """Put a text where the record was."""
    await store.connection.execute("SET", job.record, "a text")


async def another_kind_of_log(store: JobStore, job: keys.JobKeys) -> None:
    """Put a text where the log was."""
    await store.connection.execute("SET", job.events, "a text")


async def a_log_of_the_future(store: JobStore, job: keys.JobKeys) -> None:
    """Let the log hold an event that no run has written yet."""
    await store.connection.execute("XADD", job.events, "77-99", "d", '{"type":"progress"}')


async def a_log_beyond_all(store: JobStore, job: keys.JobKeys) -> None:
    """Let the log hold an id that no number of ours reaches."""
    await store.connection.execute("XADD", job.events, "123456789012345-1", "d", '{"type":"progress"}')


UNREADABLE: dict[str, Damage] = {
    "epoch": setting("epoch", "many"),
    "epoch that Lua reads": setting("epoch", "1.5"),
    "epoch without end": setting("epoch", "inf"),
    "epoch that is none": setting("epoch", "nan"),
    "epoch beyond all": setting("epoch", "1e15"),
    "seq of too many digits": setting("seq", "123456789012345"),
    "never due": setting("due_at", "9999999999999"),
    "entry": setting("entry", "mine"),
    "no entry": without("entry"),
    "entry that is nowhere": setting("entry", "1-1"),
    "started": setting("started_at", "noon"),
    "progress": setting("progress", "half"),
    "no epoch": without("epoch"),
    "attempt": setting("attempt", "x"),
    "due": setting("due_at", ""),
    "file ids": setting("file_ids", "[1,"),
    "no owner": without("owner"),
    "options": setting("options", "7"),
    "not UTF-8": setting("owner", b"\xff"),
    "schema of the future": setting("schema", "2"),
    "no creation": without("created_at"),
    "record of another kind": another_kind_of_record,
    "log of another kind": another_kind_of_log,
    "log of the future": a_log_of_the_future,
    "log beyond all": a_log_beyond_all,
}


@pytest.mark.parametrize("damage", UNREADABLE.values(), ids=UNREADABLE)
async def test_a_job_that_cannot_be_read_fails_with_a_dead_letter_and_leaves_no_entry(
    store: JobStore, execute: Callable[[Entry], Awaitable[None]], damage: Damage
) -> None:
    job_id = await jobs.create(store)
    partition = jobs.partition_number(job_id)
    entry = await jobs.take(store, job_id)
    await damage(store, keys.of_job(partition, job_id))

    await execute(entry)

    assert await inspection.commands(store, partition) == {}
    assert await inspection.pending(store, partition) == {}
    (letter,) = await inspection.dead_letters(store, partition)
    assert (letter.fields["job"], letter.fields["reason"]) == (job_id, "damaged")
    *_, last = await inspection.read_log(store, job_id)
    assert last.type == "error"
    record = await store.find(job_id)  # it can be read again: somebody wants to see why
    assert record is not None
    assert record.state is JobState.FAILED
    assert record.error is not None
    assert record.error.code == "RECORD_UNREADABLE"
    assert record.is_permanent
    assert last.event_id == (record.epoch, record.seq)
    lifetimes = await inspection.expiries_of(store, job_id)
    assert len(lifetimes) == 2
    assert inspection.NO_EXPIRY not in lifetimes.values()


async def test_a_reader_of_a_damaged_record_is_told_so(store: JobStore) -> None:
    job_id = await jobs.create(store)
    await without("owner")(store, keys.of_job(jobs.partition_number(job_id), job_id))

    with pytest.raises(RecordUnreadable, match=job_id):
        await store.find(job_id)


@pytest.mark.parametrize("partition_of_job", [None, 4_000], ids=["no job id", "another partition's job"])
async def test_an_entry_that_names_no_job_of_its_partition_becomes_a_dead_letter(
    store: JobStore, execute: Callable[[Entry], Awaitable[None]], partition_of_job: int | None
) -> None:
    job_id = "\x00odd ☃" if partition_of_job is None else jobs.new_job(store, partition=partition_of_job).job_id
    await store.connection.execute("XADD", keys.commands(0), "*", "something", job_id)
    (entry,) = await store.take(0, processor="p1", most=1, in_hand=())

    await execute(entry)

    assert await inspection.commands(store, 0) == {}
    assert await inspection.pending(store, 0) == {}
    (letter,) = await inspection.dead_letters(store, 0)
    assert letter.fields["reason"] == "foreign"
    assert letter.fields["entry"].startswith("something ")


async def test_an_entry_without_a_record_is_removed(
    store: JobStore, execute: Callable[[Entry], Awaitable[None]]
) -> None:
    job_id = await jobs.create(store)
    entry = await jobs.take(store, job_id)
    await store.connection.execute("DEL", keys.of_job(entry.partition, job_id).record)

    await execute(entry)

    assert await inspection.commands(store, entry.partition) == {}
    assert await inspection.dead_letters(store, entry.partition) == []
