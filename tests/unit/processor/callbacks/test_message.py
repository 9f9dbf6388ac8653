"""What a callback says: the job as it ended, the same at each try."""

import msgspec
import pytest

from processor.callbacks.message import Links, end_body, trial_body
from shared import events
from shared.jobs import BundleSummary, JobError, JobOptions, JobRecord, JobState, make_job_id
from shared.ticket import PREFIX, TicketSecret

JOB_ID = make_job_id(3, 1)
BUNDLE = BundleSummary(files=2, archive_bytes=1_234, archive_crc32="0badcafe")
PATH = f"/v1/download/jobs/{JOB_ID}/file"
COMPLETED = events.encode(events.completed(PATH, BUNDLE, 1_795_548_000_000, 1_795_461_600_123))
FAILED = events.encode(events.Failed(JobError("SOURCE_MISSING", "It is gone.", (7,)), can_retry=True, at="x"))
CANCELLED = events.encode(events.Cancelled("The job was cancelled by its caller.", at="x"))
SECRET = TicketSecret("k1", b"1" * 32)


def record(state: JobState, **more: object) -> JobRecord:
    """Make a job that ended so."""
    fields: dict[str, object] = {
        "job_id": JOB_ID,
        "owner": "anna",
        "state": state,
        "file_ids": (70_000, 70_001),
        "options": JobOptions(archive_name="holiday.zip"),
        "epoch": 3,
        "seq": 9,
        "entry": "",
        "attempt": 2,
        "created_at_ms": 1_795_461_000_000,
        "updated_at_ms": 1_795_461_600_123,
        "finished_at_ms": 1_795_461_600_123,
        "expires_at_ms": 1_795_548_000_000,
    }
    return JobRecord(**(fields | more))  # type: ignore[arg-type]  # whatever a test says


def said(job: JobRecord, message: bytes, links: Links = Links()) -> dict[str, object]:  # noqa: B008  a frozen value
    """Read what is sent."""
    told: dict[str, object] = msgspec.json.decode(end_body(job, message, links, total_files=2))
    return told["data"] | {"type": told["type"], "timestamp": told["timestamp"]}  # type: ignore[operator,no-any-return]


def test_a_completed_job_is_told_with_its_archive_and_where_it_is() -> None:
    told = said(record(JobState.COMPLETED, bundle=BUNDLE), COMPLETED, Links("https://d.example.org/", SECRET))

    link, _, ticket = str(told["download_url"]).partition("?ticket=")
    assert (told["type"], told["timestamp"]) == ("download.completed", "2026-11-23T19:20:00.123Z")
    assert (told["status"], told["archive_bytes"], told["archive_name"]) == ("completed", 1_234, "holiday.zip")
    assert (told["total_files"], told["attempt"], told["error"]) == (2, 2, None)
    assert link == f"https://d.example.org{PATH}"
    assert ticket.startswith(PREFIX)


@pytest.mark.parametrize(
    ("links", "link"),
    [(Links(), PATH), (Links("https://d.example.org/waybill"), f"https://d.example.org/waybill{PATH}")],
)
def test_without_a_secret_that_gateways_take_the_link_has_no_ticket(links: Links, link: str) -> None:
    assert said(record(JobState.COMPLETED, bundle=BUNDLE), COMPLETED, links)["download_url"] == link


def test_a_failed_job_is_told_with_its_error_and_a_cancelled_one_with_the_reason() -> None:
    failed = said(record(JobState.FAILED, error=JobError("SOURCE_MISSING", "It is gone.", (7,))), FAILED)
    cancelled = said(record(JobState.CANCELLED), CANCELLED)

    assert (failed["type"], failed["can_retry"], failed["download_url"]) == ("download.failed", True, None)
    assert failed["error"] == {"code": "SOURCE_MISSING", "message": "It is gone.", "file_ids": [7]}
    assert (cancelled["type"], cancelled["reason"]) == ("download.cancelled", "The job was cancelled by its caller.")


@pytest.mark.parametrize("message", [b"", b"\xff", b'{"type":"from a later version"}', b"{}"])
def test_a_terminal_message_that_cannot_be_read_takes_nothing_from_what_the_record_says(message: bytes) -> None:
    told = said(record(JobState.FAILED, error=JobError("X", "y")), message)

    assert (told["status"], told["error"], told["can_retry"]) == ("failed", {"code": "X", "message": "y"}, None)


def test_a_test_is_known_for_one() -> None:
    assert msgspec.json.decode(trial_body(1_795_461_600_123))["type"] == "download.test"
