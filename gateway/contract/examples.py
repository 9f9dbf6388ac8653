"""The examples of the document: values of the structs themselves, or held against them by a test. Pure."""

import msgspec

from gateway.estimate import Outlook
from gateway.representation import represent, status_path
from shared.callbacks.end_message import EndedJob, EndMessage, EndType
from shared.events import timestamp
from shared.jobs import BundleSummary, JobOptions, JobRecord, JobState, ProgressSnapshot
from shared.ticket import Ticket, TicketSecret, write_ticket
from shared.told_job import told

JOB_ID = "2f6d0e1a-7c3b-8000-9f4e-5d6c7b8a9012"
UNKNOWN_JOB_ID = "00000000-0000-8000-8000-000000000000"
NO_SUCH_JOB = "There is no such job. Check the id; jobs are forgotten about two days after their end."
REQUEST_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
CREATED_AT_MS = 1_795_773_600_000
ENDED_AT_MS = CREATED_AT_MS + 22_000
WEBHOOK_ID = f"msg_{JOB_ID.replace('-', '')}_1"
_DAY_MS = 86_400_000
TICKET_SECONDS = 900
TICKET = write_ticket(
    Ticket(owner="example", job_ids=(JOB_ID,), expires_at_ms=CREATED_AT_MS + TICKET_SECONDS * 1000),
    TicketSecret("example", b"known to everybody"),
)

_BUNDLE = BundleSummary(files=3, archive_bytes=10_487_022, archive_crc32="5b1f0c9e")
_RECORD = JobRecord(
    job_id=JOB_ID,
    owner="example",
    state=JobState.PROCESSING,
    file_ids=(70_000, 70_001, 70_002),
    options=JobOptions(archive_name="samples"),
    progress=ProgressSnapshot(0.4, 1, 4_194_304, 10_487_022, "Copying.", 12),
    epoch=1,
    seq=4,
    entry="",
    attempt=1,
    created_at_ms=CREATED_AT_MS,
    updated_at_ms=CREATED_AT_MS + 9_200,
    started_at_ms=CREATED_AT_MS + 400,
)
_COMPLETED = msgspec.structs.replace(
    _RECORD,
    state=JobState.COMPLETED,
    progress=ProgressSnapshot(1.0, 3, 10_487_022, 10_487_022),
    bundle=_BUNDLE,
    updated_at_ms=ENDED_AT_MS,
    finished_at_ms=ENDED_AT_MS,
    expires_at_ms=ENDED_AT_MS + _DAY_MS,
)


def accepted_job(*, ticket: str | None = None, **told: object) -> dict[str, object]:
    """Show the answer about a job that has its run before it; a ticket stands in the addresses that only read."""
    path, query = status_path(JOB_ID), f"?ticket={ticket}" if ticket else ""
    return {
        "job_id": JOB_ID,
        "status": "queued",
        "queue_position": None,
        "estimated_duration": None,
        "status_url": f"{path}{query}",
        "stream_url": f"{path}/stream{query}",
        "websocket_url": f"{path}/stream{query}",
        "events_url": f"{path}/events{query}",
        "file_url": f"{path}/file{query}",
        "cancel_url": f"{path}/cancel",
        "deliveries_url": None,
        "ticket": ticket,
        "ticket_expires_at": moment(TICKET_SECONDS) if ticket else None,
    } | told


def missing_job() -> dict[str, object]:
    """Show what a batch says of a job that nobody knows."""
    return {"job_id": UNKNOWN_JOB_ID, "code": "NOT_FOUND", "message": NO_SUCH_JOB}


def running_job() -> object:
    """Show a job while it runs."""
    return _shown(_RECORD)


def completed_job() -> object:
    """Show the same job once its archive is there."""
    return _shown(_COMPLETED)


def end_message() -> object:
    """Show what a receiver is sent of it."""
    link = f"https://downloads.example.org{status_path(JOB_ID)}/file?ticket={TICKET}"
    members = told(_COMPLETED, total_files=len(_COMPLETED.file_ids), download_url=link, can_retry=None)
    ended = msgspec.convert(members | {"reason": None}, EndedJob)
    return msgspec.json.decode(msgspec.json.encode(EndMessage(EndType.COMPLETED, timestamp(ENDED_AT_MS), ended)))


def moment(after_seconds: float = 0) -> str:
    """Give a time of the example's job, so long after its creation."""
    return timestamp(CREATED_AT_MS + int(after_seconds * 1000))


def _shown(record: JobRecord) -> object:
    return msgspec.json.decode(represent(record, Outlook()))
