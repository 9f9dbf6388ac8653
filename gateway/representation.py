"""A job as the API shows it: the body of GET, and of a snapshot message. Pure."""

from typing import Any

import msgspec

from gateway.estimate import Outlook
from shared.events import Gap, timestamp
from shared.jobs import JobRecord, JobState
from shared.told_job import ToldJob, told


def status_path(job_id: str) -> str:
    """Give the path of a job; everything about the job is below it."""
    return f"/v1/download/jobs/{job_id}"


class JobView(ToldJob, frozen=True):
    """The record as callers see it. `progress` is a ratio, 0 to 1; times are RFC 3339; null: not known, or never."""

    progress: float
    message: str | None
    queue_position: int | None
    starts_in_seconds: int | None
    remaining_seconds: int | None
    retry_at: str | None
    updated_at: str


class JobWithTicket(JobView, frozen=True, kw_only=True, omit_defaults=True):
    """The job, and the ticket that was wanted with it: the answer to a create call that waited for the end."""

    ticket: str | None = None
    ticket_expires_at: str | None = None


class Snapshot(JobView, frozen=True, kw_only=True, omit_defaults=True, tag="snapshot", tag_field="type"):
    """The job at one moment, made for one viewer; `gap` tells of events that could not be given."""

    at: str
    gap: Gap | None = None


def _fields(record: JobRecord, outlook: Outlook) -> dict[str, Any]:
    is_running = record.state is JobState.PROCESSING
    members = told(
        record,
        total_files=len(record.file_ids),
        download_url=f"{status_path(record.job_id)}/file" if record.state is JobState.COMPLETED else None,
        can_retry=not record.is_permanent if record.state is JobState.FAILED else None,
    )
    return members | {
        "progress": record.progress.progress,
        "message": record.progress.message if is_running else None,
        "queue_position": outlook.queue_position,
        "starts_in_seconds": outlook.starts_in_seconds,
        "remaining_seconds": record.progress.remaining_seconds if is_running else outlook.remaining_seconds,
        "retry_at": timestamp(record.due_at_ms) if record.state is JobState.RETRYING else None,
        "updated_at": timestamp(record.updated_at_ms),
    }


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
