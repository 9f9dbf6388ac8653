"""Keeps what estimates and admission go by: read from Redis every few seconds, moved on by each job created here.

So no request waits for it, and a burst of new jobs does not make each of them the first in line.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Iterable

import structlog
from opentelemetry.metrics import CallbackOptions, Meter, Observation

from gateway.estimate import Outlook, Promise, Queue
from gateway.room import Look, ends_per_second, seconds_until_room
from shared import limits
from shared.errors import UnavailableError
from shared.jobs import JobRecord, partition_of
from shared.jobstore.fleet import Fleet, LivingProcessor
from shared.jobstore.line import LineReading, read_line
from shared.jobstore.memory import Memory, read_memory
from shared.jobstore.operations import Created, Line, LinePlace
from shared.jobstore.service_times import pooled
from shared.jobstore.store import JobStore

log = structlog.get_logger(__name__)

_NOBODY = Line(unfinished=0, parked=0, ready=0, end=LinePlace(), taken=LinePlace())


class QueueWatch:
    """What this gateway knows of the queue; nothing before the first reading, and while Redis is away."""

    def __init__(self, store: JobStore, fleet: Fleet, *, headroom_percent: int = 0) -> None:
        self._store = store
        self._fleet = fleet
        self._headroom_percent = headroom_percent
        self._queue: Queue | None = None
        self._processors: list[LivingProcessor] | None = None
        self._memories: list[Memory | None] = []
        self._looks: deque[Look] = deque(maxlen=limits.QUEUE_LOOKS_KEPT)

    def report(self, meter: Meter) -> None:
        """Show who works, and how full Redis is: gauges of the whole system, nothing while it is not known."""
        gauges: tuple[tuple[str, str, Callable[[], float | None]], ...] = (
            ("download_processors", "Processors that live", lambda: self._fleet_size(lambda _: 1)),
            (
                "download_slots",
                "Job slots of the processors that live",
                lambda: self._fleet_size(lambda one: one.slots),
            ),
            (
                "download_slots_ready",
                "Those of them, busy or not, whose processor takes jobs",
                lambda: self._fleet_size(lambda one: one.open_slots),
            ),
            ("redis_memory_used_ratio", "Of its maxmemory, by the fullest server", self._fullest_ratio),
            (
                "redis_memory_refusing_ratio",
                "From which on new jobs are refused (WAYBILL_MEMORY_HEADROOM_PERCENT)",
                lambda: (100 - self._headroom_percent) / 100,
            ),
        )
        for name, description, tell in gauges:
            meter.create_observable_gauge(name, [_told(tell)], description=description)

    def _fleet_size(self, of: Callable[[LivingProcessor], int]) -> int | None:
        return None if self._processors is None else sum(map(of, self._processors))

    def _fullest_ratio(self) -> float | None:
        return max((memory.used_ratio for memory in self._memories if memory and memory.most_bytes), default=None)

    async def run(self) -> None:
        """Look at the queue every few seconds, until cancelled."""
        while True:
            try:
                await self.look()
            except Exception as error:  # estimates are the last thing for which a gateway may end
                self._forget()
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

    def withdraw(self, job_id: str, size_bytes: int | None) -> None:
        """Take back that a job joins the line: it was not created."""
        partition = self._known_partition(job_id)
        if self._queue and partition is not None:
            self._queue = self._queue.left(partition, size_bytes)

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

    def unfinished(self, partition: int) -> int | None:
        """Count a partition's unfinished jobs, as far as it is known."""
        return self._queue.lines[partition].unfinished if self._queue and partition < len(self._queue.lines) else None

    def is_short_of_memory(self, partition: int) -> bool:
        """Tell whether the partition's server was last seen with less memory left than new jobs are to leave free."""
        memory = self._memories[partition] if partition < len(self._memories) else None
        return memory is not None and memory.is_short(self._headroom_percent)

    def seconds_until_room(self, of_jobs: int | None = None) -> int:
        """Tell when one of so many unfinished jobs will have ended, None: of all, by how they have ended lately."""
        unfinished = sum(line.unfinished for line in self._queue.lines) if self._queue else 0
        share_ratio = 1.0 if of_jobs is None or not unfinished else min(1.0, of_jobs / unfinished)
        return seconds_until_room(ends_per_second(self._looks), share_ratio=share_ratio, chance_ratio=random.random())

    def _forget(self) -> None:
        """Know nothing: no number is better than an old one."""
        self._queue = None
        self._processors = None
        self._memories = []
        self._looks.clear()

    async def look(self) -> None:
        """Read once what answers.

        Of a cluster's node that is away, nothing is known, and in its partitions nobody stands in line. Without the one
        that keeps the signs of life nobody knows who works, so nothing is promised; the lines are as long as they are.
        """
        self._memories = await read_memory(self._store.connection, self._store.partitions)
        self._processors = await self._processors_if_told()
        self._queue = await self._read(sum(processor.open_slots for processor in self._processors or ()))

    async def _processors_if_told(self) -> list[LivingProcessor] | None:
        try:
            return await self._fleet.processors()
        except UnavailableError as error:
            log.debug("cannot tell which processors live", trouble=str(error))
            return None

    async def _read(self, open_slots: int) -> Queue | None:
        readings = [await self._line_if_there(partition) for partition in range(self._store.partitions)]
        told = [one for one in readings if one is not None]
        if not told:
            self._looks.clear()  # what ended before an outage and after it would look like a slow minute
            return None
        if len(told) == len(readings):  # the ends of fewer partitions look like fewer ends
            self._looks.append(Look(time.monotonic(), sum(one.ended for one in told)))
        lines = tuple(_NOBODY if one is None else one.line for one in readings)
        return Queue(lines, open_slots, pooled([one.times for one in told]))

    async def _line_if_there(self, partition: int) -> LineReading | None:
        if self._store.healthy_since(partition) is None:
            return None  # asking would cost the time limit of a command, for each of them
        try:
            return await read_line(self._store, partition)
        except UnavailableError:
            return None


def _told(tell: Callable[[], float | None]) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def observe(_: CallbackOptions) -> Iterable[Observation]:
        value = tell()
        return [] if value is None else [Observation(value)]

    return observe
