"""One viewer's place, case by case: each row of the design's table of openings, and what happens afterwards."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from gateway.streaming.sse import Message, event_message
from gateway.streaming.subscription import Cursor, Resume, Subscription, Unreadable, read_cursor
from shared import limits
from shared.event_id import START, EventId
from shared.jobs import JobRecord, JobState

Log = list[tuple[EventId, bytes]]


def record_at(tail: EventId, state: JobState = JobState.PROCESSING) -> JobRecord:
    return JobRecord(
        job_id="j", owner="o", state=state, file_ids=(1,), epoch=tail.epoch, seq=tail.seq, entry="1-1",
        created_at_ms=0, updated_at_ms=0,
    )  # fmt: skip


def event(event_id: EventId, kind: str = "progress") -> tuple[EventId, bytes]:
    return event_id, b'{"type":"%b","at":"x"}' % kind.encode()


def live(event_id: EventId, kind: str = "progress") -> Message:
    return event_message(*event(event_id, kind))


LOG: Log = [event(EventId(0, 1), "queued"), event(EventId(1, 2), "started"), *(event(EventId(1, n)) for n in (3, 4, 5))]
ENDED: Log = [*LOG, event(EventId(1, 6), "completed")]


def opened(cursor: Cursor, log: Log, state: JobState = JobState.PROCESSING) -> Subscription:
    subscription = Subscription()
    subscription.open(cursor, record_at(log[-1][0], state), at_ms=0)
    return subscription


def catch_up(
    subscription: Subscription, log: Log, state: JobState = JobState.PROCESSING, *, meanwhile: Sequence[Message] = ()
) -> None:
    """Read the log; `meanwhile` arrives live after the read has begun, too late for its pages."""
    subscription.begin_read()
    for message in meanwhile:
        subscription.offer(message)
    subscription.begin_replay(record_at(log[-1][0], state), at_ms=0)
    subscription.replayed([entry for entry in log if entry[0] > subscription.cursor], is_last_page=True)


def data_of(message: Message) -> bytes:
    """Give what stands on the data line of a frame."""
    return message.frame.partition(b"data: ")[2].partition(b"\n")[0]


def shown(subscription: Subscription) -> list[tuple[str | None, str]]:
    """What goes out: (id, type) of each message; of a snapshot with a gap (id, `gap from>to missed`)."""
    found = []
    for message in subscription.take():
        data: dict[str, Any] = msgspec.json.decode(data_of(message))
        gap = data.get("gap")
        kind = f"gap {gap['from']}>{gap['to']} {gap['missed']}" if gap else data["type"]
        found.append((str(message.event_id) if message.event_id else None, kind))
    return found


# ── opening ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_open_without_cursor_gives_a_snapshot_with_the_last_id_then_live_events() -> None:
    subscription = opened(None, LOG)
    catch_up(subscription, LOG)
    subscription.offer(live(EventId(1, 6)))

    assert shown(subscription) == [("1-5", "snapshot"), ("1-6", "progress")]


def test_open_without_cursor_on_an_ended_job_gives_snapshot_without_id_then_the_terminal_message() -> None:
    subscription = opened(None, ENDED, JobState.COMPLETED)
    catch_up(subscription, ENDED, JobState.COMPLETED)

    assert shown(subscription) == [(None, "snapshot"), ("1-6", "completed")]
    assert subscription.is_ended


def test_open_at_the_end_of_an_ended_job_has_nothing_to_tell() -> None:
    subscription = Subscription()

    assert not subscription.open(EventId(1, 6), record_at(EventId(1, 6), JobState.COMPLETED), at_ms=0)
    assert subscription.resume is Resume.TERMINAL


def test_open_at_the_end_of_an_unfinished_job_goes_live() -> None:
    subscription = opened(EventId(1, 5), LOG)
    catch_up(subscription, LOG)

    assert shown(subscription) == []
    assert not subscription.is_behind


def test_open_in_the_middle_gives_exactly_the_missing_events() -> None:
    subscription = opened(EventId(1, 3), LOG)
    catch_up(subscription, LOG)

    assert shown(subscription) == [("1-4", "progress"), ("1-5", "progress")]
    assert subscription.resume is Resume.EXACT


def test_open_at_zero_gives_the_whole_log() -> None:
    subscription = opened(START, ENDED, JobState.COMPLETED)
    catch_up(subscription, ENDED, JobState.COMPLETED)

    assert [event_id for event_id, _ in shown(subscription)] == ["0-1", "1-2", "1-3", "1-4", "1-5", "1-6"]
    assert subscription.is_ended
    assert not subscription.is_behind, "an ended stream would read the log for ever"


def test_open_before_trimmed_history_gives_one_snapshot_with_gap_and_its_id_then_the_rest() -> None:
    subscription = opened(EventId(0, 1), ENDED, JobState.COMPLETED)
    catch_up(subscription, ENDED[4:], JobState.COMPLETED)

    assert shown(subscription) == [("1-4", "gap 0-1>1-4 3"), ("1-5", "progress"), ("1-6", "completed")]
    assert subscription.resume is Resume.GAP


def test_open_after_the_last_id_gives_a_snapshot_with_gap() -> None:
    subscription = opened(EventId(1, 9), LOG)
    catch_up(subscription, LOG)

    assert shown(subscription) == [("1-5", "gap 1-9>1-5 None")]
    assert subscription.resume is Resume.TIMELINE


def test_open_with_an_unreadable_cursor_gives_a_snapshot_with_gap() -> None:
    subscription = opened(Unreadable.CURSOR, ENDED, JobState.COMPLETED)
    catch_up(subscription, ENDED, JobState.COMPLETED)

    assert shown(subscription) == [(None, "gap None>1-6 None"), ("1-6", "completed")]


def test_open_with_an_id_of_another_log_gives_a_gap() -> None:
    subscription = opened(EventId(0, 4), LOG)
    catch_up(subscription, LOG)

    assert shown(subscription)[0] == ("1-1", "gap 0-4>1-1 None")


def test_ended_job_whose_log_is_gone_is_told_by_a_snapshot_and_the_stream_ends() -> None:
    subscription = opened(EventId(1, 2), ENDED, JobState.COMPLETED)
    subscription.begin_replay(record_at(EventId(1, 6), JobState.COMPLETED), at_ms=0)
    subscription.replayed([], is_last_page=True)

    assert shown(subscription) == [("1-6", "gap 1-2>1-6 4")]
    assert subscription.is_ended


# ── live ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_live_messages_wait_until_the_log_has_been_read() -> None:
    subscription = opened(EventId(1, 3), LOG)
    subscription.offer(live(EventId(1, 4)))

    assert shown(subscription) == []
    catch_up(subscription, LOG, meanwhile=[live(EventId(1, 5)), live(EventId(1, 6))])
    assert [event_id for event_id, _ in shown(subscription)] == ["1-4", "1-5", "1-6"]


def test_viewer_at_the_end_of_the_log_goes_live_with_what_was_parked_meanwhile() -> None:
    subscription = opened(EventId(1, 5), LOG)
    subscription.begin_read()
    subscription.offer(live(EventId(1, 6)))

    assert subscription.is_at(EventId(1, 5))
    assert shown(subscription) == [("1-6", "progress")]
    assert not subscription.is_behind


def test_viewer_that_is_not_at_the_end_of_the_log_stays_behind() -> None:
    subscription = opened(EventId(1, 4), LOG)
    subscription.begin_read()

    assert not subscription.is_at(EventId(1, 5))
    assert not subscription.is_at(None)
    assert subscription.is_behind


def test_doubt_that_comes_while_the_log_is_read_takes_one_more_turn() -> None:
    subscription = opened(EventId(1, 4), LOG)
    subscription.begin_read()
    subscription.begin_replay(record_at(EventId(1, 5)), at_ms=0)
    subscription.fall_behind()
    subscription.replayed(LOG[4:], is_last_page=True)

    assert subscription.is_behind, "what the doubt was about may have come after this page was read"


def test_message_that_was_seen_already_is_dropped() -> None:
    subscription = opened(EventId(1, 5), LOG)
    catch_up(subscription, LOG)
    subscription.offer(live(EventId(1, 4)))
    subscription.offer(live(EventId(1, 5)))

    assert shown(subscription) == []
    assert not subscription.is_behind


def test_hole_sends_the_viewer_back_to_the_log() -> None:
    subscription = opened(EventId(1, 4), LOG[:4])
    catch_up(subscription, LOG[:4])
    subscription.offer(live(EventId(1, 6)))

    assert subscription.is_behind
    catch_up(subscription, [*LOG, event(EventId(1, 6))])
    assert [event_id for event_id, _ in shown(subscription)] == ["1-5", "1-6"]
    assert not subscription.is_behind


def test_epoch_that_rises_between_two_events_is_no_hole() -> None:
    subscription = opened(EventId(1, 5), LOG)
    catch_up(subscription, LOG)
    subscription.offer(live(EventId(3, 6), "started"))

    assert shown(subscription) == [("3-6", "started")]


def test_overflow_while_behind_takes_one_more_turn_through_the_log() -> None:
    subscription = opened(EventId(1, 5), LOG)
    late = [EventId(1, 6 + n) for n in range(limits.MAX_PARKED_MESSAGES + 5)]
    whole = [*LOG, *map(event, late)]

    catch_up(subscription, LOG, meanwhile=list(map(live, late)))
    assert subscription.is_behind
    catch_up(subscription, whole)

    assert [event_id for event_id, _ in shown(subscription)] == list(map(str, late))
    assert not subscription.is_behind


def test_message_beyond_a_hole_that_the_log_cannot_fill_is_given_up() -> None:
    subscription = opened(EventId(1, 5), LOG)
    subscription.offer(live(EventId(1, 9)))

    catch_up(subscription, LOG)  # it may have come after the log was read
    catch_up(subscription, LOG)

    assert shown(subscription) == []
    assert not subscription.is_behind, "it would read the log for ever"
    subscription.offer(live(EventId(1, 6)))
    assert shown(subscription) == [("1-6", "progress")]


def test_new_timeline_after_a_failover_is_told_once() -> None:
    subscription = opened(EventId(1, 5), LOG)
    catch_up(subscription, LOG)
    subscription.fall_behind()
    catch_up(subscription, LOG[:3])

    assert shown(subscription) == [("1-3", "gap 1-5>1-3 None")]
    subscription.offer(live(EventId(1, 4)))
    assert shown(subscription) == [("1-4", "progress")]


def test_nothing_comes_after_the_terminal_message() -> None:
    subscription = opened(EventId(1, 5), LOG)
    catch_up(subscription, LOG)
    subscription.offer(live(EventId(1, 6), "completed"))
    subscription.offer(live(EventId(1, 7)))

    assert shown(subscription) == [("1-6", "completed")]
    assert subscription.is_ended


# ── a redriven job ────────────────────────────────────────────────────────────────────────────────────────────────────

REDRIVEN: Log = [*LOG, event(EventId(1, 6), "error"), event(EventId(2, 7), "queued"), event(EventId(3, 8), "started")]


def test_a_cursor_before_the_error_of_a_redriven_job_is_told_the_error_and_the_stream_ends() -> None:
    subscription = opened(EventId(1, 4), REDRIVEN)
    catch_up(subscription, REDRIVEN)

    assert shown(subscription) == [("1-5", "progress"), ("1-6", "error")]
    assert subscription.is_ended


def test_a_cursor_at_the_error_of_a_redriven_job_gets_what_followed_it() -> None:
    subscription = opened(EventId(1, 6), REDRIVEN)
    catch_up(subscription, REDRIVEN)

    assert shown(subscription) == [("2-7", "queued"), ("3-8", "started")]
    assert not subscription.is_ended


def test_a_new_viewer_of_a_redriven_job_sees_it_as_it_is_and_not_its_error() -> None:
    subscription = opened(None, REDRIVEN)
    catch_up(subscription, REDRIVEN)
    subscription.offer(live(EventId(3, 9)))

    assert shown(subscription) == [("3-8", "snapshot"), ("3-9", "progress")]


@pytest.mark.parametrize(
    ("header", "query", "expected"),
    [
        (None, None, None),
        ("", None, None),
        ("1-5", None, EventId(1, 5)),
        (None, "0-0", START),
        ("1-5", "0-0", EventId(1, 5)),
        ("x", "0-0", Unreadable.CURSOR),
        ("1-05", None, Unreadable.CURSOR),
        ("9" * 400 + "-1", None, Unreadable.CURSOR),
    ],
)
def test_header_wins_over_query(header: str | None, query: str | None, expected: Cursor) -> None:
    assert read_cursor(header, query) == expected


def test_what_was_parked_before_a_failover_is_not_taken_for_the_log() -> None:
    subscription = opened(LOG[2][0], LOG[:3])
    subscription.offer(live(EventId(1, 4)))
    subscription.offer(live(EventId(1, 5)))
    catch_up(subscription, LOG[:4])  # the failover lost 1-5
    shown(subscription)

    ended = [*LOG[:4], event(EventId(1, 5), "completed")]
    subscription.fall_behind()
    catch_up(subscription, ended, JobState.COMPLETED)

    assert shown(subscription) == [("1-5", "completed")]
    assert subscription.is_ended
