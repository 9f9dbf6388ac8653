"""Jobs, runs and endings as tests want them: everything that the test at hand does not care about has a default."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import TypeVar

from shared import events
from shared.errors import UnavailableError
from shared.events import Cancelled, Failed, Progress, Queued, Retrying
from shared.jobs import BundleSummary, Checkpoint, JobError, JobOptions, make_job_id, partition_of
from shared.jobstore import keys
from shared.jobstore.dead_letters import DeadLetters, Redriven
from shared.jobstore.letter import DeadLetter
from shared.jobstore.lifetimes import ExpiryTerms, Lifetimes
from shared.jobstore.operations import Answer, CancelReply, ClaimTerms, Ending, Entry, NewJob, Run
from shared.jobstore.store import JobStore
from shared.objects.info import Upload

T = TypeVar("T")

OWNER = "local"
"""Whose jobs a gateway without authentication shows."""
LEASE_MS = 3_600_000
"""So long that no lease ends by itself during a test; `lapse` ends one."""
RETENTION_MS = 86_400_000
EXPIRES_AT_MS = 4_000_000_000_000  # in the year 2096: no test shall fail one day
AT = events.timestamp(1_795_461_600_123)

QUEUED = events.encode(Queued(at=AT))
RELEASED = events.encode(Queued(at=AT, message="the processor stops"))
REDRIVE_TOKEN = "redriven-once"
REDRIVEN = events.encode(Queued(at=AT, message="started anew by an operator"))
BURIED = events.encode(Failed(error=JobError("CRASHED", "It crashed three times."), can_retry=True, at=AT))
BROKEN = JobError("SOURCE_CHANGED", "file 70001 changed", (70_001,))
RETRYING = events.encode(Retrying(attempt=1, max_attempts=3, error=BROKEN, retry_in_seconds=2.0, at=AT))
CANCELLED = events.encode(Cancelled(reason="nobody waits for it", at=AT))
EXPIRED = events.encode(Failed(error=JobError("EXPIRED", "It waited too long."), can_retry=True, at=AT))
FAILED = events.encode(Failed(error=BROKEN, can_retry=True, at=AT))
BUNDLE = BundleSummary(files=2, archive_bytes=1_234, archive_crc32="0badcafe")
CHECKPOINT = Checkpoint("hash of a plan", Upload("bundles/x.zip", "upload-1", 8_388_608))
COMPLETED = events.encode(events.completed("/v1/download/jobs/x/file", BUNDLE, EXPIRES_AT_MS, 1_795_461_600_123))


def new_job(
    store: JobStore,
    *,
    partition: int | None = None,
    owner: str = OWNER,
    job_id: str | None = None,
    callback_url: str | None = None,
) -> NewJob:
    """Describe a job of two files with a fresh id, in a random partition unless told."""
    if job_id is None:
        job_id = store.new_job_id() if partition is None else make_job_id(partition, secrets.randbits(110))
    return NewJob(
        job_id=job_id,
        owner=owner,
        file_ids=(70_000, 70_001),
        options=JobOptions(archive_name="holiday.zip"),
        queued_message=QUEUED,
        callback_url=callback_url,
    )


def progress(ratio: float, message: str = "copying") -> bytes:
    """Encode a progress event."""
    return events.encode(
        Progress(
            progress=ratio,
            files_processed=1,
            total_files=2,
            bytes_processed=617,
            total_bytes=1_234,
            message=message,
            at=AT,
        )
    )


def terms(processor: str = "p1", *, lease_ms: int = LEASE_MS, retention_ms: int = RETENTION_MS) -> ClaimTerms:
    """Give what a processor brings to a claim."""
    return ClaimTerms(
        processor=processor,
        lease_ms=lease_ms,
        started_message=events.encode_started(1_795_461_600_123),
        buried_message=BURIED,
        buried_error=JobError("CRASHED", "It crashed three times."),
        expires_at_ms=EXPIRES_AT_MS,
        retention_ms=retention_ms,
    )


def completion(*, retention_ms: int = RETENTION_MS) -> Ending:
    """Describe the end of a job whose archive is ready."""
    return Ending(
        message=COMPLETED,
        expires_at_ms=EXPIRES_AT_MS,
        retention_ms=retention_ms,
        object_key="bundles/x.zip",
        bundle=BUNDLE,
    )


def failure(*, reason: str = "failures", retention_ms: int = RETENTION_MS) -> Ending:
    """Describe the end of a job that failed for good."""
    return Ending(message=FAILED, expires_at_ms=EXPIRES_AT_MS, retention_ms=retention_ms, error=BROKEN, reason=reason)


def cancellation(*, retention_ms: int = RETENTION_MS) -> Ending:
    """Describe the end of a job that its run was asked for."""
    return Ending(message=CANCELLED, expires_at_ms=EXPIRES_AT_MS, retention_ms=retention_ms)


async def cancel(
    store: JobStore, job_id: str, *, deletes: bool = False, expires_at_ms: int = EXPIRES_AT_MS
) -> CancelReply | None:
    """Ask for the end of a job."""
    return await store.cancel(
        job_id, message=CANCELLED, retention_ms=RETENTION_MS, expires_at_ms=expires_at_ms, deletes=deletes
    )


def lifetimes_of(store: JobStore) -> Lifetimes:
    """Give the janitor's operations beside a store."""
    return Lifetimes(store.connection, partitions=store.partitions, tells_admins=store.tells_admins)


