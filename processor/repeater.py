"""Repeats an operation on the job store until Redis answers. Safe, because a repetition gives the first outcome."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from shared import limits
from shared.errors import UnavailableError

T = TypeVar("T")


class Repeater:
    """The patience of one run: five minutes, but only a lease's time once the processor stops."""

    def __init__(self, *, lease_ms: int) -> None:
        self._lease_seconds = lease_ms / 1000
        self._give_up_after = float("inf")

    def hurry(self) -> None:
        """Give up after a lease from now: by then another processor may take the job anyway."""
        self._give_up_after = min(self._give_up_after, time.monotonic() + self._lease_seconds)

    async def insist(self, operation: Callable[[], Awaitable[T]]) -> T | None:
        """Give the answer of `operation`; None when Redis did not answer in all that time."""
        last_try = time.monotonic() + limits.SETTLE_WITHIN_SECONDS
        while True:
            try:
                return await operation()
            except UnavailableError:
                if time.monotonic() >= min(last_try, self._give_up_after):
                    return None
                await asyncio.sleep(random.uniform(0.2, 1.0) * limits.RECONNECT_MAX_SECONDS)
