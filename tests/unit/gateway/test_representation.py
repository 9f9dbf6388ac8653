"""What callers are shown of a record."""

import msgspec
import pytest

from gateway.estimate import Outlook
from gateway.representation import represent, snapshot
from shared.jobs import JobError, JobOptions, JobRecord, JobState

RECORD = JobRecord(
    job_id="j", owner="o", state=JobState.QUEUED, file_ids=(1,), options=JobOptions(archive_name="holiday"),
    epoch=0, seq=1, entry="1-1", created_at_ms=0, updated_at_ms=0,
)  # fmt: skip
NOTHING_KNOWN = Outlook()


def shown(record: JobRecord, outlook: Outlook = NOTHING_KNOWN) -> dict[str, object]:
    job = msgspec.json.decode(represent(record, outlook))
    in_a_stream = msgspec.json.decode(snapshot(record, outlook, at_ms=0))
    assert {name: in_a_stream[name] for name in job} == job
    return dict(job)


def test_a_waiting_job_is_shown_with_its_name_and_when_it_starts() -> None:
    job = shown(RECORD, Outlook(queue_position=2, remaining_seconds=90, starts_in_seconds=30))

    assert (job["archive_name"], job["starts_in_seconds"], job["can_retry"]) == ("holiday", 30, None)


def test_an_unnamed_archive_has_no_name() -> None:
    assert shown(msgspec.structs.replace(RECORD, options=JobOptions()))["archive_name"] is None


@pytest.mark.parametrize("is_permanent", [False, True])
def test_a_failed_job_says_whether_starting_it_anew_may_help(is_permanent: bool) -> None:
    failed = msgspec.structs.replace(
        RECORD, state=JobState.FAILED, error=JobError("INTERNAL", "m"), is_permanent=is_permanent
    )

    assert shown(failed)["can_retry"] is not is_permanent
