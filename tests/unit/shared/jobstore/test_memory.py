"""Whether a server has memory to spare."""

import pytest

from shared.jobstore.memory import Memory


@pytest.mark.parametrize(
    ("used_bytes", "most_bytes", "headroom_percent", "is_short"),
    [(90, 100, 10, False), (91, 100, 10, True), (500, 0, 10, False), (500, 100, 0, False), (11, 100, 90, True)],
)
def test_a_server_is_short_of_memory_when_less_than_the_headroom_is_left(
    used_bytes: int, most_bytes: int, headroom_percent: int, is_short: bool
) -> None:
    assert Memory(used_bytes, most_bytes).is_short(headroom_percent) == is_short
