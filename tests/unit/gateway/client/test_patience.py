"""When a client tries again, and when it gives up."""

import pytest

from gateway.client.patience import Patience
from shared import limits


def test_pauses_double_up_to_a_bound_with_full_jitter() -> None:
    patience = Patience(0, tries=20)

    pauses = [patience.pause_ms(0, 0.999) for _ in range(8)]

    assert [pause and round(pause / 1000) for pause in pauses] == [1, 2, 4, 8, 16, 30, 30, 30]
    assert Patience(0).pause_ms(0, 0.0) == limits.CLIENT_RETRY_FLOOR_MS


def test_what_the_server_asks_for_is_a_lower_bound() -> None:
    assert Patience(0).pause_ms(0, 0.5, at_least_ms=12_000) == 12_000
    assert Patience(0).pause_ms(0, 0.999, at_least_ms=100) == 999


def test_it_is_spent_after_so_many_tries_in_a_row() -> None:
    patience = Patience(0)

    pauses = [patience.pause_ms(0, 0.0) for _ in range(limits.CLIENT_TRIES)]

    assert pauses[-1] is None
    assert None not in pauses[:-1]


def test_progress_begins_the_count_anew() -> None:
    patience = Patience(0, tries=2)
    patience.pause_ms(0, 0.0)

    patience.progressed(1)

    assert patience.pause_ms(1, 0.0) is not None


def test_what_is_worth_less_is_given_up_sooner() -> None:
    assert Patience(0).pause_ms(4_500, 0.0, within_seconds=5) == limits.CLIENT_RETRY_FLOOR_MS
    assert Patience(0).pause_ms(4_501, 0.0, within_seconds=5) is None


@pytest.mark.parametrize(("now_ms", "is_spent"), [(299_000, False), (299_600, True)])
def test_it_is_spent_before_a_pause_that_ends_after_five_minutes(now_ms: int, is_spent: bool) -> None:
    assert (Patience(0).pause_ms(now_ms, 0.0) is None) is is_spent
