"""GET and a callback tell the same of one job: neither may have a member of its own mind."""

from typing import Any

import msgspec
import pytest

from gateway.estimate import Outlook
from gateway.representation import represent, status_path
from processor.callbacks.message import Links, end_body
from shared import events
from shared.jobs import (
    BundleSummary,
    JobError,
    JobOptions,
    JobRecord,
    JobState,
    OnMissing,
    ProgressSnapshot,
    RenamedFile,
    SkippedFile,
    SkipReason,
    make_job_id,
)
from shared.told_job import ToldJob

JOB_ID = make_job_id(3, 1)
OF_GET = {"progress", "message", "queue_position", "starts_in_seconds", "remaining_seconds", "retry_at", "updated_at"}
OF_A_CALLBACK = {"reason"}
IN_COMMON = {
    "job_id", "status", "files_processed", "total_files", "bytes_processed", "total_bytes", "attempt", "archive_name",
    "download_url", "archive_bytes", "archive_crc32", "renamed_files", "renamed", "on_missing", "skipped_files",
    "skipped", "error", "can_retry", "created_at", "started_at", "finished_at", "expires_at",
}  # fmt: skip
BUNDLE = BundleSummary(
    files=2, archive_bytes=1_234, archive_crc32="0badcafe",
    renamed_files=1, renamed=(RenamedFile(70_000, "a_.txt"),),
    skipped_files=1, skipped=(SkippedFile(70_001, None, SkipReason.UNKNOWN),),
)  # fmt: skip
ERROR = JobError("SOURCE_MISSING", "It is gone.", (70_001,))
COMPLETED = events.encode(events.completed(f"{status_path(JOB_ID)}/file", BUNDLE, 1_795_548_000_000, 1_795_461_600_123))
FAILED = events.encode(events.Failed(ERROR, can_retry=True, at="x"))
CANCELLED = events.encode(events.Cancelled("The job was cancelled by its caller.", at="x"))


def record(state: JobState, **more: Any) -> JobRecord:
    """Make a job that ended so, with no member left empty that may have something in it."""
    return JobRecord(
        job_id=JOB_ID, owner="anna", state=state, file_ids=(70_000, 70_001, 70_002), entry="", epoch=3, seq=9,
        options=JobOptions(archive_name="holiday.zip", on_missing=OnMissing.SKIP), attempt=2,
        progress=ProgressSnapshot(1.0, 3, 1_234, 1_234, "Copying.", 1), created_at_ms=1_795_461_000_000,
        started_at_ms=1_795_461_000_400, updated_at_ms=1_795_461_600_123, finished_at_ms=1_795_461_600_123,
        expires_at_ms=1_795_548_000_000, **more,
    )  # fmt: skip


def both(job: JobRecord, message: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give what GET answers, and what a callback tells."""
    sent = end_body(job, message, Links(), total_files=len(job.file_ids))
    return msgspec.json.decode(represent(job, Outlook())), msgspec.json.decode(sent)["data"]


@pytest.mark.parametrize(
    ("job", "message"),
    [
        (record(JobState.COMPLETED, bundle=BUNDLE), COMPLETED),
        (record(JobState.FAILED, error=ERROR), FAILED),
        (record(JobState.CANCELLED), CANCELLED),
    ],
    ids=["completed", "failed", "cancelled"],
)
def test_get_and_a_callback_tell_the_same_of_a_job_that_has_ended(job: JobRecord, message: bytes) -> None:
    read, sent = both(job, message)

    assert (set(read), set(sent)) == (IN_COMMON | OF_GET, IN_COMMON | OF_A_CALLBACK)
    assert {name: read[name] for name in IN_COMMON} == {name: sent[name] for name in IN_COMMON}


def test_what_both_tell_is_declared_once() -> None:
    assert set(ToldJob.__struct_fields__) == IN_COMMON


def test_a_completed_job_is_told_with_all_that_its_archive_is() -> None:
    told, _ = both(record(JobState.COMPLETED, bundle=BUNDLE), COMPLETED)

    assert (told["total_files"], told["archive_crc32"], told["on_missing"]) == (3, "0badcafe", "skip")
    assert told["renamed"] == [{"file_id": 70_000, "name": "a_.txt"}]
    assert told["skipped"] == [{"file_id": 70_001, "name": None, "reason": "unknown"}]
