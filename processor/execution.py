"""One run of one job, from its claim to its end.

claim ─▶ handler ∥ lease ∥ progress ─▶ outcome ─▶ finish | retry_later | release
             ▲                                       (nothing at all when superseded)
             └── cancelled when the lease is lost or the processor stops
"""

import asyncio
import contextlib
import random
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import msgspec
import structlog
from opentelemetry import trace

from processor.context import Handler, Result, RunContext
from processor.lease import Lease
from processor.metrics import ProcessorMetrics
from processor.outcome import Fail, RetryLater, RetryPolicy, after_error, crashed_too_often
from processor.progress import ProgressPace, final_progress
from shared import events, limits
from shared.errors import RedisFull, UnavailableError
from shared.jobs import JobRecord
from shared.jobstore.store import Answer, Buried, ClaimTerms, Ending, Entry, JobStore, NotDue, Run
from shared.telemetry.tracing import context_of

log = structlog.get_logger(__name__)
T = TypeVar("T")

tracer = trace.get_tracer("waybill.processor")


class RunPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How runs are kept, retried and remembered."""

    processor: str
    lease_ms: int
    renew_every_ms: int
    keep_seconds: int
    retry: RetryPolicy = RetryPolicy()

    @property
    def retention_ms(self) -> int:
        """How long Redis remembers an ended job: its archive's life, its tombstone's, and some slack."""
        return (self.keep_seconds + limits.TOMBSTONE_SECONDS + limits.RETENTION_SLACK_SECONDS) * 1000


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class Execution:
    """Runs the job of one command entry with a handler. Made for one entry, used once."""

    def __init__(self, store: JobStore, handler: Handler, policy: RunPolicy, metrics: ProcessorMetrics) -> None:
        self._store = store
        self._handler = handler
        self._policy = policy
        self._metrics = metrics
        self._work: asyncio.Task[Result] | None = None
        self._is_stopping = False

    def stop(self) -> None:
        """End the run soon and hand the job back uncounted, so that another processor starts it at once."""
        self._is_stopping = True
        if self._work:
            self._work.cancel()

    async def execute(self, entry: Entry) -> None:
        """Claim the entry's job and see the run through; the fate of the job is in Redis when this returns."""
        with structlog.contextvars.bound_contextvars(job_id=entry.job_id):
            run = await self._claim(entry)
            if run is None:
                return
            parent = context_of(run.record.traceparent)
            with tracer.start_as_current_span("run", context=parent, attributes={"job_id": run.job_id}):
                log.info("job started", attempt=run.record.attempt, epoch=run.epoch)
                self._metrics.count_start(run)
                await self._run(run)

    async def _claim(self, entry: Entry) -> Run | None:
        # The same token in every try: when only the reply was lost, the repetition is answered with the same claim.
        token = secrets.token_hex(16)
        claimed = await self._insist(lambda: self._store.claim(entry, token, self._terms()))
        match claimed:
            case Run():
                return claimed
            case NotDue(wait_ms):
                log.debug("job not due", wait_ms=wait_ms)
            case Buried():
                log.error("job failed", reason="crashes", code="CRASHED")
                self._metrics.count_burial()
            case None:
                log.debug("job has no run to give")
        return None

    def _terms(self) -> ClaimTerms:
        now_ms = _now_ms()
        error = crashed_too_often(limits.MAX_CRASHES)
        return ClaimTerms(
            processor=self._policy.processor,
            lease_ms=self._policy.lease_ms,
            started_message=events.encode_started(now_ms),
            buried_message=events.encode(events.Failed(error, can_retry=True, at=events.timestamp(now_ms))),
            buried_error=error,
            expires_at_ms=now_ms + self._policy.keep_seconds * 1000,
            retention_ms=self._policy.retention_ms,
        )

    async def _run(self, run: Run) -> None:
        context = RunContext(confirm=lambda: lease.confirm())  # noqa: PLW0108  # the lease is made after it
        self._work = work = asyncio.create_task(_as_coroutine(self._handler, run.record, context), name="work")
        lease = Lease(
            self._store,
            run,
            processor=self._policy.processor,
            lease_ms=self._policy.lease_ms,
            renew_every_ms=self._policy.renew_every_ms,
            on_lost=work.cancel,
        )
        if self._is_stopping:
            work.cancel()
        companions = (
            asyncio.create_task(lease.keep(), name="lease"),
            asyncio.create_task(self._tell_progress(run, context, lease), name="progress"),
        )
        try:
            await asyncio.wait({work})
        finally:
            for companion in companions:
                companion.cancel()
            await asyncio.wait(companions)
            _log_broken(companions)
        if not lease.is_lost:
            await self._settle(run, work, context)

    async def _tell_progress(self, run: Run, context: RunContext, lease: Lease) -> None:
        pace = ProgressPace(floor_ratio=run.record.progress.progress)
        seq = run.record.seq
        while True:
            report = await context.next_report()
            wait_ms = pace.due_in_ms(report, _monotonic_ms())
            if wait_ms is None:
                continue
            if wait_ms:
                await asyncio.sleep(wait_ms / 1000)
                report = context.latest()
            seq += 1
            message = events.encode(pace.event(report, now_ms=_monotonic_ms(), at_ms=_now_ms()))
            if not await self._append(run, lease, seq, message):
                return

    async def _append(self, run: Run, lease: Lease, seq: int, message: bytes) -> bool:
        """Append one event, again and again until it is answered; False when the run is superseded."""
        while True:
            try:
                async with lease.turn:
                    answer = await self._store.append_progress(run, seq=seq, message=message)
                return lease.note(answer)
            except RedisFull:
                await asyncio.sleep(random.uniform(1, 2) * limits.PROGRESS_EVERY_MS / 1000)
            except UnavailableError:
                await asyncio.sleep(random.uniform(0.5, 1.0) * limits.RECONNECT_MAX_SECONDS)

    async def _settle(self, run: Run, work: asyncio.Task[Result], context: RunContext) -> None:
        """Write the end of the run into Redis."""
        if work.cancelled():
            error: BaseException | None = None if self._is_stopping else RuntimeError("the handler cancelled itself")
        else:
            error = work.exception()
        if error is not None:
            await self._settle_error(run, error)
        elif work.cancelled():
            await self._release(run)
        else:
            await self._complete(run, work.result(), context)

    async def _complete(self, run: Run, result: Result, context: RunContext) -> None:
        now_ms = _now_ms()
        expires_at_ms = now_ms + self._policy.keep_seconds * 1000
        message = events.completed(f"/v1/download/jobs/{run.job_id}/file", result.bundle, expires_at_ms, now_ms)
        ending = Ending(
            message=events.encode(message),
            expires_at_ms=expires_at_ms,
            retention_ms=self._policy.retention_ms,
            object_key=result.object_key,
            bundle=result.bundle,
            progress=final_progress(context.report_so_far),
        )
        if await self._write(lambda: self._store.finish(run, ending)):
            log.info("job completed", archive_bytes=result.bundle.archive_bytes, files=result.bundle.files)
            self._metrics.count_completion(run, now_ms)

    async def _settle_error(self, run: Run, error: BaseException) -> None:
        decision = after_error(
            error, failures=run.record.failures, policy=self._policy.retry, random_ratio=random.random()
        )
        if decision.error.code == "INTERNAL":
            log.error("run failed unexpectedly", exc_info=error)
        match decision:
            case RetryLater():
                await self._retry_later(run, decision)
            case Fail():
                await self._fail(run, decision)

    async def _retry_later(self, run: Run, decision: RetryLater) -> None:
        retrying = events.Retrying(
            attempt=run.record.attempt,
            max_attempts=self._policy.retry.max_failures,
            error=decision.error,
            retry_in_seconds=decision.delay_ms / 1000,
            at=events.timestamp(_now_ms()),
        )
        message = events.encode(retrying)
        if await self._write(
            lambda: self._store.retry_later(
                run,
                message=message,
                error=decision.error,
                delay_ms=decision.delay_ms,
                lease_ms=self._policy.lease_ms,
            )
        ):
            log.warning(
                "job retrying", code=decision.error.code, error=decision.error.message, delay_ms=decision.delay_ms
            )

    async def _fail(self, run: Run, decision: Fail) -> None:
        now_ms = _now_ms()
        ending = Ending(
            message=events.encode(events.Failed(decision.error, decision.can_retry, at=events.timestamp(now_ms))),
            expires_at_ms=now_ms + self._policy.keep_seconds * 1000,
            retention_ms=self._policy.retention_ms,
            error=decision.error,
            reason=decision.reason,
        )
        if await self._write(lambda: self._store.finish(run, ending)):
            log.error("job failed", reason=decision.reason, code=decision.error.code, error=decision.error.message)
            self._metrics.count_failure(run, now_ms)

    async def _release(self, run: Run) -> None:
        queued = events.Queued(
            at=events.timestamp(_now_ms()), message="The processor is restarting; another one takes over."
        )
        if await self._write(lambda: self._store.release(run, message=events.encode(queued))):
            log.info("job released")

    async def _write(self, operation: Callable[[], Awaitable[Answer]]) -> bool:
        """Write the end of a run; True when it is ours that stands (DONE: an earlier try had arrived)."""
        answer = await self._insist(operation)
        if answer in (Answer.OK, Answer.DONE):
            return True
        log.warning("job superseded at its end", answer=answer)
        return False

    @staticmethod
    async def _insist(operation: Callable[[], Awaitable[T]]) -> T | None:
        """Repeat an operation until Redis answers; None after five minutes (the lease has long run out then)."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limits.SETTLE_WITHIN_SECONDS):
                while True:
                    try:
                        return await operation()
                    except UnavailableError:
                        await asyncio.sleep(random.uniform(0.2, 1.0) * limits.RECONNECT_MAX_SECONDS)
        return None


def _log_broken(companions: Iterable[asyncio.Task[None]]) -> None:
    for companion in companions:
        if not companion.cancelled() and (error := companion.exception()):
            log.error("run's companion broke", companion=companion.get_name(), exc_info=error)


async def _as_coroutine(handler: Handler, job: JobRecord, context: RunContext) -> Result:
    return await handler(job, context)


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000
