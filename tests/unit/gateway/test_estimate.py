"""Estimates: honest when nothing is known, and what they count when something is."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.estimate import Outlook, Promise, Queue, as_range, total_size_bytes
from shared.jobs import JobRecord, JobState, Standing, make_job_id
from shared.jobstore.operations import Created, Line, LinePlace
from shared.jobstore.service_times import ServiceTimes

MINUTE_MS = 60_000
EMPTY = Line(unfinished=0, parked=0, ready=0, end=LinePlace(), taken=LinePlace())


def line(*, waiting: int = 0, running: int = 0, ready: int = 0, parked: int = 0, taken: int = 10) -> Line:
    return Line(waiting + running + ready + parked, parked, ready, LinePlace(taken + waiting), LinePlace(taken))


def queue(*lines: Line, open_slots: int = 2, mean_ms: float | None = MINUTE_MS, miss: float | None = 0.0) -> Queue:
    return Queue(lines, open_slots, ServiceTimes(mean_ms, miss))


def record(ticket: int | None, state: JobState = JobState.QUEUED, *, partition: int = 0) -> JobRecord:
    return JobRecord(
        job_id=make_job_id(partition, 0), owner="o", state=state, file_ids=(1,), epoch=0, seq=1, entry="1-1",
        created_at_ms=0, updated_at_ms=0, standing=None if ticket is None else Standing(ticket, 0),
    )  # fmt: skip


# ── what is not known is not said ─────────────────────────────────────────────────────────────────────────────────────


def test_nothing_but_the_place_is_said_before_the_first_job_has_completed() -> None:
    assert queue(line(waiting=3), mean_ms=None).promise(0, None) == Promise(queue_position=3)


def test_nothing_but_the_place_is_said_while_no_processor_takes_work() -> None:
    unmanned = queue(line(waiting=3), open_slots=0)

    assert unmanned.promise(0, None) == Promise(queue_position=3)
    assert unmanned.outlook(record(12)) == Outlook(queue_position=1)


@pytest.mark.parametrize("state", [state for state in JobState if state is not JobState.QUEUED])
def test_nothing_is_said_of_a_job_that_does_not_stand_in_line(state: JobState) -> None:
    assert queue(line(waiting=3)).outlook(record(12, state)) == Outlook()


def test_nothing_is_said_of_a_job_from_before_there_were_places() -> None:
    assert queue(line(waiting=3)).outlook(record(None)) == Outlook()


# ── the place ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_new_job_stands_behind_all_that_wait_and_all_that_were_handed_back() -> None:
    assert queue(line(waiting=3, running=2, ready=1, parked=5)).promise(0, None).queue_position == 4


def test_the_place_counts_from_where_the_last_run_began() -> None:
    waiting = queue(line(waiting=3, running=2, taken=10))

    assert [waiting.outlook(record(ticket)).queue_position for ticket in (11, 12, 13)] == [0, 1, 2]


def test_a_job_that_was_handed_back_stands_among_the_others_that_were() -> None:
    handed_back = record(7)

    assert queue(line(waiting=5, ready=3, taken=10)).outlook(handed_back).queue_position == 2


def test_jobs_that_were_cancelled_do_not_stand_before_anybody_for_ever() -> None:
    after_a_hundred_cancellations = Line(unfinished=1, parked=0, ready=0, end=LinePlace(101), taken=LinePlace())

    assert queue(after_a_hundred_cancellations).outlook(record(101)).queue_position == 0


def test_a_reading_from_before_the_job_hides_nobody_who_stands_before_it() -> None:
    old = Line(unfinished=0, parked=0, ready=0, end=LinePlace(10), taken=LinePlace(10))

    assert queue(old).outlook(record(14)).queue_position == 3


def test_of_another_partition_as_many_begin_before_a_job_as_of_its_own_and_one_while_any_wait_there() -> None:
    several = queue(line(waiting=3), line(waiting=1), line(running=9), line(waiting=50))

    assert several.outlook(record(13)).queue_position == 2 + 3 + 0 + 3


@given(before=st.integers(0, 1000), others=st.lists(st.integers(0, 1000), max_size=5), ready=st.integers(0, 20))
def test_who_waits_in_one_place_moves_up_and_never_back(before: int, others: list[int], ready: int) -> None:
    def position(taken: int) -> int | None:
        own = Line(before + 1, 0, ready, LinePlace(before + 1), LinePlace(taken))
        return queue(own, *(line(waiting=waiting) for waiting in others)).outlook(record(before + 1)).queue_position

    positions = [position(taken) for taken in range(before + 1)]

    assert positions == sorted(positions, key=lambda place: -(place or 0))


# ── how long ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_where_a_slot_is_free_a_job_takes_its_own_time() -> None:
    assert queue(line(running=1), open_slots=2).promise(0, None).expected_ms == MINUTE_MS


def test_behind_full_slots_a_job_waits_for_the_first_that_becomes_free() -> None:
    assert queue(line(running=2), open_slots=2).promise(0, None).expected_ms == 1.5 * MINUTE_MS


def test_each_job_before_it_costs_its_work_divided_by_the_slots() -> None:
    assert queue(line(running=2, waiting=4), open_slots=2).promise(0, None).expected_ms == 3.5 * MINUTE_MS


def test_a_waiting_job_has_less_left_the_further_it_has_moved_up() -> None:
    waiting = queue(line(waiting=3, running=2))

    assert [waiting.outlook(record(ticket)).remaining_seconds for ticket in (11, 12, 13)] == [90, 120, 150]
    assert [waiting.outlook(record(ticket)).starts_in_seconds for ticket in (11, 12, 13)] == [30, 60, 90]


def test_a_waiting_job_with_a_free_slot_starts_at_once() -> None:
    assert queue(line(waiting=1), open_slots=2).outlook(record(11)).starts_in_seconds == 0


def test_a_parked_job_takes_no_slot() -> None:
    assert queue(line(parked=9), open_slots=1).promise(0, None).expected_ms == MINUTE_MS


# ── a burst ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_job_that_is_being_created_stands_before_the_next_one() -> None:
    before = queue(line())

    after = before.joined(0, 5_000_000).joined(0, None)

    assert [one.promise(0, None).queue_position for one in (before, after)] == [0, 2]
    assert after.lines[0].end == LinePlace(12, 5_000)


def test_what_a_create_is_answered_takes_the_place_of_what_was_thought() -> None:
    told = queue(line(), EMPTY).noted(0, Created(True, 7, LinePlace(40, 900), LinePlace(35, 100)))

    assert told.lines == (Line(7, 0, 0, LinePlace(40, 900), LinePlace(35, 100)), EMPTY)


def test_a_repeated_create_does_not_move_the_line_back() -> None:
    told = queue(line(waiting=5)).noted(0, Created(False, 5, LinePlace(11), LinePlace(9)))

    assert (told.lines[0].end, told.lines[0].taken) == (LinePlace(15), LinePlace(10))


# ── the range ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_range_is_as_wide_as_promises_have_been_wrong() -> None:
    exact, first, off_by_half = (as_range(MINUTE_MS, miss) for miss in (0.0, None, math.log(1.5)))

    assert (exact, first, off_by_half) == ("42-85s", "30-120s", "31-115s")


@given(expected_ms=st.floats(0, 1e9), miss=st.none() | st.floats(0, 5))
def test_low_end_is_below_the_high_end_and_the_middle_between_them(expected_ms: float, miss: float | None) -> None:
    low, high = map(int, as_range(expected_ms, miss).removesuffix("s").split("-"))

    assert 1 <= low < high
    assert min(low, expected_ms / 1000) <= expected_ms / 1000 <= high


def test_the_size_of_a_job_is_known_when_that_of_each_file_is() -> None:
    assert (total_size_bytes([1, 0, 5]), total_size_bytes([1, None]), total_size_bytes([])) == (6, None, 0)
