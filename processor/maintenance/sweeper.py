"""Finds entries whose lease ran out, or whose time has come, and offers them to all processors.

One elected sweeper for each partition (a lock with a time to live). It only moves entries; the record decides at the
claim whether there is something to run.
"""

import asyncio
import random
import time

import structlog

from shared import limits
from shared.errors import UnavailableError
from shared.jobstore.store import JobStore

log = structlog.get_logger(__name__)


def may_take_over(healthy_since: float | None, now: float, *, lease_ms: int) -> bool:
    """Tell whether leases that look lapsed really are.

    After an outage of Redis nobody could renew, so nobody may be robbed until everybody has had a lease's time, and a
    second more, to do so. `healthy_since` and `now` are seconds of one monotonic clock; None is an outage that lasts.
    """
    return healthy_since is not None and now >= healthy_since + lease_ms / 1000 + limits.TAKEOVER_GRACE_SECONDS


class Sweeper:
    """Sweeps all partitions about once a second, those of which it leads."""

    def __init__(self, store: JobStore, *, processor: str, lease_ms: int) -> None:
        self._store = store
        self._processor = processor
        self._lease_ms = lease_ms
        self._cursors = dict.fromkeys(range(store.partitions), "0-0")

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            await asyncio.sleep(random.uniform(0.8, 1.2) * limits.SWEEP_EVERY_SECONDS)
            await self.sweep_all()

    async def sweep_all(self) -> None:
        """Sweep one page of each partition in which leases that look lapsed really are."""
        for partition, cursor in self._cursors.items():
            healthy_since = self._store.healthy_since(partition)
            if healthy_since is None:
                continue
            may = may_take_over(healthy_since, time.monotonic(), lease_ms=self._lease_ms)
            try:
                sweep = await self._store.sweep(
                    partition, leader=self._processor, lease_ms=self._lease_ms, cursor=cursor, parked_only=not may
                )
            except UnavailableError as error:
                log.debug("cannot sweep", partition=partition, trouble=error.message)
                continue  # another partition may be on another server
            # The cursor is kept: starting at 0-0 each time would never reach entries behind many healthy ones.
            self._cursors[partition] = sweep.cursor
            if sweep.found:
                log.debug("entries ready", partition=partition, entries=sweep.found)
