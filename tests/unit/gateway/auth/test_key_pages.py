"""API keys as operators read them."""

import pytest

from gateway.auth.key_pages import read_life_seconds, table, view_of
from shared.jobstore.api_key import ApiKey

KEPT = ApiKey(owner="anna", scopes=("user",), digest="d", created_at_ms=1_795_000_000_000, expires_at_ms=1)


def test_a_key_that_has_expired_is_said_to_be() -> None:
    assert (view_of("k", KEPT, now_ms=0).state, view_of("k", KEPT, now_ms=1).state) == ("good", "expired")


@pytest.mark.parametrize("kept", [None, ApiKey(owner="a\x1b[2J", scopes=(), digest="d", created_at_ms=10**30)])
def test_what_another_program_wrote_does_not_reach_the_terminal(kept: ApiKey | None) -> None:
    lines = table([view_of("\x1b[2J", kept, now_ms=0)])

    assert "unreadable" in lines[1]
    assert "\x1b" not in "".join(lines)


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("2m", 120), ("1h", 3_600), ("90d", 7_776_000)])
def test_lives_are_read(text: str, seconds: int) -> None:
    assert read_life_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "0d", "1", "-1d", "1.5h", "1w", "9999999999d", "4000d", "1d\n"])
def test_what_is_no_life_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="90d"):
        read_life_seconds(text)
