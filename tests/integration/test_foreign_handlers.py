"""Handlers that misbehave, run by the engine on a real job store: each ends its own run, and nothing else."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from opentelemetry import metrics

from processor.consumer import Consumer
from processor.context import Result, RunContext
from processor.drain import Drain
from processor.execution import Execution
from processor.metrics import ProcessorMetrics
from processor.outcome import RetryPolicy
from processor.settlement import RunPolicy
from processor.work import Work
from shared.errors import HandlerMisbehaved, PermanentRunError
from shared.jobs import BundleSummary, Checkpoint, JobRecord, JobState
from shared.jobstore.store import JobStore
from shared.objects.directory import ObjectDirectory
from shared.retention import Retention
from tests.load.idle_handler import NOTHING
from tests.support import inspection, jobs
from tests.support.depots import DirectoryDepot
from tests.support.stores import running_store

DOCS = Path(__file__).resolve().parents[2] / "docs" / "handlers.md"
POLICY = RunPolicy(
    processor="p1",
    lease_ms=jobs.LEASE_MS,
    renew_every_ms=1_000,
    retention=Retention(60),
    retry=RetryPolicy(max_failures=1),
)


@pytest_asyncio.fixture
async def store(redis_url: str) -> AsyncIterator[JobStore]:
    """A store with one partition."""
    async with running_store(redis_url, partitions=1) as running:
        yield running


def new_execution(store: JobStore, handler: Any, home: Path) -> Execution:
    """Make the execution of one entry, with a handler."""
    meter = ProcessorMetrics(metrics.get_meter("test"))
    return Execution(store, Work(handler, ObjectDirectory(home)), POLICY, meter)


async def execute(store: JobStore, home: Path, handler: Any) -> JobRecord:
    """Run one job with a handler; give its record afterwards."""
    job_id = await jobs.create(store)
    execution = new_execution(store, handler, home)
    await execution.execute(await jobs.take(store, job_id))
    record = await store.find(job_id)
    assert record is not None
    return record


def returning(result: object) -> Any:
    """Make a handler that returns this."""

    async def handle(_job: JobRecord, _context: RunContext) -> object:
        return result

    return handle


def raising(error: BaseException) -> Any:
    """Make a handler that raises this."""

    async def handle(_job: JobRecord, _context: RunContext) -> Result:
        raise error

    return handle


def not_async(_job: JobRecord, _context: RunContext) -> None:
    """Is a plain function."""


NONSENSE: dict[str, Any] = {
    "nothing": None,
    "a dict": {"object_key": "x"},
    "a wrong field": Result(7, BundleSummary(files=1, archive_bytes=1, archive_crc32="00")),  # type: ignore[arg-type]
    "a wrong summary": Result("x", {"files": 1}),  # type: ignore[arg-type]
    "what cannot be encoded": Result("x", object()),  # type: ignore[arg-type]
    "a key that cannot be written": Result("\udcff", NOTHING),
    "a key that leaves the store": Result("../../etc/passwd", NOTHING),
    "an object that nobody left": Result("nope/none.zip", BundleSummary(files=1, archive_bytes=1, archive_crc32="00")),
}


@pytest.mark.parametrize("result", NONSENSE.values(), ids=NONSENSE)
async def test_nonsense_in_place_of_a_result_fails_the_job_with_a_dead_letter(
    store: JobStore, tmp_path: Path, result: object
) -> None:
    record = await execute(store, tmp_path, returning(result))

    assert record.state is JobState.FAILED
    assert record.error is not None
    assert record.error.code == "HANDLER_MISBEHAVED"
    (letter,) = await inspection.dead_letters(store, 0)
    assert letter.fields["reason"] == "permanent"


async def test_the_error_in_the_docs_fails_the_job_with_its_own_code_and_the_files(
    store: JobStore, tmp_path: Path
) -> None:
    _, _, block = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    module: dict[str, Any] = {}
    exec(block, module)  # the text of our own docs

    record = await execute(store, tmp_path, module["handle"])

    assert record.state is JobState.FAILED
    assert record.error is not None
    assert record.error.code == "NOT_LICENSED"
    assert record.error.file_ids == tuple(file_id for file_id in record.file_ids if file_id % 2 == 0)
    assert record.error.message == f"{len(record.error.file_ids)} of the files may not be delivered."


class OddError(PermanentRunError):
    """An error of somebody else's that breaks the house's rules."""

    def __init__(self) -> None:
        super().__init__("a name \udcff that cannot be written")
        self.file_ids = None  # type: ignore[assignment]


async def test_an_error_that_cannot_be_written_fails_the_job_with_what_can(store: JobStore, tmp_path: Path) -> None:
    record = await execute(store, tmp_path, raising(OddError()))

    assert record.state is JobState.FAILED
    assert record.error is not None
    assert record.error.message == "a name ? that cannot be written"


@pytest.mark.parametrize(
    "handler",
    [raising(SystemExit(3)), raising(KeyboardInterrupt()), raising(GeneratorExit()), raising(StopAsyncIteration()),
     raising(asyncio.CancelledError()), raising(BaseException("odd")), not_async],
    ids=["sys.exit", "keyboard", "generator exit", "stop iteration", "cancels itself", "base", "not async"],
)  # fmt: skip
async def test_whatever_a_handler_raises_is_a_failed_run(store: JobStore, tmp_path: Path, handler: Any) -> None:
    record = await execute(store, tmp_path, handler)

    assert record.state is JobState.FAILED
    assert record.error is not None
    assert (record.error.code, record.failures) == ("INTERNAL", 1)
    assert "sys.exit" not in record.error.message


async def test_a_handler_that_refuses_to_be_cancelled_is_left_behind_and_its_job_settled(
    store: JobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.limits.STOP_WORK_WITHIN_SECONDS", 0.05)
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def handle(_job: JobRecord, _context: RunContext) -> Result:
        begun.set()
        while not may_end.is_set():
            try:
                await may_end.wait()
            except asyncio.CancelledError:
                sys.stdout.write("not now\n")
        raise RuntimeError("late")

    job_id = await jobs.create(store)
    execution = new_execution(store, handle, tmp_path)
    executing = asyncio.create_task(execution.execute(await jobs.take(store, job_id)))
    await begun.wait()
    execution.stop()
    await executing

    record = await store.find(job_id)
    assert record is not None
    assert (record.state, record.attempt) == (JobState.QUEUED, 0)
    may_end.set()


async def test_a_small_object_is_left_whole(store: JobStore, tmp_path: Path) -> None:
    async def handle(job: JobRecord, context: RunContext) -> Result:
        await context.leave(f"reports/{job.epoch}", b"done")
        return Result(f"reports/{job.epoch}", BundleSummary(files=1, archive_bytes=4, archive_crc32="00000000"))

    assert (await execute(store, tmp_path, handle)).state is JobState.COMPLETED
    assert (tmp_path / "reports" / "1").read_bytes() == b"done"


@pytest.mark.parametrize("content", [b"never", b""], ids=["not confirmed", "empty"])
async def test_a_small_object_that_is_not_confirmed_leaves_nothing(tmp_path: Path, content: bytes) -> None:
    async def refuse(_checkpoint: Checkpoint | None = None) -> None:
        assert DirectoryDepot(tmp_path).count_uploads() == 1, "the part is there by now"
        raise RuntimeError("somebody else owns the job")

    context = RunContext(objects=ObjectDirectory(tmp_path), confirm=refuse, keep=refuse, on_first_report=lambda: None)

    with pytest.raises((RuntimeError, HandlerMisbehaved)):
        await context.leave("reports/1", content)

    assert (DirectoryDepot(tmp_path).count_uploads(), DirectoryDepot(tmp_path).objects()) == (0, [])


async def test_an_entry_that_is_not_due_is_not_asked_about_without_a_pause(store: JobStore) -> None:
    await jobs.start(store, processor="p1")  # a run of ours that broke, with its lease still going on
    executions: list[Execution] = []
    has_begun = asyncio.Event()

    def begin() -> Execution:
        executions.append(new_execution(store, raising(AssertionError()), Path("nowhere")))
        has_begun.set()
        return executions[-1]

    drain = Drain(ProcessorMetrics(metrics.get_meter("test")))
    consumer = Consumer(store, None, processor="p1", slots=2, may_work=lambda: True, new_execution=begin, drain=drain)
    working = asyncio.create_task(consumer.run())
    await has_begun.wait()
    await asyncio.sleep(0.5)
    consumer.stop()
    await working

    assert len(executions) == 1


async def test_a_run_that_is_cancelled_while_it_completes_tells_the_janitor_what_it_may_have_left(
    store: JobStore, tmp_path: Path
) -> None:
    has_begun = asyncio.Event()

    async def handle(_job: JobRecord, context: RunContext) -> Result:
        context.object_key = "reports/1"
        has_begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    job_id = await jobs.create(store)
    executing = asyncio.create_task(new_execution(store, handle, tmp_path).execute(await jobs.take(store, job_id)))
    await has_begun.wait()
    await jobs.cancel(store, job_id)
    await executing

    record = await store.find(job_id)
    assert record is not None
    assert (record.state, record.object_key) == (JobState.CANCELLED, "reports/1")
