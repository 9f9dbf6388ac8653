"""The examples of the document: values of the structs themselves, so that they cannot have another shape. Pure."""

import msgspec

from gateway.auth.ticket import Ticket, TicketSecret, write_ticket
from gateway.estimate import Outlook
from gateway.representation import represent
from shared.events import timestamp
from shared.jobs import BundleSummary, JobOptions, JobRecord, JobState, ProgressSnapshot

JOB_ID = "2f6d0e1a-7c3b-8000-9f4e-5d6c7b8a9012"
REQUEST_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
CREATED_AT_MS = 1_795_773_600_000
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


def running_job() -> object:
    """Show a job while it runs."""
    return _shown(_RECORD)


def completed_job() -> object:
    """Show the same job once its archive is there."""
    ended_at_ms = CREATED_AT_MS + 22_000
    return _shown(
        msgspec.structs.replace(
            _RECORD,
            state=JobState.COMPLETED,
            progress=ProgressSnapshot(1.0, 3, 10_487_022, 10_487_022),
            bundle=_BUNDLE,
            updated_at_ms=ended_at_ms,
            finished_at_ms=ended_at_ms,
            expires_at_ms=ended_at_ms + _DAY_MS,
        )
    )


def moment(after_seconds: float = 0) -> str:
    """Give a time of the example's job, so long after its creation."""
    return timestamp(CREATED_AT_MS + int(after_seconds * 1000))


def _shown(record: JobRecord) -> object:
    return msgspec.json.decode(represent(record, Outlook()))
