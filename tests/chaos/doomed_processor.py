"""A processor as it is shipped, with crash points woven in from outside: `python -m tests.chaos.doomed_processor`.

    Doomed store      claim, renew, finish, retry_later, release, sweep     (JobStore)
    Doomed lease      confirm                                               (Lease)
    Telling consumer  drain                                                 (Consumer)
    Doomed directory  reads, uploads, complete                              (ObjectDirectory)
    handler           fails as the seed says, else the built-in bundle

Each writes down what its run does. Production code has no hook for this: the names that the composition root and the
execution use are replaced before they are used. CHAOS_SEED, CHAOS_NAME, CHAOS_DIARY, CHAOS_POINT and CHAOS_NTH say how.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NoReturn

from processor import execution, supervisor
from processor.cli import main
from processor.consumer import Consumer
from processor.context import Handler, Result, RunContext
from processor.lease import Lease
from processor.work import Work, choose_work
from shared import limits
from shared.errors import PermanentRunError, RetryableRunError
from shared.jobs import Checkpoint, JobError, JobRecord
from shared.jobstore.operations import (
    Answer,
    Behind,
    Buried,
    Cancelled,
    ClaimTerms,
    Damaged,
    Ending,
    Entry,
    NotDue,
    Run,
    Sweep,
)
from shared.jobstore.store import JobStore
from shared.objects.directory import ObjectDirectory
from shared.objects.info import Content, PartTag, Reading, Upload
from shared.objects.location import DirectoryOptions, StoreLocation
from shared.objects.store import ObjectStore
from shared.processor_settings import ProcessorSettings
from tests.chaos.crash_points import CrashPoint, Diary, Fate
from tests.chaos.failing import Failure, failure_of
from tests.chaos.history import What

UNTIL_SENT_TURNS = 20
"""Of the loop: what was asked for is on its way by then."""
UNTIL_DONE_SECONDS = 0.05
"""Redis has done what was sent, while our loop stands still and reads no reply."""

diary = Diary(Path(os.environ["CHAOS_DIARY"]), os.environ["CHAOS_NAME"])
fate = Fate.from_environment(os.environ, diary)
seed = int(os.environ["CHAOS_SEED"])
PART_BYTES = 256 * 1024  # so that archives have several parts, and runs go on with what others have begun
PUT_OFF_MS = 120_000
"""Of a job that is to expire; not where jobs may wait for longer, because nobody would see its end."""
current_run: ContextVar[Run] = ContextVar("current_run")
is_confirming: ContextVar[bool] = ContextVar("is_confirming", default=False)


def note(what: What, detail: str = "", run: Run | None = None) -> None:
    """Write down what the current run does."""
    run = run or current_run.get()
    diary.note(what, job_id=run.job_id, epoch=run.epoch, token=run.token, detail=detail)


async def die_before_the_reply(operation: Coroutine[Any, Any, object], job_id: str) -> NoReturn:
    """Send an operation, let Redis do it, and die with the reply unread; or just read, where Redis was that quick."""
    sending = asyncio.ensure_future(operation)
    for _ in range(UNTIL_SENT_TURNS):
        await asyncio.sleep(0)
    if not sending.done():
        time.sleep(UNTIL_DONE_SECONDS)  # noqa: ASYNC251  # the loop must not read the reply
    fate.die(job_id)


class DoomedStore(JobStore):
    """The job store of a processor that may die at each of its operations."""

    async def claim(
        self, entry: Entry, token: str, terms: ClaimTerms
    ) -> Run | NotDue | Buried | Cancelled | Damaged | None:
        """Claim; what the run does from here on is written down under its epoch and token."""
        diary.note(What.CLAIMING, job_id=entry.job_id, token=token)
        fate.visit(CrashPoint.BEFORE_CLAIM, entry.job_id)
        if fate.strikes(CrashPoint.CLAIM_SENT):
            await die_before_the_reply(super().claim(entry, token, terms), entry.job_id)
        claimed = await super().claim(entry, token, terms)
        if isinstance(claimed, Run):
            current_run.set(claimed)
            note(What.BEGAN, f"attempt {claimed.record.attempt}")
            fate.visit(CrashPoint.AFTER_CLAIM, entry.job_id)
        return claimed

    async def append_progress(self, run: Run, *, seq: int, message: bytes) -> Answer | Behind:
        """Append, and write the answer down."""
        answer = await super().append_progress(run, seq=seq, message=message)
        note(What.ANSWERED, f"append {'BEHIND' if isinstance(answer, Behind) else answer}", run)
        return answer

    async def renew(self, run: Run, *, processor: str, lease_ms: int, checkpoint: Checkpoint | None = None) -> Answer:
        """Renew, and write the answer down."""
        renewal = super().renew(run, processor=processor, lease_ms=lease_ms, checkpoint=checkpoint)
        if not is_confirming.get() and fate.strikes(CrashPoint.RENEWING):
            await die_before_the_reply(renewal, run.job_id)
        answer = await renewal
        note(What.ANSWERED, f"renew {answer}", run)
        return answer

    async def retry_later(self, run: Run, *, message: bytes, error: JobError, delay_ms: int, lease_ms: int) -> Answer:
        """Hand the job over to a later run, and write the answer down."""
        fate.visit(CrashPoint.BEFORE_RETRY, run.job_id)
        if failure_of_run(run.record) is Failure.FOR_LONG and limits.MAX_WAITING_MS < PUT_OFF_MS:
            delay_ms = PUT_OFF_MS
        answer = await super().retry_later(run, message=message, error=error, delay_ms=delay_ms, lease_ms=lease_ms)
        note(What.ANSWERED, f"retry_later {answer}", run)
        fate.visit(CrashPoint.AFTER_RETRY, run.job_id)
        return answer

    async def release(self, run: Run, *, message: bytes) -> Answer:
        """Hand the job back, and write the answer down."""
        fate.visit(CrashPoint.BEFORE_RELEASE, run.job_id)
        answer = await super().release(run, message=message)
        note(What.ANSWERED, f"release {answer}", run)
        fate.visit(CrashPoint.AFTER_RELEASE, run.job_id)
        return answer

    async def finish(self, run: Run, ending: Ending) -> Answer:
        """End the job, and write the answer down."""
        if ending.bundle:
            fate.visit(CrashPoint.AFTER_COMPLETE, run.job_id)
        if fate.strikes(CrashPoint.FINISH_SENT):
            await die_before_the_reply(super().finish(run, ending), run.job_id)
        answer = await super().finish(run, ending)
        note(What.ANSWERED, f"finish {answer}", run)
        fate.visit(CrashPoint.AFTER_FINISH, run.job_id)
        return answer

    async def sweep(self, partition: int, **terms: Any) -> Sweep:
        """Sweep; only one that found something is worth dying after."""
        swept = await super().sweep(partition, **terms)
        if swept.found:
            fate.visit(CrashPoint.AFTER_SWEEP)
        return swept


class DoomedLease(Lease):
    """A lease whose holder may die right before it confirms it."""

    async def confirm(self) -> None:
        """Confirm, and write it down."""
        fate.visit(CrashPoint.BEFORE_CONFIRM, current_run.get().job_id)
        is_confirming.set(True)
        await super().confirm()
        is_confirming.set(False)
        note(What.CONFIRMED)


class TellingConsumer(Consumer):
    """A consumer that writes down when it begins to drain."""

    def drain(self, *, within_seconds: float) -> None:
        """Drain, and write it down."""
        super().drain(within_seconds=within_seconds)
        diary.note(What.DRAINING)


class DoomedDirectory(ObjectDirectory):
    """Objects whose reader and writer may die at it."""

    async def read_many_into(self, readings: Sequence[Reading]) -> None:
        """Read pieces of sources."""
        fate.visit(CrashPoint.MID_WORK, current_run.get().job_id)
        await super().read_many_into(readings)

    async def create_upload(self, key: str, *, part_bytes: int) -> Upload:
        """Begin an upload, and write its id down."""
        upload = await super().create_upload(key, part_bytes=part_bytes)
        note(What.UPLOADING, upload.upload_id)
        return upload

    async def upload_part(self, upload: Upload, number: int, data: Content, *, crc32: int | None = None) -> PartTag:
        """Write a part, and note that it was written."""
        part = await super().upload_part(upload, number, data, crc32=crc32)
        note(What.COPIED, f"part {number}")
        return part

    async def complete(self, upload: Upload, parts: Sequence[PartTag]) -> None:
        """Make the object visible; its beginning and its end are written down."""
        fate.visit(CrashPoint.AFTER_CONFIRM, current_run.get().job_id)
        note(What.COMPLETING, upload.key)
        await super().complete(upload, parts)
        note(What.COMPLETED, upload.key)


def failure_of_run(job: JobRecord) -> Failure | None:
    """Tell how this run of a job fails, by the job's number, which is its archive's name; None: it does not."""
    return failure_of(seed, int(job.options.archive_name or 0), job.attempt)


def failing(handler: Handler) -> Handler:
    """Let a handler fail as the seed says for this job's number (its archive's name) and this attempt."""

    async def handle(job: JobRecord, context: RunContext) -> Result:
        try:
            match failure_of_run(job):
                case Failure.RETRYABLE | Failure.FOR_LONG:
                    raise RetryableRunError("The weather is bad.")
                case Failure.PERMANENT:
                    raise PermanentRunError("The harbour is gone.")
                case Failure.UNEXPECTED:
                    raise ZeroDivisionError
            return await handler(job, context)
        except asyncio.CancelledError:
            note(What.CANCELLED)
            raise
        except Exception as error:
            note(What.FAILED, type(error).__name__)
            raise

    return handle


def choose_failing_work(settings: ProcessorSettings, *, sources: ObjectStore, objects: ObjectStore) -> Work:
    """Choose the work as ever, and let it fail now and then."""
    work = choose_work(settings, sources=sources, objects=objects)
    return work._replace(handler=failing(work.handler))


@asynccontextmanager
async def open_doomed_store(location: StoreLocation) -> AsyncIterator[ObjectStore]:
    """Open a directory as one whose user may die."""
    assert isinstance(location, DirectoryOptions)
    yield DoomedDirectory(Path(location.path))


if __name__ == "__main__":
    vars(supervisor).update(
        JobStore=DoomedStore, Consumer=TellingConsumer, choose_work=choose_failing_work, open_store=open_doomed_store
    )
    vars(execution).update(Lease=DoomedLease)
    limits.PART_BYTES = PART_BYTES
    sys.exit(main())