def expiry_terms() -> ExpiryTerms:
    """Give what a janitor brings to each step."""
    return ExpiryTerms(
        message=EXPIRED,
        error=JobError("EXPIRED", "It waited too long."),
        retention_ms=RETENTION_MS,
        expires_at_ms=EXPIRES_AT_MS,
    )


async def create(
    store: JobStore, *, partition: int | None = None, owner: str = OWNER, callback_url: str | None = None
) -> str:
    """Create a job; give its id."""
    job = new_job(store, partition=partition, owner=owner, callback_url=callback_url)
    await store.create(job)
    return job.job_id


async def take(store: JobStore, job_id: str, *, processor: str = "p1") -> Entry:
    """Take the entry of one job, which must be among the first hundred of its partition."""
    entries = await store.take(partition_number(job_id), processor=processor, most=100, in_hand=())
    return next(entry for entry in entries if entry.job_id == job_id)


async def claim(store: JobStore, entry: Entry, *, processor: str = "p1", lease_ms: int = LEASE_MS) -> Run:
    """Claim an entry with a fresh token; it must be free."""
    run = await store.claim(entry, secrets.token_hex(8), terms(processor, lease_ms=lease_ms))
    assert isinstance(run, Run), run
    return run


async def start(
    store: JobStore,
    *,
    partition: int | None = None,
    processor: str = "p1",
    owner: str = OWNER,
    callback_url: str | None = None,
) -> Run:
    """Create, take and claim a job."""
    job_id = await create(store, partition=partition, owner=owner, callback_url=callback_url)
    return await claim(store, await take(store, job_id, processor=processor), processor=processor)


async def keep(store: JobStore, run: Run, checkpoint: Checkpoint = CHECKPOINT) -> Answer:
    """Let a run keep a checkpoint."""
    return await store.renew(run, processor=run.record.processor or "", lease_ms=LEASE_MS, checkpoint=checkpoint)


async def park_in_spite_of_a_wish(store: JobStore, run: Run) -> None:
    """Leave a job that waits though somebody wanted it to end, as processors of older versions do."""
    await store.retry_later(run, message=RETRYING, error=BROKEN, delay_ms=0, lease_ms=LEASE_MS)
    record = keys.record(partition_number(run.job_id), run.job_id)
    await store.connection.execute("HSET", record, "cancel_requested", CANCELLED)


async def fail(
    store: JobStore,
    *,
    partition: int | None = None,
    reason: str = "failures",
    owner: str = OWNER,
    callback_url: str | None = None,
) -> Run:
    """Create, claim and fail a job for good; give the run that failed."""
    run = await start(store, partition=partition, owner=owner, callback_url=callback_url)
    assert await store.finish(run, failure(reason=reason)) is Answer.OK
    return run


def letters_of(store: JobStore) -> DeadLetters:
    """Give the dead letters beside a store."""
    return DeadLetters(store.connection, partitions=store.partitions)


async def letter_of(store: JobStore, job_id: str) -> DeadLetter:
    """Read the one dead letter of a job."""
    [letter] = await letters_of(store).find(job_id)
    return letter


async def redrive(store: JobStore, run: Run, *, token: str = REDRIVE_TOKEN) -> Redriven:
    """Redrive a job from the failure of a run; again and again it is the same redrive, unless told."""
    return await letters_of(store).redrive(run.job_id, epoch=run.epoch, token=token, message=REDRIVEN)


async def lapse(store: JobStore, run: Run) -> None:
    """End the lease of a run now, and let the sweeper find its entry, as a crash does after a lease of silence."""
    assert await store.renew(run, processor=run.record.processor or "", lease_ms=0) in (Answer.OK, Answer.CANCEL)
    await sweep(store, partition_number(run.job_id), lease_ms=0)


async def take_over(store: JobStore, run: Run, *, processor: str = "p2") -> Run:
    """Let another processor claim a job whose run crashed."""
    await lapse(store, run)
    return await claim(store, await take(store, run.job_id, processor=processor), processor=processor)


async def sweep(store: JobStore, partition: int, *, lease_ms: int = LEASE_MS) -> int:
    """Let the sweeper look at a whole partition; give how many entries it found."""
    turn = await store.sweep(partition, leader="sweeper", lease_ms=lease_ms, cursor="0-0")
    assert turn.is_leader
    return turn.found


async def insist(operation: Callable[[], Awaitable[T]]) -> T:
    """Repeat an operation until Redis answers, as processors do."""
    while True:
        try:
            return await operation()
        except UnavailableError:
            await asyncio.sleep(0.05)


def partition_number(job_id: str) -> int:
    """Give the partition of an id that is known to be one."""
    partition = partition_of(job_id)
    assert partition is not None
    return partition
