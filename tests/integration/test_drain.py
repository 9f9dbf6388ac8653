"""What a consumer does with what it has when it is told to drain: each state in which an entry can be in its hands."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from pathlib import Path
from typing import Any

import pytest_asyncio
from opentelemetry.metrics import NoOpMeter
from structlog.testing import capture_logs

from processor.consumer import Consumer
from processor.context import Result, RunContext
from processor.drain import Drain
from processor.execution import Execution
from processor.metrics import ProcessorMetrics
from processor.settlement import RunPolicy
from processor.work import Work
from shared.errors import RetryableRunError
from shared.jobs import BundleSummary, JobRecord, JobState
from shared.jobstore.operations import Buried, Cancelled, ClaimTerms, Damaged, Entry, NotDue, Run
from shared.jobstore.store import JobStore
from shared.objects.directory import ObjectDirectory
from shared.retention import Retention
from tests.support import inspection, jobs
from tests.support.stores import running_commands

POLICY = RunPolicy(processor="p1", lease_ms=15_000, renew_every_ms=5_000, retention=Retention(3_600))
NOTHING = Result("x", BundleSummary(files=1, archive_bytes=0, archive_crc32="00000000"))
LONG_ENOUGH_SECONDS = 60.0


class Interrupted(JobStore):
    """A store that calls back in the midst of its operations."""

    on_taken: Callable[[], object] = staticmethod(lambda: None)
    on_claim_sent: Callable[[], object] = staticmethod(lambda: None)

    async def take(self, partition: int, *, processor: str, most: int, in_hand: Collection[str]) -> list[Entry]:
        """Take entries."""
        entries = await super().take(partition, processor=processor, most=most, in_hand=in_hand)
        if entries:
            self.on_taken()
        return entries

    async def claim(
        self, entry: Entry, token: str, terms: ClaimTerms
    ) -> Run | NotDue | Buried | Cancelled | Damaged | None:
        """Claim an entry."""
        self.on_claim_sent()
        return await super().claim(entry, token, terms)


@pytest_asyncio.fixture
async def store(redis_url: str) -> AsyncIterator[Interrupted]:
    """A store with one partition."""
    async with running_commands(redis_url) as commands:
        store = Interrupted(commands, partitions=1)
        await store.prepare()
        yield store


class Bench:
    """A consumer with a handler that waits until it may go on, and then does as it is told."""

    def __init__(self, store: JobStore, home: Path, *, slots: int = 2) -> None:
        metrics = ProcessorMetrics(NoOpMeter("test"))
        self.error: Exception | None = None
        self.begun = asyncio.Event()
        self.may_go_on = asyncio.Event()
        work = Work(self._handle, ObjectDirectory(home))
        self.consumer = Consumer(
            store,
            None,
            processor="p1",
            slots=slots,
            may_work=lambda: True,
            new_execution=lambda: Execution(store, work, POLICY, metrics),
            drain=Drain(metrics),
        )

    def drain(self) -> None:
        """Begin to drain, with time for everything."""
        self.consumer.drain(within_seconds=LONG_ENOUGH_SECONDS)

    async def work(self) -> dict[str, Any]:
        """Consume to the end of the drain; give what was said of it then."""
        with capture_logs() as logged:
            async with asyncio.timeout(LONG_ENOUGH_SECONDS / 2):
                await self.consumer.run()
        [account] = [line for line in logged if line["event"] == "processor drained"]
        return {name: account[name] for name in ("finished", "handed_back", "left")}

    async def _handle(self, _job: JobRecord, _context: RunContext) -> Result:
        self.begun.set()
        await self.may_go_on.wait()
        if self.error:
            raise self.error
        return NOTHING


async def test_an_entry_that_comes_in_a_late_reply_is_free_for_others(store: Interrupted, tmp_path: Path) -> None:
    bench = Bench(store, tmp_path)
    store.on_taken = bench.drain

    await assert_given_back(store, bench)


async def test_an_entry_whose_claim_was_not_sent_is_free_for_others(store: Interrupted, tmp_path: Path) -> None:
    bench = Bench(store, tmp_path)
    # The execution is made by then, and has not had its turn yet.
    store.on_taken = lambda: asyncio.get_running_loop().call_soon(bench.drain)

    await assert_given_back(store, bench)


async def assert_given_back(store: JobStore, bench: Bench) -> None:
    """Create a job, and see that it is offered to all and was never begun."""
    job_id = await jobs.create(store)

    account = await bench.work()

    assert account == {"finished": 0, "handed_back": 0, "left": 0}
    assert list((await inspection.pending(store, 0)).values()) == ["ready"]
    assert await inspection.event_types(store, job_id) == ["queued"]


async def test_a_claim_that_was_sent_is_seen_through(store: Interrupted, tmp_path: Path) -> None:
    job_id = await jobs.create(store)
    bench = Bench(store, tmp_path)
    bench.may_go_on.set()
    store.on_claim_sent = bench.drain

    account = await bench.work()

    assert account == {"finished": 1, "handed_back": 0, "left": 0}
    assert await inspection.event_types(store, job_id) == ["queued", "started", "completed"]


async def test_nothing_is_taken_during_a_drain(store: Interrupted, tmp_path: Path) -> None:
    await jobs.create(store)
    bench = Bench(store, tmp_path)
    working = asyncio.create_task(bench.work())
    await bench.begun.wait()
    bench.drain()

    new = await jobs.create(store)
    bench.may_go_on.set()
    await working

    assert await inspection.event_types(store, new) == ["queued"]
    assert await inspection.pending(store, 0) == {}


async def test_a_run_that_fails_during_a_drain_has_failed(store: Interrupted, tmp_path: Path) -> None:
    job_id = await jobs.create(store)
    bench = Bench(store, tmp_path)
    bench.error = RetryableRunError("The source is away.")
    working = asyncio.create_task(bench.work())
    await bench.begun.wait()
    bench.drain()
    bench.may_go_on.set()

    account = await working

    record = await store.find(job_id)
    assert record is not None
    assert account == {"finished": 1, "handed_back": 0, "left": 0}
    assert (record.state, record.failures) == (JobState.RETRYING, 1)


async def test_a_job_that_is_not_due_holds_nothing_up(store: Interrupted, tmp_path: Path) -> None:
    run = await jobs.start(store, partition=0)
    await store.retry_later(run, message=jobs.RETRYING, error=jobs.BROKEN, delay_ms=60_000, lease_ms=jobs.LEASE_MS)
    await jobs.sweep(store, 0, lease_ms=0)
    bench = Bench(store, tmp_path)
    store.on_claim_sent = bench.drain

    account = await bench.work()

    assert account == {"finished": 0, "handed_back": 0, "left": 0}
    assert await inspection.pending(store, 0) == {run.record.entry: "parked"}


async def test_what_runs_for_longer_than_the_bound_is_handed_back_uncounted(store: Interrupted, tmp_path: Path) -> None:
    job_id = await jobs.create(store)
    bench = Bench(store, tmp_path)
    working = asyncio.create_task(bench.work())
    await bench.begun.wait()

    bench.consumer.drain(within_seconds=0.01)
    account = await working

    record = await store.find(job_id)
    assert record is not None
    assert account == {"finished": 0, "handed_back": 1, "left": 0}
    assert (record.state, record.attempt, record.failures, record.crashes) == (JobState.QUEUED, 0, 0, 0)
    assert list((await inspection.pending(store, 0)).values()) == ["ready"]


async def test_a_run_whose_job_is_gone_is_neither_finished_nor_handed_back(store: Interrupted, tmp_path: Path) -> None:
    await jobs.create(store)
    bench = Bench(store, tmp_path)
    working = asyncio.create_task(bench.work())
    await bench.begun.wait()
    bench.drain()

    await store.connection.execute("FLUSHALL")
    bench.may_go_on.set()

    assert await working == {"finished": 0, "handed_back": 0, "left": 1}
