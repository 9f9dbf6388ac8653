"""Sees to it that what Redis keeps of jobs fits together: a slow walk, a page at each look of the janitor.

    (about an hour later) ─▶ consumers of the dead removed ─▶ page ─▶ page ─▶ … ─▶ round over
                                                              └─ each finding repaired, told and counted

The janitor of a partition calls it; shared/jobstore/consistency.py finds and repairs.
"""

import random
import time
from collections.abc import AsyncGenerator

import structlog

from processor.metrics import ProcessorMetrics
from shared import limits
from shared.errors import RedisRefused
from shared.jobstore.consistency import Consistency, Finding, Page
from shared.jobstore.lifetimes import Lifetimes
from shared.jobstore.store import JobStore

Walk = AsyncGenerator[Page, None]

log = structlog.get_logger(__name__)


def is_settled(healthy_since: float | None, now: float) -> bool:
    """Tell whether runs have had time to renew since the last outage: seconds of one monotonic clock, None is now.

    A run without an entry looks dead when its lease is long over, and during an outage nobody can renew.
    """
    return healthy_since is not None and now >= healthy_since + limits.LOST_RUN_AFTER_MS / 1000


class Inspector:
    """Walks through all partitions for which it is called."""

    def __init__(self, store: JobStore, metrics: ProcessorMetrics) -> None:
        self._store = store
        self._consistency = Consistency(store.connection, partitions=store.partitions)
        self._lifetimes = Lifetimes(store.connection, partitions=store.partitions)
        self._metrics = metrics
        self._walks: dict[int, Walk] = {}
        self._next_round_at: dict[int, float] = {}

    async def step(self, partition: int) -> None:
        """Take the next page, when a round goes on or is due. Raises UnavailableError."""
        now = time.monotonic()
        # Not at once: a fleet that is deployed anew has its hands full, and so has its Redis.
        due_at = self._next_round_at.setdefault(partition, now + _round_seconds() * random.random())
        if now >= due_at and is_settled(self._store.healthy_since(partition), now):
            await self.inspect(partition)

    async def inspect(self, partition: int) -> bool:
        """Take the next page of a round, or begin one; False when the round is over.

        What Redis refuses is told, and ends the round. Raises UnavailableError while Redis is away.
        """
        try:
            goes_on = await self._take_page(partition)
        except RedisRefused as error:
            sentence = "docs/redis.md has what its user must be let do."
            advice = {"advice": sentence} if error.is_for_lack_of_rights else {}
            log.warning("cannot inspect the job store", partition=partition, problem=error.message, **advice)
            self._walks.pop(partition, None)
            goes_on = False
        if not goes_on:
            self._next_round_at[partition] = time.monotonic() + _round_seconds()
        return goes_on

    async def _take_page(self, partition: int) -> bool:
        if (walk := self._walks.pop(partition, None)) is None:
            await self._drop_consumers(partition)
            walk = self._consistency.walk(partition)
        page = await anext(walk, None)
        if page is None:
            return False
        self._walks[partition] = walk
        for finding in page.findings:
            await self._repair(finding)
        return True

    async def _repair(self, finding: Finding) -> None:
        facts = {"job_id": finding.job_id, "kind": finding.kind.value, "found": finding.sentence}
        if await self._consistency.repair(finding):
            log.warning("job store repaired", **facts)
            self._metrics.count_repair(finding.kind.value)
        elif not finding.kind.can_be_repaired:
            log.error("job store cannot be repaired here", **facts)
            self._metrics.count_repair(finding.kind.value)

    async def _drop_consumers(self, partition: int) -> None:
        if dropped := await self._lifetimes.drop_consumers(partition):
            log.info("consumers of processors that are gone removed", partition=partition, consumers=len(dropped))
            self._metrics.count_dropped_consumers(len(dropped))


def _round_seconds() -> float:
    return random.uniform(0.8, 1.2) * limits.INSPECTION_EVERY_SECONDS
