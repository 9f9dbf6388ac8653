from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import events
from shared.events import Completed, Event, Failed, Heartbeat, Progress, Queued, Retrying, Started
from shared.jobs import BundleSummary, JobError, RenamedFile

AT_MS = 1_795_461_600_007
AT = "2026-11-23T19:20:00.007Z"
BUNDLE = BundleSummary(files=2, archive_bytes=1_234, archive_crc32="0badcafe")


@given(st.integers(0, 4_102_444_800_000))
def test_a_timestamp_is_rfc_3339_in_utc_with_milliseconds(at_ms: int) -> None:
    text = events.timestamp(at_ms)

    assert len(text) == 24
    assert text.endswith("Z")
    parsed = datetime.fromisoformat(text)
    assert parsed.tzinfo == UTC
    assert round(parsed.timestamp() * 1000) == at_ms


def test_timestamps_sort_as_their_times() -> None:
    assert events.timestamp(AT_MS) == AT
    assert events.timestamp(AT_MS - 8) < events.timestamp(AT_MS) < events.timestamp(AT_MS + 1_000)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (Queued(at=AT), b'{"type":"queued","at":"%b"}'),
        (Started(attempt=2, at=AT), b'{"type":"started","attempt":2,"at":"%b"}'),
        (Heartbeat(at=AT), b'{"type":"heartbeat","at":"%b"}'),
        (
            Failed(error=JobError("C", "m"), can_retry=True, at=AT),
            b'{"type":"error","error":{"code":"C","message":"m"},"can_retry":true,"at":"%b"}',
        ),
        (
            Retrying(attempt=1, max_attempts=3, error=JobError("C", "m", (7,)), retry_in_seconds=1.5, at=AT),
            b'{"type":"retrying","attempt":1,"max_attempts":3,"error":{"code":"C","message":"m","file_ids":[7]},'
            b'"retry_in_seconds":1.5,"at":"%b"}',
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_event_is_one_line_of_json_with_its_type_first(event: Event, expected: bytes) -> None:
    assert events.encode(event) == expected.replace(b"%b", AT.encode())


def test_progress_leaves_out_a_phase_that_did_not_change() -> None:
    progress = Progress(0.5, 1, 2, 617, 1_234, "copying", AT)

    encoded = events.encode(progress)

    assert b"phase" not in encoded
    assert msgspec.json.decode(encoded)["progress"] == 0.5


def test_a_message_with_line_breaks_stays_on_one_line() -> None:
    encoded = events.encode(Failed(error=JobError("C", "one\ntwo\r\nthree\u2028"), can_retry=False, at=AT))

    assert b"\n" not in encoded
    assert b"\r" not in encoded


def test_completed_tells_where_the_archive_is_and_what_it_holds() -> None:
    renamed = BundleSummary(3, 9, "00000001", renamed_files=1, renamed=(RenamedFile(70_001, "a (2).txt"),))

    completed = events.completed("/v1/download/jobs/x/file", renamed, AT_MS + 1_000, AT_MS)

    assert completed == Completed(
        download_url="/v1/download/jobs/x/file",
        files=3,
        archive_bytes=9,
        archive_crc32="00000001",
        expires_at="2026-11-23T19:20:01.007Z",
        at=AT,
        renamed_files=1,
        renamed=(RenamedFile(70_001, "a (2).txt"),),
    )
    assert b"renamed" not in events.encode(events.completed("/f", BUNDLE, AT_MS, AT_MS))


@given(st.integers(0, 4_102_444_800_000), st.integers(1, 10**6))
def test_the_started_template_has_one_place_to_fill_in_and_then_is_the_event(at_ms: int, attempt: int) -> None:
    template = events.encode_started(at_ms)

    assert template.count(b"%") == 1
    assert template % attempt == events.encode(Started(attempt=attempt, at=events.timestamp(at_ms)))
