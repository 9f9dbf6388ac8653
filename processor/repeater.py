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
    """The patience of one run: five minutes, but only seconds once the processor has to go."""

    def __init__(self) -> None:
        self._give_up_after = float("inf")

    def hurry(self) -> None:
        """Have the last answer, or none, in time for this process to end by itself."""
        self._give_up_after = min(self._give_up_after, time.monotonic() + limits.HAND_BACK_WITHIN_SECONDS)

    @property
    def seconds_left(self) -> float:
        """How long this run may still take, 0 for no time at all; without an end until the processor has to go."""
        return max(0.0, self._give_up_after - time.monotonic())

    async def insist(self, operation: Callable[[], Awaitable[T]]) -> T | None:
        """Give the answer of `operation`; None when Redis did not answer in all that time."""
        last_try = time.monotonic() + limits.SETTLE_WITHIN_SECONDS
        while True:
            try:
                return await operation()
            except UnavailableError:
                pause_seconds = random.uniform(0.2, 1.0) * limits.RECONNECT_MAX_SECONDS
                next_try = time.monotonic() + pause_seconds
                # A try that is not answered takes its time as well, and who has to go may not have it.
                if next_try > min(last_try, self._give_up_after - limits.REDIS_REQUEST_WITHIN_SECONDS):
                    return None
                await asyncio.sleep(pause_seconds)
