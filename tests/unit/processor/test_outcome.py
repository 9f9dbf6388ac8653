"""What becomes of runs that end in an error."""

import pytest

from processor.outcome import Fail, RetryLater, RetryPolicy, after_error, describe
from shared import limits
from shared.errors import ObjectError, RetryableRunError, SourceChanged, SourceMissing, StoreFull

POLICY = RetryPolicy(max_failures=3, base_ms=1000, cap_ms=3000, floor_ms=100)


def test_permanent_error_fails_at_once_and_cannot_be_retried() -> None:
    decision = after_error(SourceMissing("File 7 is gone.", file_ids=[7]), failures=0, policy=POLICY, random_ratio=0.5)

    assert isinstance(decision, Fail)
    assert decision.reason == "permanent"
    assert not decision.can_retry
    assert decision.error.code == "SOURCE_MISSING"
    assert decision.error.file_ids == (7,)


@pytest.mark.parametrize(
    "error", [SourceChanged("x"), StoreFull("x", key="k"), ObjectError("x", key="k"), RuntimeError("x"), KeyError()]
)
def test_other_errors_are_tried_again_until_the_failures_are_used_up(error: Exception) -> None:
    decisions = [after_error(error, failures=n, policy=POLICY, random_ratio=0.5) for n in range(3)]

    assert [type(decision) for decision in decisions] == [RetryLater, RetryLater, Fail]
    assert isinstance(decisions[2], Fail)
    assert decisions[2].reason == "failures"
    assert decisions[2].can_retry


def test_delay_is_jittered_between_floor_and_doubling_cap() -> None:
    def delay_ms(failures: int, ratio: float) -> int:
        decision = after_error(RetryableRunError("x"), failures=failures, policy=POLICY, random_ratio=ratio)
        assert isinstance(decision, RetryLater)
        return decision.delay_ms

    assert delay_ms(0, 0.0) == 100
    assert delay_ms(0, 0.5) == 500
    assert delay_ms(1, 0.5) == 1000


def test_foreign_errors_are_not_shown_to_callers() -> None:
    described = describe(RuntimeError("password=hunter2 in /srv/secret"))

    assert described.code == "INTERNAL"
    assert "hunter2" not in described.message
    assert "/srv" not in described.message


def test_long_messages_are_cut_and_long_lists_too() -> None:
    described = describe(SourceMissing("x" * 5000, file_ids=range(1000)))

    assert len(described.message) <= limits.MAX_ERROR_CHARS
    assert len(described.file_ids) <= 20
