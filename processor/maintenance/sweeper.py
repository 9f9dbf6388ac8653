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


def void_after_ms(last_answer_at_ms: int, *, lease_ms: int) -> int:
    """Give Redis' time (milliseconds) after which a sweep must not be done, when the last answer is from that time.

    A Redis that stands still closes nothing: a sweep that it had received before is done as soon as it goes on, before
    anybody has renewed. The healthy have renewed within the last half of their lease, so a silence of less than the
    other half has cost nobody his lease. 0, no answer yet: every sweep is late, and its answer tells the time.
    """
    return last_answer_at_ms + max(lease_ms // 2, round(2 * limits.SWEEP_EVERY_SECONDS * 1000))


class Sweeper:
    """Sweeps all partitions about once a second, those of which it leads."""

    def __init__(self, store: JobStore, *, processor: str, lease_ms: int) -> None:
        self._store = store
        self._processor = processor
        self._lease_ms = lease_ms
        self._cursors = dict.fromkeys(range(store.partitions), "0-0")
        self._answered_at_ms = dict.fromkeys(range(store.partitions), 0)
        self._late_at: dict[int, float] = {}

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            await asyncio.sleep(random.uniform(0.8, 1.2) * limits.SWEEP_EVERY_SECONDS)
            await self.sweep_all()

    async def sweep_all(self) -> None:
        """Sweep one page of each partition: all that looks lapsed, or, while nobody may be robbed, what is parked."""
        for partition in self._cursors:
            await self._sweep(partition)

    async def _sweep(self, partition: int) -> None:
        healthy_since = self._healthy_since(partition)
        may = may_take_over(healthy_since, time.monotonic(), lease_ms=self._lease_ms)
        if not may:
            self._answered_at_ms[partition] = 0  # whoever answers next may have another clock
        if healthy_since is None:
            return
        answered_at_ms = self._answered_at_ms[partition]
        try:
            sweep = await self._store.sweep(
                partition,
                leader=self._processor,
                lease_ms=self._lease_ms,
                cursor=self._cursors[partition],
                void_after_ms=void_after_ms(answered_at_ms, lease_ms=self._lease_ms) if may else None,
                parked_only=not may,
            )
        except UnavailableError as error:
            log.debug("cannot sweep", partition=partition, trouble=error.message)
            return  # another partition may be on another server
        if sweep.is_late and answered_at_ms:
            log.warning("redis stood still, or this process did: nobody is robbed for now", partition=partition)
            self._late_at[partition] = time.monotonic()
        if may:
            self._answered_at_ms[partition] = sweep.at_ms
        # The cursor is kept: starting at 0-0 each time would never reach entries behind many healthy ones.
        self._cursors[partition] = sweep.cursor
        if sweep.found:
            log.debug("entries ready", partition=partition, entries=sweep.found)

    def _healthy_since(self, partition: int) -> float | None:
        """Give since when (monotonic seconds) the partition's server has answered in time; None while it does not."""
        healthy_since = self._store.healthy_since(partition)
        return healthy_since and max(healthy_since, self._late_at.get(partition, healthy_since))
