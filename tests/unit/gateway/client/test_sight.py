"""What a reader knows of a job after each message, and how it is said."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from gateway.client.record import Message
from gateway.client.sentences import sentence
from gateway.client.sight import Sight
from gateway.client.transfer import Transfer

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
RUNNING = {"files_processed": 3, "total_files": 12, "bytes_processed": 412_000_000, "total_bytes": 1_200_000_000}


def seen(*messages: dict[str, Any], every_ms: int = 0) -> Sight:
    sight = Sight()
    for number, body in enumerate(messages):
        sight.see(Message(None, body["type"], body), number * every_ms)
    return sight


def said(sight: Sight, now_ms: int = 0, *, is_live: bool = True) -> str:
    return sentence(sight.facts(now_ms, NOW, is_live=is_live))


def snapshot(status: str, **more: object) -> dict[str, Any]:
    return {"type": "snapshot", "status": status, "at": "2026-11-23T09:00:00.000Z", **more}


def test_a_life_is_said_event_by_event() -> None:
    error = {"code": "SOURCE_CHANGED", "message": "File 3 changed."}
    sight, told = Sight(), []
    for body in (
        {"type": "queued", "queue_position": 2},
        {"type": "started", "attempt": 1},
        {"type": "progress", "progress": 0.1, "phase": "planning", "total_files": 12},
        {"type": "progress", "progress": 0.4, "phase": "bundling", "remaining_seconds": 41, **RUNNING},
        {"type": "retrying", "attempt": 1, "max_attempts": 3, "error": error, "retry_in_seconds": 11.5},
        {"type": "started", "attempt": 2},
        {"type": "progress", "progress": 0.9, "phase": "finishing", **RUNNING},
        {"type": "completed", "archive_bytes": 1_200_000_000, "expires_at": "2026-11-24T10:30:00.000Z"},
    ):
        sight.see(Message(None, str(body["type"]), body), 0)
        told.append(said(sight))

    assert told == [
        "Waiting: 2 ahead of you.",
        "Looking up the files…",
        "Looking up 12 files…",
        "Bundling: 3 of 12 files, 412 MB of 1.2 GB, about 40 seconds left.",
        "Attempt 1 of 3 did not work: File 3 changed. Trying again in 12 seconds.",
        "Looking up 12 files…",
        "Finishing the archive…",
        "Ready: 1.2 GB. Available until tomorrow, 10:30.",
    ]


def test_a_run_that_goes_on_where_one_was_lost_says_so_until_it_copies() -> None:
    sight = seen({"type": "started", "attempt": 1}, {"type": "started", "attempt": 2})

    assert said(sight) == "A worker stopped; another one goes on where it was."
    sight.see(Message(None, "progress", {"phase": "bundling", **RUNNING}), 0)
    assert said(sight) == "Bundling: 3 of 12 files, 412 MB of 1.2 GB."


def test_silence_is_told_and_not_while_the_connection_is_away() -> None:
    sight = seen({"type": "progress", "phase": "bundling", **RUNNING})

    assert said(sight, 20_000) == "No progress for 20 seconds; still trying."
    assert said(sight, 20_000, is_live=False) == "Bundling: 3 of 12 files, 412 MB of 1.2 GB."


def test_a_snapshot_says_as_much_and_server_times_are_compared_with_server_times() -> None:
    retrying = seen(snapshot("retrying", attempt=2, error={"message": "No."}, retry_at="2026-11-23T09:00:30.000Z"))
    completed = seen(snapshot("completed", archive_bytes=999, expires_at="2026-11-23T22:30:00.000Z"))

    assert said(retrying, 10_000) == "Attempt 2 did not work: No. Trying again in 20 seconds."
    facts = completed.facts(0, NOW.astimezone(timezone(timedelta(hours=2))))
    assert sentence(facts) == "Ready: 999 B. Available until tomorrow, 00:30."


def test_a_waiting_job_is_said_to_start_until_that_moment_is_over() -> None:
    sight = seen(snapshot("queued", queue_position=1, starts_in_seconds=40, remaining_seconds=90))

    assert said(sight) == "Waiting: 1 ahead of you, starts in about 40 seconds."
    assert said(sight, 20_000) == "Waiting: 1 ahead of you, starts in about 20 seconds."
    assert said(sight, 41_000) == "Waiting: 1 ahead of you, ready in about 50 seconds."


def test_what_has_ended_before_is_said_as_if_it_had_been_seen() -> None:
    error = {"code": "INTERNAL", "message": "It broke."}
    failed = seen(snapshot("failed", error=error, can_retry=True))

    assert (failed.can_retry, said(failed)) == (True, "Could not be made: It broke.")
    assert not seen(snapshot("failed", error=error, can_retry=False)).can_retry
    named = seen(snapshot("completed", archive_name="holiday", archive_bytes=1_000))
    assert said(named) == "Ready: holiday.zip, 1.0 kB."


def test_what_cannot_be_had_of_many_is_gone_or_lost_and_over() -> None:
    gone = seen({"type": "error", "error": {"code": "GONE", "message": "x"}})
    lost = seen({"type": "error", "error": {"code": "NOT_FOUND", "message": "x"}})

    assert (gone.state, lost.state) == ("gone", "lost")
    assert gone.is_over
    assert lost.is_over


def test_messages_of_a_later_version_change_nothing() -> None:
    sight = seen({"type": "progress", "phase": "bundling", **RUNNING}, {"type": "paused", "by": "somebody"})

    assert said(sight) == "Bundling: 3 of 12 files, 412 MB of 1.2 GB."


def test_a_transfer_says_its_rate_and_what_is_left() -> None:
    transfer = Transfer(100_000_000)
    transfer.reach(20_000_000, 0)
    assert transfer.sentence(0) == "Downloading: 20.0 MB of 100 MB."

    told = []
    for second in range(1, 5):
        transfer.reach(20_000_000 + second * 2_000_000, second * 1_000)
        told.append(transfer.sentence(second * 1_000))

    assert told[-1] == "Downloading: 28.0 MB of 100 MB, 2.0 MB/s, about 35 seconds left."
    assert transfer.progress_ratio == 0.28
