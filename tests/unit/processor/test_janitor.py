"""How often the janitor looks."""

import pytest

from processor.maintenance.janitor import pause_seconds


@pytest.mark.parametrize(("ratio", "seconds"), [(0.0, 4.0), (0.5, 5.0), (1.0, 6.0)])
def test_a_look_is_five_seconds_after_the_last_one_give_or_take_a_fifth(ratio: float, seconds: float) -> None:
    assert pause_seconds(ratio, more_is_due=False) == pytest.approx(seconds)


@pytest.mark.parametrize(("ratio", "seconds"), [(0.0, 0.08), (1.0, 0.12)])
def test_a_full_page_is_followed_by_the_next_one_almost_at_once(ratio: float, seconds: float) -> None:
    assert pause_seconds(ratio, more_is_due=True) == pytest.approx(seconds)
