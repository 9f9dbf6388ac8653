"""A job as others are told of it: what the record of GET and the record of a callback have in common. Pure.

Gateways answer with it, processors send it. What only one of them tells (how far a run is, why a job was cancelled) is
that one's own, in a struct below this one.
"""

from typing import Any

import msgspec

from shared.events import timestamp
from shared.jobs import JobError, JobRecord, JobState, OnMissing, RenamedFile, SkippedFile


class NamedJob(msgspec.Struct, frozen=True):
    """Which job, and where it stands. By position, as what GET alone tells: msgspec writes these before all others."""

    job_id: str
    status: JobState


class ToldJob(NamedJob, frozen=True, kw_only=True):
    """What is told of a job wherever it is told. Times are RFC 3339; null: not known, not yet, or never."""

    files_processed: int
    total_files: int
    bytes_processed: int
    total_bytes: int | None
    attempt: int
    archive_name: str | None
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
    created_at: str
    started_at: str | None
    finished_at: str | None
    expires_at: str | None


def told(record: JobRecord, *, total_files: int, download_url: str | None, can_retry: bool | None) -> dict[str, Any]:
    """Give the members of ToldJob.

    The three that are named are not the record's to say: a callback carries no list of files, its link is made by who
    sends it, and whether a retry may help stands in its terminal event.
    """
    bundle, progress = record.bundle, record.progress
    return {
        "job_id": record.job_id,
        "status": record.state,
        "files_processed": progress.files_processed,
        "total_files": total_files,
        "bytes_processed": progress.bytes_processed,
        "total_bytes": progress.total_bytes,
        "attempt": record.attempt,
        "archive_name": record.options.archive_name,
        "download_url": download_url,
        "archive_bytes": bundle.archive_bytes if bundle else None,
        "archive_crc32": bundle.archive_crc32 if bundle else None,
        "renamed_files": bundle.renamed_files if bundle else None,
        "renamed": bundle.renamed if bundle else None,
        "on_missing": record.options.on_missing,
        "skipped_files": bundle.skipped_files if bundle else None,
        "skipped": bundle.skipped if bundle else None,
        "error": record.error,
        "can_retry": can_retry,
        "created_at": timestamp(record.created_at_ms),
        "started_at": _timestamp(record.started_at_ms),
        "finished_at": _timestamp(record.finished_at_ms),
        "expires_at": _timestamp(record.expires_at_ms),
    }


def _timestamp(at_ms: int | None) -> str | None:
    return None if at_ms is None else timestamp(at_ms)
