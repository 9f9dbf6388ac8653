"""Which way a job is followed, and which messages are new."""

import pytest

from gateway.client.course import Course
from gateway.client.record import Message


def message(event_id: str | None, **body: object) -> Message:
    return Message(event_id, "progress", body)


@pytest.mark.parametrize(
    ("cursor", "came", "is_taken", "after"),
    [
        (None, "1-1", True, "1-1"),
        ("1-1", "1-2", True, "1-2"),
        ("1-9", "2-10", True, "2-10"),
        ("1-2", "1-2", False, "1-2"),
        ("1-10", "1-9", False, "1-10"),
        ("1-2", None, True, "1-2"),
        ("1-2", "of a later version", True, "of a later version"),
    ],
)
def test_what_came_before_is_not_taken(cursor: str | None, came: str | None, is_taken: bool, after: str) -> None:
    course = Course(cursor)

    assert course.takes(message(came)) is is_taken
    assert course.cursor == after


def test_a_gap_may_go_back() -> None:
    course = Course("3-9")

    assert course.takes(message("1-2", gap={"from": "3-9", "to": "1-2", "missed": None}))
    assert course.cursor == "1-2"


def test_two_mute_streams_in_a_row_lead_to_polling() -> None:
    course = Course(None)

    course.was_mute(0)
    after_one = course.is_polling
    course.was_mute(5_000)

    assert (after_one, course.is_polling) == (False, True)
    assert not course.wants_stream(34_999)
    assert course.wants_stream(35_000)


def test_a_frame_between_two_mute_streams_counts() -> None:
    course = Course(None)

    course.was_mute(0)
    course.spoke()
    course.was_mute(0)

    assert not course.is_polling


def test_three_failures_within_a_minute_lead_to_polling_and_slower_ones_do_not() -> None:
    quick, slow = Course(None), Course(None)

    for at_ms in (0, 20_000, 40_000):
        quick.failed(at_ms)
        slow.failed(at_ms * 2)

    assert quick.is_polling
    assert not slow.is_polling


def test_probes_come_ever_later_until_one_speaks() -> None:
    course, now_ms, pauses = Course(None), 0, []
    course.was_mute(0)
    for _ in range(6):
        course.was_mute(now_ms)
        began_ms = now_ms
        while not course.wants_stream(now_ms):
            now_ms += 1_000
        pauses.append((now_ms - began_ms) // 1000)

    course.spoke()

    assert pauses == [30, 60, 120, 240, 300, 300]
    assert not course.is_polling
