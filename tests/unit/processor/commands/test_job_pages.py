"""A job as text: complete, and harmless to the terminal that shows it."""

import json

import msgspec
import pytest

from processor.commands.job_pages import JobSight, job_json, job_page
from shared.event_id import EventId
from shared.jobs import JobError, JobRecord, JobState, OnMissing
from shared.jobstore.queue import PARKED, READY, Hold
from tests.support import jobs

AT_MS = 1_795_461_600_123
HOSTILE = "x\x1b[2J\x9b31m\r\n\u202e\x00\x7fy"
RECORD = JobRecord(
    job_id="job-1",
    owner="anna",
    state=JobState.PROCESSING,
    file_ids=tuple(range(1, 31)),
    epoch=2,
    seq=5,
    entry="1-1",
    token="secret-token",
    attempt=2,
    crashes=1,
    due_at_ms=AT_MS + 9_000,
    processor="p1",
    created_at_ms=AT_MS - 60_000,
    updated_at_ms=AT_MS - 2_000,
)


def sight(record: JobRecord | None = RECORD, *, hold: Hold | None = None, **fields: bytes) -> JobSight:
    """See a job; without a record it is damaged, and these are its fields."""
    trouble = "" if record else f"Damaged: {HOSTILE}"
    return JobSight(
        job_id="job-1", partition=3, at_ms=AT_MS, fields=fields, record=record, trouble=trouble, hold=hold, workers=1
    )


def page(seen: JobSight) -> str:
    """Give a page as one line."""
    return " ".join(" ".join(job_page(seen, width=80)).split())


def changed(**changes: object) -> JobRecord:
    """Give the record with some fields of its own."""
    return msgspec.structs.replace(RECORD, **changes)


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (RECORD, "processing: attempt 2 on p1; its lease runs out in 9.0 s unless renewed"),
        (changed(due_at_ms=AT_MS - 61_000), "its lease ran out 1 min 1 s ago, and the next processor takes it over"),
        (changed(state=JobState.RETRYING), "retrying: the next attempt is due in 9.0 s"),
        (changed(state=JobState.RETRYING, due_at_ms=AT_MS - 500), "retrying: the next attempt is due since 0.5 s"),
        (changed(state=JobState.QUEUED), "queued: has waited for 2.0 s, ends as EXPIRED in 23 h 59 min"),
        (changed(state=JobState.CANCELLED, deleted_at_ms=AT_MS), "cancelled; deleted by its caller"),
    ],
)
def test_the_state_says_what_comes_next(record: JobRecord, told: str) -> None:
    assert told in page(sight(record))


@pytest.mark.parametrize(
    ("hold", "told"),
    [
        (None, "1-1 is not in the command stream: no processor will find this job. See doctor --repair."),
        (Hold("1-1"), "1-1, not read by any processor yet"),
        (Hold("1-1", PARKED), "1-1, parked until it is due"),
        (Hold("1-1", READY), "1-1, ready to be taken up"),
        (Hold("1-1", "p1", 4_000), "1-1, in the hands of p1, renewed 4.0 s ago"),
    ],
)
def test_the_entry_says_who_has_the_job(hold: Hold | None, told: str) -> None:
    assert told in page(sight(hold=hold))


def test_the_entry_of_a_job_that_has_ended_is_told_only_when_it_still_stands() -> None:
    ended = changed(state=JobState.COMPLETED, bundle=jobs.BUNDLE, object_key="bundles/x.zip")

    assert " entry " not in page(sight(ended))
    assert "still stands in the command stream, though the job has ended" in page(sight(ended, hold=Hold("1-1")))


def test_all_facts_are_there_and_long_lists_are_cut() -> None:
    record = changed(
        error=JobError("STORE_FULL", "no room"),
        dead_id="7-0",
        traceparent="00-aa-bb-01",
        options=msgspec.structs.replace(RECORD.options, archive_name="a.zip", on_missing=OnMissing.SKIP),
    )

    told = page(sight(record, cancel_requested=b"{}"))

    for fact in (
        "job-1 (partition 3)",
        "it was asked to end",
        "2 (0 failed, 1 crashed)",
        "30: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 20 more",
        "archive name a.zip, on_missing skip",
        "2026-11-23 19:19:00 UTC, 1 min ago",
        "STORE_FULL: no room",
        "7-0: see dead-letters show job-1",
        "00-aa-bb-01",
    ):
        assert fact in told


def test_neither_the_page_nor_the_json_shows_the_token() -> None:
    damaged = sight(None, token=b"secret-token", state=b"queued")

    for seen in (sight(), damaged):
        assert "secret-token" not in page(seen) + job_json(seen)


def test_nothing_moves_the_cursor_of_who_reads_it() -> None:
    raw = HOSTILE.encode()
    seen = [
        sight(changed(owner=HOSTILE, processor=HOSTILE, error=JobError("X", HOSTILE)), hold=Hold("1-1", HOSTILE)),
        msgspec.structs.replace(sight(None), fields={HOSTILE: raw}),
        msgspec.structs.replace(sight(), events=[(EventId(1, 1), raw), (EventId(1, 2), jobs.progress(0.5, HOSTILE))]),
    ]

    for each in seen:
        assert all(line.isprintable() for line in job_page(each, width=80))
        assert job_json(each).isprintable()


def test_json_has_the_events_as_they_were_written() -> None:
    seen = msgspec.structs.replace(sight(), events=[(EventId(0, 1), jobs.QUEUED), (EventId(1, 2), b"no JSON")])

    shown = json.loads(job_json(seen))

    assert shown["events"] == [
        {"id": "0-1", "message": {"type": "queued", "at": jobs.AT}},
        {"id": "1-2", "message": "no JSON"},
    ]
    assert (shown["record"]["attempt"], shown["unreadable_record"], shown["entry"]) == (2, None, None)
