"""When to try again, by the rate at which jobs have ended lately."""

import pytest

from gateway.room import LONGEST_SECONDS, UNKNOWN_SECONDS, Look, ends_per_second, seconds_until_room


def test_the_rate_is_that_from_the_first_look_to_the_last() -> None:
    assert ends_per_second([Look(10.0, 100), Look(13.0, 400), Look(20.0, 150)]) == 5.0


@pytest.mark.parametrize("looks", [[], [Look(10.0, 5)], [Look(10.0, 5), Look(10.0, 9)], [Look(10.0, 9), Look(20.0, 2)]])
def test_a_rate_that_nobody_knows_is_none(looks: list[Look]) -> None:
    """One look, no time between two, or counts that went back: Redis was emptied."""
    assert ends_per_second(looks) == 0.0


def test_who_has_a_part_of_all_jobs_waits_for_one_of_its_own() -> None:
    assert seconds_until_room(2.0, share_ratio=1.0, chance_ratio=0.0) == 1
    assert seconds_until_room(2.0, share_ratio=0.1, chance_ratio=0.0) == 5


def test_those_who_wait_are_told_different_times() -> None:
    told = {seconds_until_room(0.1, share_ratio=1.0, chance_ratio=chance / 10) for chance in range(11)}

    assert (min(told), max(told)) == (10, 15)
    assert len(told) > 3


def test_a_time_is_neither_nothing_nor_for_ever() -> None:
    assert seconds_until_room(1_000.0, share_ratio=1.0, chance_ratio=1.0) == 1
    assert seconds_until_room(0.0001, share_ratio=1.0, chance_ratio=1.0) == LONGEST_SECONDS
    assert seconds_until_room(0.0, share_ratio=1.0, chance_ratio=0.0) == UNKNOWN_SECONDS
    assert seconds_until_room(5.0, share_ratio=0.0, chance_ratio=0.0) == UNKNOWN_SECONDS
