"""The patience of a run with a Redis that does not answer."""

import time

import pytest

from processor.repeater import Repeater
from shared import limits
from shared.errors import RedisUnavailable


async def unanswered() -> str:
    """Ask a Redis that is not there."""
    raise RedisUnavailable("nobody answers")


async def test_who_has_to_go_gives_up_before_a_try_that_could_not_be_answered_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "HAND_BACK_WITHIN_SECONDS", limits.REDIS_REQUEST_WITHIN_SECONDS + 0.1)
    repeater = Repeater()
    began_at = time.monotonic()

    repeater.hurry()
    answer = await repeater.insist(unanswered)

    assert answer is None
    assert time.monotonic() - began_at < limits.REDIS_REQUEST_WITHIN_SECONDS
