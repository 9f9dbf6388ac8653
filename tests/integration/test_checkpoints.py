"""Checkpoints in the engine: what the next run is given, and who aborts the upload when there is no next run."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from opentelemetry import metrics
from structlog.testing import capture_logs

from processor.context import Handler, Result, RunContext
from processor.execution import Execution
from processor.metrics import ProcessorMetrics
from processor.outcome import RetryPolicy
from processor.settlement import RunPolicy
from processor.work import Work
from shared import limits
from shared.errors import PermanentRunError, RetryableRunError, StoreUnavailable
from shared.jobs import BundleSummary, Checkpoint, JobRecord, JobState
from shared.jobstore.operations import Entry
from shared.jobstore.store import JobStore
from shared.objects.directory import ObjectDirectory
from shared.objects.info import Upload, UploadName
from shared.retention import Retention
from tests.support import jobs
from tests.support.depots import DirectoryDepot
from tests.support.stores import running_store
from tests.support.waiting import PATIENCE_SECONDS

DOCS = Path(__file__).resolve().parents[2] / "docs" / "handlers.md"
PART_BYTES = 4
CONTENT = b"abcdefgh"
SUMMARY = BundleSummary(files=1, archive_bytes=len(CONTENT), archive_crc32="aeef2a50")


class CountedMetrics(ProcessorMetrics):
    """Metrics that can be read."""

    def __init__(self) -> None:
        super().__init__(metrics.get_meter("test"))
        self.resumed_bytes: list[int] = []

    def count_resumed(self, count_bytes: int) -> None:
        """Keep what is counted."""
        self.resumed_bytes.append(count_bytes)


class Bench:
    """A job store, a store of archives, and processors p1, p2 … for one run each."""

    def __init__(self, store: JobStore, home: Path) -> None:
        self.store = store
        self.objects = ObjectDirectory(home)
        self.depot = DirectoryDepot(home)
        self.metrics = CountedMetrics()

    def execution(self, handler: Handler, *, max_failures: int = 3, renew_every_ms: int = 60_000) -> Execution:
        """Make the execution of one entry."""
        policy = RunPolicy(
            processor="p1",
            lease_ms=jobs.LEASE_MS,
            renew_every_ms=renew_every_ms,
            retention=Retention(60),
            retry=RetryPolicy(max_failures=max_failures, base_ms=1, floor_ms=0),
        )
        return Execution(self.store, Work(handler, self.objects), policy, self.metrics)

    async def run(self, job_id: str, handler: Handler, **terms: int) -> JobRecord:
        """Let one processor run the job once; give its record afterwards."""
        await jobs.sweep(self.store, 0, lease_ms=0)
        await self.execution(handler, **terms).execute(await jobs.take(self.store, job_id))
        record = await self.store.find(job_id)
        assert record is not None
        return record


@pytest_asyncio.fixture
async def bench(redis_url: str, tmp_path: Path) -> AsyncIterator[Bench]:
    """A bench with one partition."""
    async with running_store(redis_url, partitions=1) as store:
        yield Bench(store, tmp_path)


async def begin(context: RunContext) -> Upload:
    """Begin an upload, keep it, and send its first part."""
    upload = await context.objects.create_upload("archive", part_bytes=PART_BYTES)
    await context.save_checkpoint(Checkpoint("of mine", upload))
    await context.objects.upload_part(upload, 1, CONTENT[:PART_BYTES])
    return upload


def failing(error: Exception) -> Handler:
    """Make a handler that begins an upload and fails."""

    async def handle(_job: JobRecord, context: RunContext) -> Result:
        await begin(context)
        raise error

    return handle


async def go_on(job: JobRecord, context: RunContext) -> Result:
    """Complete what a run before this one has begun."""
    assert job.checkpoint is not None
    assert job.checkpoint.upload is not None
    upload = job.checkpoint.upload
    [first] = await context.objects.list_parts(upload)
    context.resumed_bytes = first.size_bytes
    second = await context.objects.upload_part(upload, 2, CONTENT[PART_BYTES:])
    await context.confirm()
    await context.objects.complete(upload, [first, second])
    return Result("archive", SUMMARY)


async def test_a_run_that_is_tried_again_leaves_its_upload_to_the_next_one(bench: Bench) -> None:
    job_id = await jobs.create(bench.store)

    retrying = await bench.run(job_id, failing(RetryableRunError("Not now.")))
    assert (retrying.state, bench.depot.count_uploads()) == (JobState.RETRYING, 1)
    completed = await bench.run(job_id, go_on)

    assert (completed.state, completed.checkpoint) == (JobState.COMPLETED, None)
    assert (bench.depot.objects(), bench.depot.count_uploads()) == (["archive"], 0)
    assert bench.metrics.resumed_bytes == [0, PART_BYTES]


async def test_a_processor_that_stops_leaves_its_upload_to_the_next_one(bench: Bench) -> None:
    has_begun = asyncio.Event()

    async def wait(_job: JobRecord, context: RunContext) -> Result:
        await begin(context)
        has_begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    job_id = await jobs.create(bench.store)
    execution = bench.execution(wait)
    executing = asyncio.create_task(execution.execute(await jobs.take(bench.store, job_id)))
    await has_begun.wait()
    execution.stop()
    await executing

    completed = await bench.run(job_id, go_on)

    assert (completed.state, completed.attempt) == (JobState.COMPLETED, 1)
    assert bench.depot.objects() == ["archive"]


@pytest.mark.parametrize(
    ("error", "max_failures"),
    [(PermanentRunError("Never."), 3), (RetryableRunError("Not now."), 1), (ZeroDivisionError(), 1)],
    ids=["permanent", "exhausted", "unexpected"],
)
async def test_a_job_that_fails_for_good_leaves_no_upload(bench: Bench, error: Exception, max_failures: int) -> None:
    job_id = await jobs.create(bench.store)

    failed = await bench.run(job_id, failing(error), max_failures=max_failures)

    assert failed.state is JobState.FAILED
    assert bench.depot.count_uploads() == 0


async def test_a_run_that_fails_for_good_before_it_goes_on_leaves_no_upload_of_the_run_before(bench: Bench) -> None:
    async def find_the_source_gone(_job: JobRecord, _context: RunContext) -> Result:
        raise PermanentRunError("The file is gone.")

    job_id = await jobs.create(bench.store)
    await bench.run(job_id, failing(RetryableRunError("Not now.")))

    failed = await bench.run(job_id, find_the_source_gone)

    assert (failed.state, bench.depot.count_uploads()) == (JobState.FAILED, 0)


async def test_a_job_that_is_cancelled_while_it_runs_leaves_no_upload(bench: Bench) -> None:
    has_begun = asyncio.Event()

    async def wait(_job: JobRecord, context: RunContext) -> Result:
        await begin(context)
        has_begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    entry = await jobs.take(bench.store, await jobs.create(bench.store))
    executing = asyncio.create_task(bench.execution(wait, renew_every_ms=20).execute(entry))
    await has_begun.wait()
    await jobs.cancel(bench.store, entry.job_id)
    await executing

    record = await bench.store.find(entry.job_id)
    assert record is not None
    assert (record.state, bench.depot.count_uploads()) == (JobState.CANCELLED, 0)


async def test_a_run_that_fails_before_it_learns_of_the_wish_ends_its_job_as_cancelled(bench: Bench) -> None:
    async def fail_at_once(job: JobRecord, context: RunContext) -> Result:
        await begin(context)
        await jobs.cancel(bench.store, job.job_id)
        raise RetryableRunError("Not now.")

    cancelled = await bench.run(await jobs.create(bench.store), fail_at_once)

    assert (cancelled.state, cancelled.failures, bench.depot.count_uploads()) == (JobState.CANCELLED, 0, 0)


async def test_a_superseded_run_leaves_the_upload_to_its_successor(bench: Bench) -> None:
    has_begun, is_robbed = asyncio.Event(), asyncio.Event()

    async def fail_late(_job: JobRecord, context: RunContext) -> Result:
        await begin(context)
        has_begun.set()
        await is_robbed.wait()
        raise PermanentRunError("Nobody wants to know any more.")

    job_id = await jobs.create(bench.store)
    entry = await jobs.take(bench.store, job_id)
    executing = asyncio.create_task(bench.execution(fail_late).execute(entry))
    await has_begun.wait()
    successor = await rob(bench.store, entry)
    is_robbed.set()
    await executing

    assert successor is not None
    assert bench.depot.count_uploads() == 1


async def rob(store: JobStore, entry: Entry) -> Checkpoint | None:
    """Let another processor claim a job whose lease is made to end; give the checkpoint that it finds."""
    record = await store.find(entry.job_id)
    assert record is not None
    await store.connection.execute("HSET", f"waybill:{{0}}:job:{entry.job_id}", "due_at", 0)
    await jobs.sweep(store, 0, lease_ms=0)
    run = await jobs.claim(store, await jobs.take(store, entry.job_id, processor="p2"), processor="p2")
    return run.record.checkpoint


async def test_an_upload_that_cannot_be_aborted_is_told_and_ends_nothing_otherwise(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def be_away(upload: UploadName) -> None:
        raise StoreUnavailable("It does not answer.", key=upload.key)

    monkeypatch.setattr(bench.objects, "abort", be_away)
    job_id = await jobs.create(bench.store)

    with capture_logs() as lines:
        failed = await bench.run(job_id, failing(PermanentRunError("Never.")))

    assert failed.state is JobState.FAILED
    assert failed.checkpoint is not None, "the janitor still knows of it"
    assert [line["trouble"] for line in lines if line["event"] == "an upload is left behind"] == ["It does not answer."]


async def test_a_mistake_in_aborting_an_upload_changes_nothing_about_the_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def break_down(_upload: UploadName) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(bench.objects, "abort", break_down)
    job_id = await jobs.create(bench.store)

    with capture_logs() as lines:
        failed = await bench.run(job_id, failing(PermanentRunError("Never.")))

    assert failed.state is JobState.FAILED
    logged = [line["event"] for line in lines if line["log_level"] in ("warning", "error")]
    assert logged == ["job failed", "an upload is left behind"]


async def test_a_processor_that_has_to_go_leaves_an_upload_that_cannot_be_aborted_in_time(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its watchdog would end it, with exit code 70; the janitor aborts the upload instead."""
    monkeypatch.setattr(limits, "ABORT_WITHIN_SECONDS", 3_600.0)
    monkeypatch.setattr(limits, "HAND_BACK_WITHIN_SECONDS", 0.5)
    has_begun = asyncio.Event()

    async def say_nothing(_upload: UploadName) -> None:
        await asyncio.Event().wait()

    async def fail_when_interrupted(_job: JobRecord, context: RunContext) -> Result:
        await begin(context)
        has_begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise PermanentRunError("Never.")

    monkeypatch.setattr(bench.objects, "abort", say_nothing)
    entry = await jobs.take(bench.store, await jobs.create(bench.store))
    execution = bench.execution(fail_when_interrupted)
    executing = asyncio.create_task(execution.execute(entry))
    await has_begun.wait()

    execution.stop()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await executing

    failed = await bench.store.find(entry.job_id)
    assert failed is not None
    assert (failed.state, failed.checkpoint is None) == (JobState.FAILED, False)


