"""A job as the API shows it: the body of GET, and of a snapshot message. Pure."""

import msgspec

from gateway.estimate import Outlook
from shared.events import Gap, timestamp
from shared.jobs import JobError, JobRecord, JobState, OnMissing, RenamedFile, SkippedFile


def status_path(job_id: str) -> str:
    """Give the path of a job; everything about the job is below it."""
    return f"/v1/download/jobs/{job_id}"


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    """The record as callers see it. `progress` is a ratio, 0 to 1; times are RFC 3339; null: not known, or never."""

    job_id: str
    status: JobState
    progress: float
    files_processed: int
    total_files: int
    bytes_processed: int
    total_bytes: int | None
    attempt: int
    archive_name: str | None
    message: str | None
    queue_position: int | None
    starts_in_seconds: int | None
    remaining_seconds: int | None
    download_url: str | None
    archive_bytes: int | None
    archive_crc32: str | None
    renamed_files: int | None
    renamed: tuple[RenamedFile, ...] | None
    on_missing: OnMissing
    skipped_files: int | None
    skipped: tuple[SkippedFile, ...] | None
    error: JobError | None
    can_retry: bool | None
    retry_at: str | None
    created_at: str
    updated_at: str
    started_at: str | None
    finished_at: str | None
    expires_at: str | None


class JobWithTicket(JobView, frozen=True, kw_only=True, omit_defaults=True):
    """The job, and the ticket that was wanted with it: the answer to a create call that waited for the end."""

    ticket: str | None = None
    ticket_expires_at: str | None = None


class Snapshot(JobView, frozen=True, kw_only=True, omit_defaults=True, tag="snapshot", tag_field="type"):
    """The job at one moment, made for one viewer; `gap` tells of events that could not be given."""

    at: str
    gap: Gap | None = None


def _fields(record: JobRecord, outlook: Outlook) -> dict[str, object]:
    bundle, is_done = record.bundle, record.state is JobState.COMPLETED
    is_running = record.state is JobState.PROCESSING
    return {
        "job_id": record.job_id,
        "status": record.state,
        "progress": record.progress.progress,
        "files_processed": record.progress.files_processed,
        "total_files": len(record.file_ids),
        "bytes_processed": record.progress.bytes_processed,
        "total_bytes": record.progress.total_bytes,
        "attempt": record.attempt,
        "archive_name": record.options.archive_name,
        "message": record.progress.message if is_running else None,
        "queue_position": outlook.queue_position,
        "starts_in_seconds": outlook.starts_in_seconds,
        "remaining_seconds": record.progress.remaining_seconds if is_running else outlook.remaining_seconds,
        "download_url": f"{status_path(record.job_id)}/file" if is_done else None,
        "archive_bytes": bundle.archive_bytes if bundle else None,
        "archive_crc32": bundle.archive_crc32 if bundle else None,
        "renamed_files": bundle.renamed_files if bundle else None,
        "renamed": bundle.renamed if bundle else None,
        "on_missing": record.options.on_missing,
        "skipped_files": bundle.skipped_files if bundle else None,
        "skipped": bundle.skipped if bundle else None,
        "error": record.error,
        "can_retry": not record.is_permanent if record.state is JobState.FAILED else None,
        "retry_at": timestamp(record.due_at_ms) if record.state is JobState.RETRYING else None,
        "created_at": timestamp(record.created_at_ms),
        "updated_at": timestamp(record.updated_at_ms),
        "started_at": _timestamp(record.started_at_ms),
        "finished_at": _timestamp(record.finished_at_ms),
        "expires_at": _timestamp(record.expires_at_ms),
    }


def _timestamp(at_ms: int | None) -> str | None:
    return None if at_ms is None else timestamp(at_ms)


def view_of(record: JobRecord, outlook: Outlook) -> JobView:
    """Give a record as callers see it; `outlook` is what is known of a job that waits."""
    return msgspec.convert(_fields(record, outlook), JobView)


def represent(record: JobRecord, outlook: Outlook, **more: object) -> bytes:
    """Encode a record as GET answers it; `more` are members that this answer has besides."""
    view = view_of(record, outlook)
    shown = msgspec.convert(msgspec.structs.asdict(view) | more, JobWithTicket) if more else view
    return msgspec.json.encode(shown) + b"\n"


def snapshot(record: JobRecord, outlook: Outlook, *, at_ms: int, gap: Gap | None = None) -> bytes:
    """Encode a record as the data of a snapshot message."""
    fields = _fields(record, outlook) | {"at": timestamp(at_ms), "type": "snapshot"}
    return msgspec.json.encode(msgspec.structs.replace(msgspec.convert(fields, Snapshot), gap=gap))
