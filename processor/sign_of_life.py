"""Says every few seconds that this processor lives, and how many jobs it would take, for estimates and operators."""

import asyncio
import contextlib
import random
from collections.abc import Callable

import structlog

from shared import limits
from shared.errors import UnavailableError
from shared.jobstore.fleet import Fleet, Sign

log = structlog.get_logger(__name__)


class SignOfLife:
    """One processor's voice; `takes_work` tells whether it would take a job now."""

    def __init__(self, fleet: Fleet, *, processor: str, slots: int, takes_work: Callable[[], bool]) -> None:
        self._fleet = fleet
        self._processor = processor
        self._slots = slots
        self._takes_work = takes_work
        self._has_ended = False

    async def run(self) -> None:
        """Say so until cancelled. A sign that does not arrive is not repeated: the next one follows."""
        while not self._has_ended:
            sign = Sign(self._slots, self._slots if self._takes_work() else 0)
            try:
                await self._fleet.say(self._processor, sign)
            except UnavailableError as error:
                log.debug("sign of life not given", trouble=str(error))
            await asyncio.sleep(random.uniform(0.8, 1.2) * limits.SIGN_EVERY_SECONDS)

    async def end(self) -> None:
        """Be forgotten at once, in place of after a while."""
        self._has_ended = True
        with contextlib.suppress(UnavailableError):
            await self._fleet.leave(self._processor)
