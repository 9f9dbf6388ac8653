"""The Prefer header, as RFC 7240 has it."""

import pytest

from gateway.preferences import preferred_wait_seconds
from shared import limits


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("wait=10", 10),
        ("WAIT=10", 10),
        (' wait = "10" ', 10),
        ("respond-async, wait=10", 10),
        ("wait=10; foo=bar", 10),
        ("wait=3, wait=9", 3),
        ("wait=0", 0),
        ("wait=600", limits.MAX_LONG_POLL_SECONDS),
        ("wait=99999999999999999999", 0),
        ("wait=-1", 0),
        ("wait=1.5", 0),
        ("wait=٣", 0),
        ("wait", 0),
        ("await=10", 0),
        ("return=minimal", 0),
    ],
)
def test_wait_is_what_was_asked_for_within_its_bound_and_nothing_else_counts(header: str | None, seconds: int) -> None:
    assert preferred_wait_seconds(header) == seconds
