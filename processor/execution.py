"""One run of one job, from its claim to its end.

claim ─▶ handler ∥ lease ∥ progress ─▶ settlement: complete | retry_later | fail | release
             ▲                         (nothing at all when superseded)
             └── interrupted when the lease is lost, the job cancelled, or the processor's drain is over
"""

import asyncio
import functools
import secrets
from collections.abc import Coroutine
from typing import Any, NamedTuple

import structlog
from opentelemetry import trace

from processor.context import Result, RunContext
from processor.lease import Lease
from processor.metrics import ProcessorMetrics
from processor.outcome import (
    Fate,
    blames_a_store,
    crashed_too_often,
    damaged_record,
    describe_for_operators,
    foreign_entry,
)
from processor.repeater import Repeater
from processor.reporter import ProgressReporter
from processor.settlement import Leavings, RunPolicy, Settlement
from processor.work import Work, handle
from shared import events, limits
from shared.clock import now_ms
from shared.errors import WaybillError
from shared.jobstore.damage import bury_damaged, bury_foreign
from shared.jobstore.operations import Buried, Cancelled, ClaimTerms, Damaged, Entry, NotDue, Run
from shared.jobstore.store import JobStore
from shared.telemetry.tracing import spanning, spanning_run

log = structlog.get_logger(__name__)
tracer = trace.get_tracer("waybill.processor")


