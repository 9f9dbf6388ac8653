"""Aborts the uploads that killed processors left behind: their parts cost money, and no list of objects shows them.

Every processor looks, about once an hour, each at its own time; two that meet at one upload do no harm.
"""

import asyncio
import random

import structlog

from processor.metrics import ProcessorMetrics
from shared import limits
from shared.clock import now_ms
from shared.errors import ObjectError
from shared.objects.store import ObjectStore, abort_orphans

log = structlog.get_logger(__name__)


def first_pause_seconds(random_ratio: float) -> float:
    """Choose the time until the first look: within some minutes, so that a fleet that starts does not list at once."""
    lowest, highest = limits.ORPHANS_FIRST_MIN_SECONDS, limits.ORPHANS_FIRST_MAX_SECONDS
    return lowest + (highest - lowest) * random_ratio


def pause_seconds(random_ratio: float) -> float:
    """Choose the time until the next look: an hour ± 20 %."""
    return limits.ORPHANS_EVERY_SECONDS * (0.8 + 0.4 * random_ratio)


class OrphanSearch:
    """Looks through the uploads of the store of archives."""

    def __init__(self, objects: ObjectStore, metrics: ProcessorMetrics) -> None:
        self._objects = objects
        self._metrics = metrics

    async def run(self) -> None:
        """Look about once an hour, until cancelled."""
        await asyncio.sleep(first_pause_seconds(random.random()))
        while True:
            await self.abort_old(now_ms())
            await asyncio.sleep(pause_seconds(random.random()))

    async def abort_old(self, at_ms: int) -> None:
        """Abort what is, at this moment (milliseconds since 1970), older than any upload under way.

        A store that is away, or does not let us list, is only told in the log: the next look is soon enough.
        """
        try:
            cleared = await abort_orphans(self._objects, started_before_ms=at_ms - limits.ORPHAN_AGE_MS)
        except ObjectError as error:
            log.warning("cannot look for orphaned uploads", problem=error.message)
            return
        self._metrics.count_orphans(cleared.aborted)
        if cleared.aborted:
            log.info("orphaned uploads aborted", uploads=cleared.aborted)
        if cleared.problem is not None:
            log.warning("orphaned uploads left", uploads=cleared.left, problem=cleared.problem.message)
