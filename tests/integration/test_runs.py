"""Runs on a real job store while the world around them changes: superseded, or set back by a failover."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import structlog
from opentelemetry import metrics

from processor.context import Handler, Result, RunContext
from processor.execution import Execution
from processor.metrics import ProcessorMetrics
from processor.progress import Phase, Report
from processor.settlement import RunPolicy
from processor.work import Work
from shared.errors import ObjectMissing
from shared.jobs import BundleSummary, JobRecord, JobState
from shared.jobstore import keys
from shared.jobstore.operations import Entry, Run
from shared.jobstore.store import JobStore
from shared.objects.directory import ObjectDirectory
from shared.retention import Retention
from tests.support import inspection, jobs
from tests.support.stores import running_store

SUMMARY = BundleSummary(files=1, archive_bytes=1, archive_crc32="00000000")


@pytest_asyncio.fixture
async def store(redis_url: str) -> AsyncIterator[JobStore]:
    """A store with one partition."""
    async with running_store(redis_url, partitions=1) as running:
        yield running


def execution(store: JobStore, home: Path, handler: Handler, *, renew_every_ms: int) -> Execution:
    """Make an execution as processor p1 has them."""
    policy = RunPolicy(processor="p1", lease_ms=jobs.LEASE_MS, renew_every_ms=renew_every_ms, retention=Retention(60))
    return Execution(store, Work(handler, ObjectDirectory(home)), policy, ProcessorMetrics(metrics.get_meter("test")))


async def rob(store: JobStore, entry: Entry) -> Run:
    """Let p2 claim a job as if its lease had run out, however often its owner renews meanwhile."""
    record = keys.of_job(entry.partition, entry.job_id).record
    while True:
        await jobs.sweep(store, entry.partition, lease_ms=0)
        for taken in await store.take(entry.partition, processor="p2", most=1, in_hand=()):
            await store.connection.execute("HSET", record, "due_at", 0)
            if isinstance(run := await store.claim(taken, secrets.token_hex(8), jobs.terms("p2")), Run):
                return run


async def test_a_superseded_run_is_cancelled_by_its_next_renewal_and_writes_nothing_more(
    store: JobStore, tmp_path: Path
) -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def wait_for_ever(_job: JobRecord, _context: RunContext) -> Result:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError

    entry = await jobs.take(store, await jobs.create(store))
    executing = asyncio.create_task(execution(store, tmp_path, wait_for_ever, renew_every_ms=50).execute(entry))
    async with asyncio.timeout(5):
        await begun.wait()
        await rob(store, entry)
        before = await inspection.everything_about(store, entry.job_id)
        await executing

    assert cancelled.is_set()
    assert await inspection.everything_about(store, entry.job_id) == before


async def test_a_superseded_run_that_wants_to_complete_leaves_nothing_that_is_visible(
    store: JobStore, tmp_path: Path
) -> None:
    begun, robbed = asyncio.Event(), asyncio.Event()

    async def leave_late(_job: JobRecord, context: RunContext) -> Result:
        begun.set()
        await robbed.wait()
        await context.leave("late", b"x")
        return Result("late", SUMMARY)

    entry = await jobs.take(store, await jobs.create(store))
    executing = asyncio.create_task(execution(store, tmp_path, leave_late, renew_every_ms=60_000).execute(entry))
    async with asyncio.timeout(5):
        await begun.wait()
        await rob(store, entry)
        robbed.set()
        await executing

    with pytest.raises(ObjectMissing):
        await ObjectDirectory(tmp_path).head("late")
    assert await inspection.event_types(store, entry.job_id) == ["queued", "started", "started"]


async def test_a_run_that_shall_end_is_cancelled_by_its_next_renewal_and_leaves_nothing(
    store: JobStore, tmp_path: Path
) -> None:
    begun = asyncio.Event()

    async def wait_for_ever(_job: JobRecord, _context: RunContext) -> Result:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    entry = await jobs.take(store, await jobs.create(store))
    executing = asyncio.create_task(execution(store, tmp_path, wait_for_ever, renew_every_ms=50).execute(entry))
    async with asyncio.timeout(5):
        await begun.wait()
        await jobs.cancel(store, entry.job_id)
        await executing

    assert await inspection.event_types(store, entry.job_id) == ["queued", "started", "cancelled"]
    assert await inspection.commands(store, 0) == {}


async def test_a_run_that_learns_of_the_wish_when_it_completes_leaves_nothing_that_is_visible(
    store: JobStore, tmp_path: Path
) -> None:
    begun, asked = asyncio.Event(), asyncio.Event()

    async def leave_late(_job: JobRecord, context: RunContext) -> Result:
        begun.set()
        await asked.wait()
        await context.leave("late", b"x")
        return Result("late", SUMMARY)

    entry = await jobs.take(store, await jobs.create(store))
    executing = asyncio.create_task(execution(store, tmp_path, leave_late, renew_every_ms=60_000).execute(entry))
    async with asyncio.timeout(5):
        await begun.wait()
        await jobs.cancel(store, entry.job_id)
        asked.set()
        await executing

    with pytest.raises(ObjectMissing):
        await ObjectDirectory(tmp_path).head("late")
    assert await inspection.event_types(store, entry.job_id) == ["queued", "started", "cancelled"]


async def test_a_processor_that_stops_ends_a_job_that_shall_end_in_place_of_handing_it_back(
    store: JobStore, tmp_path: Path
) -> None:
    begun = asyncio.Event()

    async def wait_for_ever(_job: JobRecord, context: RunContext) -> Result:
        context.object_key = "perhaps-left"
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    entry = await jobs.take(store, await jobs.create(store))
    stopping = execution(store, tmp_path, wait_for_ever, renew_every_ms=60_000)
    executing = asyncio.create_task(stopping.execute(entry))
    with structlog.testing.capture_logs() as lines:
        async with asyncio.timeout(5):
            await begun.wait()
            await jobs.cancel(store, entry.job_id)
            stopping.stop()
            await executing

    record = await store.find(entry.job_id)
    assert record is not None
    assert (record.state, record.object_key) == (JobState.CANCELLED, "perhaps-left")
    assert await inspection.event_types(store, entry.job_id) == ["queued", "started", "cancelled"]
    assert await inspection.commands(store, 0) == {}
    assert [line["event"] for line in lines if line["event"].startswith("job ")][-1] == "job cancelled"


async def test_a_job_taken_over_from_a_dead_processor_is_told_with_its_name(store: JobStore, tmp_path: Path) -> None:
    dead = await jobs.start(store)
    await jobs.lapse(store, dead)

    async def leave_nothing(_job: JobRecord, _context: RunContext) -> Result:
        return Result("x", BundleSummary(files=0, archive_bytes=0, archive_crc32="00000000"))

    with structlog.testing.capture_logs() as lines:
        await execution(store, tmp_path, leave_nothing, renew_every_ms=1_000).execute(
            await jobs.take(store, dead.job_id, processor="p2")
        )

    [told] = [line for line in lines if line["event"] == "job taken over"]
    assert (told["log_level"], told["attempt"], told["crashes"]) == ("warning", 2, 1)
    assert told["died"] == dead.record.processor


async def test_progress_goes_on_where_a_failover_has_cut_the_log(store: JobStore, tmp_path: Path) -> None:
    said, cut, said_again = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def say_it_twice(_job: JobRecord, context: RunContext) -> Result:
        context.report(_report(1))
        said.set()
        await cut.wait()
        context.report(_report(2))
        await said_again.wait()
        await context.leave("x", b"x")
        return Result("x", SUMMARY)

    entry = await jobs.take(store, await jobs.create(store))
    executing = asyncio.create_task(execution(store, tmp_path, say_it_twice, renew_every_ms=60_000).execute(entry))
    async with asyncio.timeout(5):
        await said.wait()
        await _wait_for_events(store, entry.job_id, 3)
        await _cut_the_log(store, entry, keeping=2)
        cut.set()
        await _wait_for_events(store, entry.job_id, 3)
        said_again.set()
        await executing

    log = await inspection.read_log(store, entry.job_id)
    assert [(str(event.event_id), event.type) for event in log] == [
        ("0-1", "queued"),
        ("1-2", "started"),
        ("1-3", "progress"),
        ("1-4", "completed"),
    ]
    assert b'"files_processed":2' in log[2].message


def _report(files_processed: int) -> Report:
    return Report(
        phase=Phase.BUNDLING,
        work_ratio=files_processed / 3,
        files_processed=files_processed,
        total_files=3,
        bytes_processed=files_processed,
        total_bytes=3,
        message="x",
    )


async def _wait_for_events(store: JobStore, job_id: str, count: int) -> None:
    while True:
        if len(await inspection.read_log(store, job_id)) >= count:
            return
        await asyncio.sleep(0.01)


async def _cut_the_log(store: JobStore, entry: Entry, *, keeping: int) -> None:
    """Lose the last events, in the log and in the record, as a failover to a replica does."""
    job = keys.of_job(entry.partition, entry.job_id)
    kept = (await inspection.read_log(store, entry.job_id))[:keeping]
    await store.connection.execute("DEL", job.events)
    for event in kept:
        await store.connection.execute("XADD", job.events, str(event.event_id), "d", event.message)
    await store.connection.execute("HSET", job.record, "seq", keeping)
