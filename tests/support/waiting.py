"""Waits for what only looking again can show: another process' port, its log, its exit."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_SECONDS = 45.0
"""Longer than anything here takes, so that a deadline that is met means that something hangs."""
LOOK_EVERY_SECONDS = 0.05


def until(look: Callable[[], T], what: str, *, within_seconds: float = PATIENCE_SECONDS) -> T:
    """Give the first true value of `look`; fails with `what` and the last value when there is none in time."""
    deadline = time.monotonic() + within_seconds
    while not (seen := look()):
        assert time.monotonic() < deadline, f"not within {within_seconds:.0f} s: {what}; last seen: {seen!r}"
        time.sleep(LOOK_EVERY_SECONDS)
    return seen


async def until_so(look: Callable[[], bool], what: str) -> None:
    """Do as until() on an event loop that goes on meanwhile."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not look():
        assert time.monotonic() < deadline, f"not within {PATIENCE_SECONDS:.0f} s: {what}"
        await asyncio.sleep(LOOK_EVERY_SECONDS)