async def test_a_job_that_completes_under_another_key_leaves_no_upload(bench: Bench) -> None:
    async def begin_one_and_leave_another(_job: JobRecord, context: RunContext) -> Result:
        await begin(context)
        await context.leave("another", CONTENT)
        return Result("another", SUMMARY)

    completed = await bench.run(await jobs.create(bench.store), begin_one_and_leave_another)

    assert (completed.state, completed.checkpoint) == (JobState.COMPLETED, None)
    assert (bench.depot.objects(), bench.depot.count_uploads()) == (["another"], 0)


async def test_a_checkpoint_that_is_too_large_fails_its_job_and_says_so(bench: Bench) -> None:
    async def hoard(_job: JobRecord, context: RunContext) -> Result:
        largest = limits.MAX_CHECKPOINT_BYTES - len(msgspec.json.encode(Checkpoint("")))
        await context.save_checkpoint(Checkpoint("x" * (largest - len('"note":""'))))
        await context.save_checkpoint(Checkpoint("x" * limits.MAX_CHECKPOINT_BYTES))
        raise AssertionError

    failed = await bench.run(await jobs.create(bench.store), hoard)

    assert failed.error is not None
    assert (failed.state, failed.error.code) == (JobState.FAILED, "HANDLER_MISBEHAVED")
    assert "the limit is 4,096" in failed.error.message
    assert failed.checkpoint is not None
    assert len(msgspec.json.encode(failed.checkpoint)) == limits.MAX_CHECKPOINT_BYTES


async def test_the_handler_in_the_docs_writes_no_chapter_twice(bench: Bench) -> None:
    _, block, _ = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    module: dict[str, Any] = {}
    exec(block, module)  # the text of our own docs
    job_id = await jobs.create(bench.store)

    retrying = await bench.run(job_id, module["handle"])
    first, before = f"chapters/{job_id}/0", await bench.objects.head(f"chapters/{job_id}/0")
    completed = await bench.run(job_id, module["handle"])

    assert (retrying.state, retrying.checkpoint) == (JobState.RETRYING, Checkpoint("1"))
    assert (completed.state, completed.attempt) == (JobState.COMPLETED, 2)
    assert bench.depot.objects() == [first, f"chapters/{job_id}/1", f"chapters/{job_id}/index"]
    assert await bench.objects.head(first) == before
