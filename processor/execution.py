"""One run of one job, from its claim to its end.

claim ─▶ handler ∥ lease ∥ progress ─▶ settlement: complete | retry_later | fail | release
             ▲                         (nothing at all when superseded)
             └── interrupted when the lease is lost or the processor stops
"""

import asyncio
import secrets

import structlog
from opentelemetry import trace

from processor.context import Handler, Result, RunContext
from processor.lease import Lease
from processor.metrics import ProcessorMetrics
from processor.outcome import crashed_too_often
from processor.repeater import Repeater
from processor.reporter import ProgressReporter
from processor.settlement import RunPolicy, Settlement
from shared import events, limits
from shared.clock import now_ms
from shared.errors import WaybillError
from shared.jobstore.store import Buried, ClaimTerms, Entry, JobStore, NotDue, Run
from shared.telemetry.tracing import context_of

log = structlog.get_logger(__name__)
tracer = trace.get_tracer("waybill.processor")


class Execution:
    """Runs the job of one command entry with a handler. Made for one entry, used once."""

    def __init__(self, store: JobStore, handler: Handler, policy: RunPolicy, metrics: ProcessorMetrics) -> None:
        self._store = store
        self._handler = handler
        self._policy = policy
        self._metrics = metrics
        self._repeater = Repeater(lease_ms=policy.lease_ms)
        self._interrupted = asyncio.Event()
        self._is_stopping = False

    def stop(self) -> None:
        """End the run soon and hand the job back uncounted, so that another processor starts it at once."""
        self._is_stopping = True
        self._repeater.hurry()
        self._interrupted.set()

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
        match await self._repeater.insist(lambda: self._store.claim(entry, token, self._terms())):
            case Run() as run:
                return run
            case NotDue(wait_ms):
                log.debug("job not due", wait_ms=wait_ms)
            case Buried(attempts, processor):
                log.error("job failed", reason="crashes", code="CRASHED", attempts=attempts, processor=processor)
                self._metrics.count_burial()
            case None:
                log.debug("job has no run to give")
        return None

    def _terms(self) -> ClaimTerms:
        at_ms = now_ms()
        error = crashed_too_often(limits.MAX_CRASHES)
        return ClaimTerms(
            processor=self._policy.processor,
            lease_ms=self._policy.lease_ms,
            started_message=events.encode_started(at_ms),
            buried_message=events.encode(events.Failed(error, can_retry=True, at=events.timestamp(at_ms))),
            buried_error=error,
            expires_at_ms=self._policy.expires_at_ms(at_ms),
            retention_ms=self._policy.retention_ms,
        )

    async def _run(self, run: Run) -> None:
        lease = Lease(
            self._store,
            run,
            processor=self._policy.processor,
            lease_ms=self._policy.lease_ms,
            renew_every_ms=self._policy.renew_every_ms,
            on_lost=self._interrupted.set,
        )
        context = RunContext(confirm=lease.confirm)
        work = asyncio.create_task(self._handler(run.record, context), name="work")
        companions = (
            asyncio.create_task(lease.keep(), name="lease"),
            asyncio.create_task(ProgressReporter(self._store, run, context, lease).report(), name="progress"),
        )
        for companion in companions:
            companion.add_done_callback(self._companion_ended)
        try:
            await self._wait_for(work)
        finally:
            for companion in companions:
                companion.cancel()
            await asyncio.wait(companions)
        if not lease.is_lost:
            await self._settle(run, work, context)

    async def _wait_for(self, work: asyncio.Task[Result]) -> None:
        """Return when the handler has ended; once the run is interrupted, it is given a bounded time to do so."""
        interrupted = asyncio.create_task(self._interrupted.wait(), name="interrupted")
        try:
            await asyncio.wait({work, interrupted}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                work.cancel()
                await asyncio.wait({work}, timeout=limits.STOP_WORK_WITHIN_SECONDS)
            if not work.done():
                log.error("the handler does not stop; it is left behind")
        finally:
            interrupted.cancel()

    def _companion_ended(self, companion: asyncio.Task[None]) -> None:
        if not companion.cancelled() and (error := companion.exception()):
            # Without it the run would go on unseen, or lose its lease in silence.
            log.error("run's companion broke", companion=companion.get_name(), exc_info=error)
            self._interrupted.set()

    async def _settle(self, run: Run, work: asyncio.Task[Result], context: RunContext) -> None:
        settlement = Settlement(self._store, run, self._policy, self._metrics, self._repeater)
        error = _error_of(work)
        if error is None:
            await settlement.complete(work.result(), context.report_so_far)
        elif self._is_stopping and not (isinstance(error, WaybillError) and not error.is_retryable):
            await settlement.release()
        else:
            await settlement.fail_or_retry(error)


def _error_of(work: asyncio.Task[Result]) -> BaseException | None:
    if not work.done() or work.cancelled():
        return RuntimeError("the handler was interrupted, or cancelled itself")
    return work.exception()
