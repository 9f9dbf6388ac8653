"""When a processor looks for orphaned uploads."""

import pytest

from processor.maintenance.orphans import first_pause_seconds, pause_seconds


def test_the_first_look_comes_within_minutes_and_a_fleet_is_spread_over_them() -> None:
    assert (first_pause_seconds(0.0), first_pause_seconds(1.0)) == (60, 600)


def test_further_looks_come_about_once_an_hour() -> None:
    assert [pause_seconds(ratio) for ratio in (0.0, 0.5, 1.0)] == pytest.approx([2_880, 3_600, 4_320])
