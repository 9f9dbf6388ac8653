"""The patience of a run with a Redis that does not answer."""

import pytest

from processor.repeater import Repeater
from shared import limits
from shared.errors import RedisUnavailable


async def test_who_has_to_go_gives_up_before_a_try_that_could_not_be_answered_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Less is left for another try than the shortest pause before it.
    monkeypatch.setattr(limits, "HAND_BACK_WITHIN_SECONDS", limits.REDIS_REQUEST_WITHIN_SECONDS + 0.1)
    tries = []

    async def unanswered() -> str:
        tries.append("asked")
        raise RedisUnavailable("nobody answers")

    repeater = Repeater()
    repeater.hurry()
    answer = await repeater.insist(unanswered)

    assert (answer, tries) == (None, ["asked"])
