"""Writes the end of a run into Redis: completed, failed, to be tried again, or handed back."""

import random
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import msgspec
import structlog

from processor.context import Result
from processor.metrics import ProcessorMetrics
from processor.outcome import Fail, Fate, RetryLater, RetryPolicy, after_error
from processor.progress import Report, final_progress
from processor.publication import give_up
from processor.repeater import Repeater
from shared import events
from shared.clock import now_ms
from shared.jobs import CANCELLED_BY_CALLER, Checkpoint
from shared.jobstore.operations import Answer, Ending, Run
from shared.jobstore.store import JobStore
from shared.objects.info import Upload
from shared.objects.store import ObjectStore
from shared.retention import Retention

log = structlog.get_logger(__name__)


class RunPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How runs are kept, retried and remembered."""

    processor: str
    lease_ms: int
    renew_every_ms: int
    retention: Retention
    retry: RetryPolicy = RetryPolicy()


class Leavings(NamedTuple):
    """What a run may have left in the store: an object under a key, and the checkpoint with its upload."""

    object_key: str | None = None
    checkpoint: Checkpoint | None = None

    @property
    def upload(self) -> Upload | None:
        """The upload that the checkpoint tells of."""
        return self.checkpoint.upload if self.checkpoint else None


class Settlement:
    """The end of one run; `fate` is what became of it so far.

    When it is the end of the job, its upload is aborted; the janitor does it where this cannot.
    """

    def __init__(
        self,
        store: JobStore,
        run: Run,
        policy: RunPolicy,
        metrics: ProcessorMetrics,
        repeater: Repeater,
        *,
        objects: ObjectStore,
    ) -> None:
        self._store = store
        self._run = run
        self._policy = policy
        self._metrics = metrics
        self._repeater = repeater
        self._objects = objects
        self.fate = Fate.LEFT

    async def complete(self, result: Result, last_report: Report | None, leavings: Leavings) -> None:
        """End the job with its archive; of its uploads that one was completed which has the archive's key."""
        at_ms = now_ms()
        bundle, expires_at_ms = result.bundle, self._policy.retention.expires_at_ms(at_ms)
        download_url = f"/v1/download/jobs/{self._run.job_id}/file"
        ending = Ending(
            message=events.encode(events.completed(download_url, bundle, expires_at_ms, at_ms)),
            expires_at_ms=expires_at_ms,
            retention_ms=self._policy.retention.redis_ms,
            object_key=result.object_key,
            bundle=bundle,
            progress=final_progress(last_report),
        )
        if await self._write(lambda: self._store.finish(self._run, ending)):
            log.info("job completed", archive_bytes=bundle.archive_bytes, files=bundle.files)
            self._metrics.count_completion(self._run, now_ms(), archive_bytes=bundle.archive_bytes)
            if leavings.upload and leavings.upload.key != result.object_key:
                await self._give_up_upload(leavings)

    async def fail_or_retry(self, error: BaseException, leavings: Leavings) -> None:
        """End the run, and the job if trying again cannot help, has been tried often enough, or is not wanted."""
        decision = after_error(
            error, failures=self._run.record.failures, policy=self._policy.retry, random_ratio=random.random()
        )
        if decision.error.code == "INTERNAL":
            log.error("run failed unexpectedly", exc_info=error)
        match decision:
            case RetryLater():
                await self._retry_later(decision, leavings)
            case Fail():
                await self._fail(decision, leavings)

    async def cancel(self, leavings: Leavings) -> None:
        """End the job, because somebody asked for it."""
        at_ms = now_ms()
        ending = Ending(
            message=events.encode(events.Cancelled(reason=CANCELLED_BY_CALLER, at=events.timestamp(at_ms))),
            expires_at_ms=self._policy.retention.expires_at_ms(at_ms),
            retention_ms=self._policy.retention.redis_ms,
            object_key=leavings.object_key,
        )
        if await self._write(lambda: self._store.finish(self._run, ending)):
            log.info("job cancelled")
            self._metrics.count_cancellation(self._run.record.accepted_at_ms, now_ms())
            await self._give_up_upload(leavings)

    async def release(self, why: str, leavings: Leavings) -> None:
        """Hand the job back uncounted, so that another processor starts it at once; `why` is for viewers.

        A job that somebody wants to end is ended instead.
        """
        message = events.encode(events.Queued(at=events.timestamp(now_ms()), message=why))
        answer = await self._repeater.insist(lambda: self._store.release(self._run, message=message))
        if answer is Answer.CANCEL:
            await self.cancel(leavings)
        elif self._stands(answer):
            self.fate = Fate.HANDED_BACK
            log.info("job released")

    async def _retry_later(self, decision: RetryLater, leavings: Leavings) -> None:
        retrying = events.Retrying(
            attempt=self._run.record.attempt,
            max_attempts=self._policy.retry.max_failures,
            error=decision.error,
            retry_in_seconds=decision.delay_ms / 1000,
            at=events.timestamp(now_ms()),
        )
        message = events.encode(retrying)
        answer = await self._repeater.insist(
            lambda: self._store.retry_later(
                self._run,
                message=message,
                error=decision.error,
                delay_ms=decision.delay_ms,
                lease_ms=self._policy.lease_ms,
            )
        )
        if answer is Answer.CANCEL:
            await self.cancel(leavings)
        elif self._stands(answer):
            detail = decision.detail
            log.warning("job retrying", code=detail.code, error=detail.message, delay_ms=decision.delay_ms)

    async def _fail(self, decision: Fail, leavings: Leavings) -> None:
        at_ms = now_ms()
        error, detail = decision.error, decision.detail
        ending = Ending(
            message=events.encode(events.Failed(error, decision.can_retry, at=events.timestamp(at_ms))),
            expires_at_ms=self._policy.retention.expires_at_ms(at_ms),
            retention_ms=self._policy.retention.redis_ms,
            error=error,
            letter_error=detail,
            object_key=leavings.object_key,
            reason=decision.reason,
        )
        if await self._write(lambda: self._store.finish(self._run, ending)):
            log.error(
                "job failed",
                reason=decision.reason,
                code=detail.code,
                error=detail.message,
                attempts=self._run.record.attempt,
                processor=self._policy.processor,
            )
            self._metrics.count_failure(self._run, now_ms(), reason=decision.reason)
            await self._give_up_upload(leavings)

    async def _give_up_upload(self, leavings: Leavings) -> None:
        """Abort what nobody goes on with; only once the end is written, or it could be somebody else's by now.

        A processor that has to go leaves it to the janitor when its time is up, or the watchdog would end it.
        """
        if leavings.upload:
            await give_up(self._objects, leavings.upload, within_seconds=self._repeater.seconds_left)

    async def _write(self, operation: Callable[[], Awaitable[Answer]]) -> bool:
        """Write the end; True when it is ours that stands.

        It may take minutes, while Redis is away: who counts the end takes the time after it, not that of the event.
        """
        return self._stands(await self._repeater.insist(operation))

    def _stands(self, answer: Answer | None) -> bool:
        """Note whether the end that was written is ours (DONE: an earlier try had arrived)."""
        if answer in (Answer.OK, Answer.DONE):
            self.fate = Fate.FINISHED
            return True
        log.warning("job superseded at its end" if answer else "end of the run not written", answer=answer)
        return False
