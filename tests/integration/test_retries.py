"""A retry from end to end: consumer, execution and sweeper of one processor, on a real job store."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from opentelemetry import metrics

from processor.consumer import Consumer
from processor.context import Result, RunContext
from processor.drain import Drain
from processor.execution import Execution
from processor.maintenance.sweeper import Sweeper
from processor.metrics import ProcessorMetrics
from processor.outcome import RetryPolicy
from processor.settlement import RunPolicy
from processor.work import Work
from shared.errors import RetryableRunError
from shared.jobs import BundleSummary, JobError, JobRecord, JobState
from shared.jobstore.operations import Answer, Buried, Cancelled, ClaimTerms, Damaged, Entry, NotDue, Run
from shared.jobstore.store import JobStore
from shared.objects.directory import ObjectDirectory
from shared.retention import Retention
from tests.support import inspection, jobs
from tests.support.stores import pretend_long_health, running, running_commands

LEASE_MS = 400
DELAY_MS = 5_000
# Floor and cap are the same: no chance in the delay.
RETRY = RetryPolicy(max_failures=2, base_ms=DELAY_MS, cap_ms=DELAY_MS, floor_ms=DELAY_MS)
POLICY = RunPolicy(processor="p1", lease_ms=LEASE_MS, renew_every_ms=100, retention=Retention(60), retry=RETRY)


class WatchedStore(JobStore):
    """A job store that notes which claims came too early, and when the retry is due by the record."""

    too_early = 0
    due_at_ms = 0

    async def claim(
        self, entry: Entry, token: str, terms: ClaimTerms
    ) -> Run | NotDue | Buried | Cancelled | Damaged | None:
        """Note a claim that is not due."""
        answer = await super().claim(entry, token, terms)
        self.too_early += isinstance(answer, NotDue)
        return answer

    async def retry_later(self, run: Run, *, message: bytes, error: JobError, delay_ms: int, lease_ms: int) -> Answer:
        """Note when the retry is due."""
        answer = await super().retry_later(run, message=message, error=error, delay_ms=delay_ms, lease_ms=lease_ms)
        record = await self.find(run.job_id)
        assert record is not None
        self.due_at_ms = record.due_at_ms
        return answer


@pytest_asyncio.fixture
async def store(redis_url: str) -> AsyncIterator[WatchedStore]:
    """A store with one partition."""
    async with running_commands(redis_url) as commands:
        store = WatchedStore(commands, partitions=1)
        await store.prepare()
        yield store


class FailingOnce:
    """A handler whose first run fails; it keeps the records that it was given."""

    def __init__(self) -> None:
        self.given: list[JobRecord] = []
        self.has_succeeded = asyncio.Event()

    async def handle(self, job: JobRecord, _context: RunContext) -> Result:
        """Fail, then succeed."""
        self.given.append(job)
        if len(self.given) == 1:
            raise RetryableRunError("The source is away for a moment.")
        self.has_succeeded.set()
        return Result("x", BundleSummary(files=1, archive_bytes=0, archive_crc32="00000000"))


@contextlib.asynccontextmanager
async def processor(store: JobStore, home: Path, handler: FailingOnce) -> AsyncIterator[None]:
    """Run consumer and sweeper, and stop them as a processor does."""
    meter = ProcessorMetrics(metrics.get_meter("test"))

    def new_execution() -> Execution:
        return Execution(store, Work(handler.handle, ObjectDirectory(home)), POLICY, meter)

    consumer = Consumer(
        store, None, processor="p1", slots=2, may_work=lambda: True, new_execution=new_execution, drain=Drain(meter)
    )
    async with running(Sweeper(store, processor="p1", lease_ms=LEASE_MS).run):
        consuming = asyncio.create_task(consumer.run())
        yield
        consumer.stop()
        await consuming


async def test_a_retry_whose_delay_is_longer_than_the_lease_comes_when_it_is_due_and_costs_one_failure(
    store: WatchedStore, tmp_path: Path
) -> None:
    handler = FailingOnce()
    job_id = await jobs.create(store)
    pretend_long_health(store)

    async with asyncio.timeout(20), processor(store, tmp_path, handler):
        await handler.has_succeeded.wait()

    _, second = handler.given
    record = await store.find(job_id)
    assert record is not None
    assert store.too_early >= 1
    assert second.updated_at_ms >= store.due_at_ms
    # A turn of the sweeper, a look of the consumer, a lease by which the last re-ageing was too late; and some load.
    assert second.updated_at_ms - store.due_at_ms < 8_000
    assert (record.state, record.attempt, record.failures, record.crashes) == (JobState.COMPLETED, 2, 1, 0)
    assert await inspection.event_types(store, job_id) == ["queued", "started", "retrying", "started", "completed"]
    assert (await store.backlog(0)).unfinished == 0
