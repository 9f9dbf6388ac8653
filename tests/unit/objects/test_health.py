"""What is held of a store after each look."""

import pytest

from shared import limits
from shared.errors import StoreRefused, StoreUnavailable
from shared.objects.health import Standing, judge, pause_seconds

UNKNOWN = Standing(is_up=None, problem=None)
UP = Standing(is_up=True, problem=None)
REFUSED = StoreRefused("The keys are wrong.", key="")
SILENT = StoreUnavailable("It does not answer.", key="")


def test_what_an_operator_must_mend_is_believed_at_once() -> None:
    assert judge(UNKNOWN, REFUSED) == judge(UP, REFUSED) == Standing(is_up=False, problem="The keys are wrong.")


def test_a_store_that_never_answered_is_down_at_once() -> None:
    assert judge(UNKNOWN, SILENT) == Standing(is_up=False, problem="It does not answer.")


def test_a_store_that_was_up_is_asked_once_more() -> None:
    doubted = judge(UP, SILENT)

    assert (doubted.is_up, doubted.problem) == (True, None)
    assert judge(doubted, SILENT) == Standing(is_up=False, problem="It does not answer.")
    assert judge(doubted, None) == UP


def test_a_mended_store_is_up_at_once() -> None:
    assert judge(judge(UP, REFUSED), None) == UP


@pytest.mark.parametrize(
    ("standing", "every_seconds"),
    [
        (UP, limits.STORE_LOOK_EVERY_SECONDS),
        (judge(UP, SILENT), limits.STORE_LOOK_AGAIN_SECONDS),
        (judge(UP, REFUSED), limits.STORE_LOOK_AGAIN_SECONDS),
    ],
)
def test_looks_are_closer_while_something_is_wrong_and_never_in_step(standing: Standing, every_seconds: float) -> None:
    assert pause_seconds(standing, 0.0) == pytest.approx(0.8 * every_seconds)
    assert pause_seconds(standing, 1.0) == pytest.approx(1.2 * every_seconds)