class Execution:
    """Runs the job of one command entry with a handler. Made for one entry, used once."""

    def __init__(self, store: JobStore, work: Work, policy: RunPolicy, metrics: ProcessorMetrics) -> None:
        self._store = store
        self._work = work
        self._policy = policy
        self._metrics = metrics
        self._repeater = Repeater()
        self._interrupted = asyncio.get_running_loop().create_future()
        self._companions: set[asyncio.Task[None]] = set()
        self._is_stopping = False
        self._has_begun = False
        self.is_fruitless = False
        """The entry came too early: taking it again at once would be for nothing."""
        self.is_void = False
        """The processor drains, and the claim was not sent: nothing was begun, and the entry is free for others."""
        self.fate: Fate | None = None
        """What became of the run; None: there was none."""

    def claim_no_more(self) -> None:
        """Do nothing if nothing was begun; a claim that was sent is seen through, for Redis may have given the run."""
        self.is_void = not self._has_begun

    def stop(self) -> None:
        """End the run soon and hand the job back uncounted, so that another processor starts it at once."""
        self._is_stopping = True
        self._repeater.hurry()
        self._interrupt()

    async def execute(self, entry: Entry) -> None:
        """Claim the entry's job and see the run through; the fate of the job is in Redis when this returns."""
        if self.is_void:
            return
        self._has_begun = True
        with structlog.contextvars.bound_contextvars(job_id=entry.job_id):
            run = await self._claim(entry)
            if run is None:
                return
            with spanning_run(tracer, run.record.traceparent, run.epoch) as span:
                span.set_attributes({"job_id": run.job_id, "attempt": run.record.attempt, "epoch": run.epoch})
                log.info("job started", attempt=run.record.attempt, epoch=run.epoch)
                if run.is_takeover:
                    crashes, died = run.record.crashes, run.taken_from or None
                    log.warning("job taken over", attempt=run.record.attempt, crashes=crashes, died=died)
                self._metrics.count_start(run)
                await self._run(run)
                span.set_attribute("outcome", str(self.fate))

    async def _claim(self, entry: Entry) -> Run | None:
        if entry.is_foreign:
            await self._bury_foreign(entry)
            return None
        # The same token in every try: when only the reply was lost, the repetition is answered with the same claim.
        token = secrets.token_hex(16)
        match await self._repeater.insist(
            lambda: self._store.claim(entry, token, _claim_terms(self._policy, now_ms()))
        ):
            case Run() as run:
                return run
            case NotDue(wait_ms):
                self.is_fruitless = True
                log.debug("job not due", wait_ms=wait_ms)
            case Buried(attempts, processor):
                log.error("job failed", reason="crashes", code="CRASHED", attempts=attempts, processor=processor)
                self._metrics.count_burial(entry.accepted_at_ms, now_ms())
            case Cancelled():
                log.info("job cancelled")
                self._metrics.count_cancellation(entry.accepted_at_ms, now_ms())
            case Damaged():
                await self._bury_damaged(entry)
            case None:
                log.debug("job has no run to give")
        return None

    async def _bury_damaged(self, entry: Entry) -> None:
        at_ms, error = now_ms(), damaged_record()
        message = events.encode(events.Failed(error, can_retry=False, at=events.timestamp(at_ms)))
        terms = _claim_terms(self._policy, at_ms)
        if await self._repeater.insist(lambda: bury_damaged(self._store, entry, error, message=message, terms=terms)):
            log.error("job failed", reason="damaged", code=error.code)
            self._metrics.count_damage(entry.accepted_at_ms, at_ms)

    async def _bury_foreign(self, entry: Entry) -> None:
        error = foreign_entry()
        if await self._repeater.insist(lambda: bury_foreign(self._store, entry, error)):
            log.error("foreign entry buried", entry=entry.entry_id, partition=entry.partition, code=error.code)
            self._metrics.count_foreign_entry()

    async def _run(self, run: Run) -> None:
        self.fate = Fate.LEFT
        lease = Lease(
            self._store,
            run,
            processor=self._policy.processor,
            lease_ms=self._policy.lease_ms,
            renew_every_ms=self._policy.renew_every_ms,
            on_over=self._interrupt,
            accompany=self._accompany,
        )
        context = RunContext(
            objects=self._work.objects,
            confirm=lease.confirm,
            keep=lease.save,
            checkpoint=run.record.checkpoint,
            on_first_report=lambda: self._accompany(ProgressReporter(self._store, run, context, lease).report()),
        )
        work = asyncio.create_task(handle(self._work.handler, run.record, context), name="work")
        lease.keep()
        try:
            await self._wait_for(work)
            waits_for_store = await self._waits_for_store(work)  # while the lease is kept: a look may take a while
        finally:
            lease.let_go()
            await self._dismiss_companions()
        self._metrics.count_resumed(context.resumed_bytes)
        if not lease.is_lost:
            objects = self._work.objects
            settlement = Settlement(self._store, run, self._policy, self._metrics, self._repeater, objects=objects)
            end = _End(work, context, lease.is_cancelled, waits_for_store)
            with spanning(tracer, "settle") as span:
                if error := _error_of(work):
                    span.set_attribute(
                        "run.error", error.code if isinstance(error, WaybillError) else type(error).__name__
                    )
                await self._settle_somehow(settlement, end)
            self.fate = settlement.fate

    async def _wait_for(self, work: asyncio.Task[Result]) -> None:
        """Return when the handler has ended; once the run is interrupted, it is given a bounded time to do so."""
        await asyncio.wait({work, self._interrupted}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            work.cancel()
            await asyncio.wait({work}, timeout=limits.STOP_WORK_WITHIN_SECONDS)
        if not work.done():
            log.error("the handler does not stop; it is left behind")

    async def _waits_for_store(self, work: asyncio.Task[Result]) -> bool:
        """Tell whether the run ended because a store cannot be used, as a look confirms; False when interrupted."""
        error = _error_of(work)
        if error is None or self._interrupted.done() or not blames_a_store(error):
            return False
        look = asyncio.create_task(self._work.lacks_a_store(), name="look at stores")
        await asyncio.wait({look, self._interrupted}, return_when=asyncio.FIRST_COMPLETED)
        if look.done():
            return look.result()
        look.cancel()
        return False

    def _interrupt(self) -> None:
        if not self._interrupted.done():
            self._interrupted.set_result(None)

    # ── what goes on beside the handler ───────────────────────────────────────────────────────────────────────────────

    def _accompany(self, companion: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(companion, name="companion")
        self._companions.add(task)
        task.add_done_callback(self._companion_ended)

    def _companion_ended(self, companion: asyncio.Task[None]) -> None:
        self._companions.discard(companion)
        if not companion.cancelled() and (error := companion.exception()):
            # Without it the run would go on unseen, or lose its lease in silence.
            log.error("run's companion broke", exc_info=error)
            self._interrupt()

    async def _dismiss_companions(self) -> None:
        if self._companions:
            for companion in self._companions:
                companion.cancel()
            await asyncio.wait(self._companions)

    # ── the end ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _settle_somehow(self, settlement: Settlement, end: "_End") -> None:
        """Settle the run; when what it left cannot even be told, as a run that failed."""
        try:
            await self._settle(settlement, end)
        except Exception as error:  # whatever it is: a run that is not settled holds its job until the lease ends
            log.error("the end of the run cannot be written", exc_info=error)
            await settlement.fail_or_retry(RuntimeError("the end of the run could not be written"), Leavings())

    async def _settle(self, settlement: Settlement, end: "_End") -> None:
        error, leavings = _error_of(end.work), Leavings(end.context.object_key, end.context.checkpoint)
        if error is None:
            await settlement.complete(end.work.result(), end.context.report_so_far, leavings)
        elif end.is_cancelled:
            await settlement.cancel(leavings)
        elif self._is_stopping and not (isinstance(error, WaybillError) and not error.is_retryable):
            await settlement.release("This processor stops; the next one that is free takes over.", leavings)
        elif end.waits_for_store:
            # Nobody's failure: it would cost the whole queue its tries, a few jobs every quarter of a minute.
            log.warning("job waits for its store", error=describe_for_operators(error).message)
            why = "The service cannot use its object store now; the job goes on when it can."
            await settlement.release(why, leavings)
        else:
            await settlement.fail_or_retry(error, leavings)


class _End(NamedTuple):
    """How a run came to its end."""

    work: asyncio.Task[Result]
    context: RunContext
    is_cancelled: bool
    waits_for_store: bool


@functools.lru_cache(maxsize=1)  # a busy processor claims several jobs within a millisecond
def _claim_terms(policy: RunPolicy, at_ms: int) -> ClaimTerms:
    error = crashed_too_often(limits.MAX_CRASHES)
    return ClaimTerms(
        processor=policy.processor,
        lease_ms=policy.lease_ms,
        started_message=events.encode_started(at_ms),
        buried_message=events.encode(events.Failed(error, can_retry=True, at=events.timestamp(at_ms))),
        buried_error=error,
        expires_at_ms=policy.retention.expires_at_ms(at_ms),
        retention_ms=policy.retention.redis_ms,
    )


def _error_of(work: asyncio.Task[Result]) -> BaseException | None:
    if not work.done() or work.cancelled():
        return RuntimeError("the handler was interrupted, or cancelled itself")
    return work.exception()
