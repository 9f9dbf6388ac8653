"""Estimates say nothing when nothing is known, and never turn around."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.estimate import estimated_duration


def test_nothing_is_said_before_the_first_job_has_ended() -> None:
    assert estimated_duration(5, None) is None


def test_range_reaches_from_one_service_time_to_the_whole_backlog() -> None:
    assert estimated_duration(2, 60_000) == "60-120s"


@given(unfinished=st.integers(0, 10**6), mean_ms=st.integers(0, 10**8))
def test_low_end_is_below_the_high_end(unfinished: int, mean_ms: int) -> None:
    text = estimated_duration(unfinished, mean_ms)

    assert text is not None
    low, high = text.removesuffix("s").split("-")
    assert 1 <= int(low) < int(high)
