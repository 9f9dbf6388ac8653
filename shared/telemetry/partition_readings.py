"""What is read of each partition every few seconds, and shown as one gauge of the whole system."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from typing import Generic, TypeVar

import structlog
from opentelemetry.metrics import CallbackOptions, Observation

from shared import limits
from shared.errors import UnavailableError
from shared.jobstore.partitions import read_each
from shared.jobstore.store import JobStore

log = structlog.get_logger(__name__)

Reading = TypeVar("Reading")
Observe = Callable[[CallbackOptions], Iterable[Observation]]


class PartitionReadings(Generic[Reading]):
    """The latest reading of each partition that answers; every replica reads the same, so rules use max().

    A node of a cluster that is away takes its own partitions out of the sums, and none of the others': `dependency_up`
    says that it is away. Of partitions that do not answer there is no reading: no number is better than an old one.
    """

    def __init__(self, store: JobStore, read: Callable[[int], Awaitable[Reading]]) -> None:
        self._store = store
        self._read = read
        self._latest: tuple[Reading, ...] = ()
        self._has_looked = False

    async def run(self) -> None:
        """Read every few seconds, until cancelled."""
        while True:
            try:
                await self.look()
            except Exception as error:  # gauges are the last thing for which a process may end, and its jobs with it
                self._latest = ()
                log.error("reading partitions broke", exc_info=error)
            await asyncio.sleep(random.uniform(0.8, 1.2) * limits.BACKLOG_EVERY_SECONDS)

    async def look(self) -> None:
        """Read each partition once; many side by side, for each that is away may cost the time limit of a command."""
        readings = await read_each(self._read_if_there, range(self._store.partitions))
        self._latest = tuple(one for one in readings if one is not None)
        self._has_looked = True

    async def _read_if_there(self, partition: int) -> Reading | None:
        # Asking one that is away costs the time limit of a command, each time. At the start none is there yet, and the
        # first look waits for it: otherwise a new process would show nothing until the next one.
        if self._has_looked and self._store.healthy_since(partition) is None:
            return None
        try:
            return await self._read(partition)
        except UnavailableError:
            return None

    def sum_of(self, of: Callable[[Reading], int]) -> Observe:
        """Make what an observable gauge asks: the sum over the partitions."""
        return lambda _: [Observation(sum(map(of, self._latest)))] if self._latest else []

    def most_of(self, of: Callable[[Reading], int], unit: int) -> Observe:
        """Make what an observable gauge asks: the highest of the partitions, in this unit."""
        return lambda _: [Observation(max(map(of, self._latest)) / unit)] if self._latest else []
