"""Keeps what estimates are made from: read from Redis every few seconds, and moved on by each job that is created here.

So no request waits for it, and a burst of new jobs does not make each of them the first in line.
"""

import asyncio
import random

import structlog

from gateway.estimate import Outlook, Promise, Queue
from shared import limits
from shared.errors import UnavailableError
from shared.jobs import JobRecord, partition_of
from shared.jobstore.fleet import Fleet
from shared.jobstore.line import read_line
from shared.jobstore.operations import Created
from shared.jobstore.service_times import pooled
from shared.jobstore.store import JobStore

log = structlog.get_logger(__name__)


class QueueWatch:
    """What this gateway knows of the queue; nothing before the first reading, and while Redis is away."""

    def __init__(self, store: JobStore, fleet: Fleet) -> None:
        self._store = store
        self._fleet = fleet
        self._queue: Queue | None = None

    async def run(self) -> None:
        """Look at the queue every few seconds, until cancelled."""
        while True:
            try:
                self._queue = await self._read()
            except UnavailableError as error:
                self._queue = None  # no number is better than an old one
                log.debug("cannot look at the queue", trouble=str(error))
            except Exception as error:  # estimates are the last thing for which a gateway may end
                self._queue = None
                log.error("looking at the queue broke", exc_info=error)
            await asyncio.sleep(random.uniform(0.8, 1.2) * limits.QUEUE_LOOK_EVERY_SECONDS)

    def outlook(self, record: JobRecord) -> Outlook:
        """Tell where a job stands."""
        return self._queue.outlook(record) if self._queue else Outlook()

    def promise(self, job_id: str, size_bytes: int | None, *, joins: bool) -> Promise:
        """Tell what a job will be told that is being created; if it `joins` the line, the next one stands behind it."""
        partition = self._known_partition(job_id)
        if not self._queue or partition is None:
            return Promise()
        promise = self._queue.promise(partition, size_bytes)
        if joins:
            self._queue = self._queue.joined(partition, size_bytes)
        return promise

    def note(self, job_id: str, size_bytes: int | None, created: Created) -> int | None:
        """Take what the answer to a create tells of the line; give the new job's place in it."""
        partition = self._known_partition(job_id)
        if not self._queue or partition is None or not created.place.ticket:
            return None
        self._queue = self._queue.noted(partition, created)
        return self._queue.ahead(partition, created.place, size_bytes).jobs

    def _known_partition(self, job_id: str) -> int | None:
        """Give a job's partition; None for one that was added since this gateway started."""
        partition = partition_of(job_id)
        return partition if partition is not None and partition < self._store.partitions else None

    async def _read(self) -> Queue:
        open_slots = sum(processor.open_slots for processor in await self._fleet.processors())
        readings = [await read_line(self._store, partition) for partition in range(self._store.partitions)]
        lines, times = tuple(one.line for one in readings), pooled([one.times for one in readings])
        return Queue(lines, open_slots, times)
