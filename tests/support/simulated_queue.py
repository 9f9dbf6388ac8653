"""A queue of jobs in simulated time: gateways promise, processors work, and what became of each promise is kept.

The gateway's own functions are fed with what they would see: a reading of Redis every few seconds, the answers to its
own creates, and what completed jobs have taught. Nothing here waits, and a seed makes it the same again.
"""

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from gateway.estimate import Promise, Queue, behind
from shared import limits
from shared.jobstore.operations import Created, Line, LinePlace
from shared.jobstore.service_times import pooled
from tests.support.learned import Learned


class Arrival(NamedTuple):
    """A job that is created at a moment, with files of this size; `is_size_known` by the catalogue."""

    at_seconds: float
    size_bytes: int
    is_size_known: bool = True


class Kept(NamedTuple):
    """What became of one promise."""

    arrival: Arrival
    promise: Promise
    stood_before: int
    took_seconds: float

    @property
    def ratio(self) -> float:
        """How long it took, of what was promised; both of at least a second."""
        assert self.promise.expected_ms is not None
        return max(1.0, self.took_seconds) / max(1.0, self.promise.expected_ms / 1000)

    @property
    def is_within_range(self) -> bool:
        """Tell whether it took as long as the range said."""
        assert self.promise.estimated_duration is not None
        low, high = map(int, self.promise.estimated_duration.removesuffix("s").split("-"))
        return low <= max(1.0, self.took_seconds) <= high


class _Partition:
    """The line of one partition as Redis keeps it."""

    def __init__(self) -> None:
        self.waiting: deque[_Job] = deque()
        self.unfinished = 0
        self.end = LinePlace()
        self.taken = LinePlace()
        self.learned = Learned()

    def line(self) -> Line:
        return Line(self.unfinished, parked=0, ready=0, end=self.end, taken=self.taken)


class _Job(NamedTuple):
    arrival: Arrival
    place: LinePlace
    promise: Promise
    stood_before: int


class SimulatedQueue:
    """`slots` are those of all processors together; `service_seconds` is how long a job runs that begins now."""

    def __init__(
        self,
        *,
        slots: int,
        partitions: int,
        service_seconds: Callable[[Arrival, float], float],
        seed: int,
    ) -> None:
        self._slots = self._free_slots = slots
        self._partitions = [_Partition() for _ in range(partitions)]
        self._service_seconds = service_seconds
        self._random = random.Random(seed)
        self._view = self._read()
        self._look_at_seconds = 0.0
        self._ends: list[tuple[float, int, _Partition, _Job, float]] = []
        self._numbers = itertools.count()
        self.kept: list[Kept] = []

    def run(self, arrivals: Iterable[Arrival]) -> list[Kept]:
        """Let the jobs arrive and run to their ends; give what became of the promises, in the order of the ends."""
        for arrival in arrivals:
            self._pass_time(arrival.at_seconds)
            self._create(arrival)
        self._pass_time(float("inf"))
        return self.kept

    def _create(self, arrival: Arrival) -> None:
        if arrival.at_seconds >= self._look_at_seconds:
            self._view = self._read()
            self._look_at_seconds = arrival.at_seconds + limits.QUEUE_LOOK_EVERY_SECONDS
        number = self._random.randrange(len(self._partitions))
        partition = self._partitions[number]
        promise = self._view.promise(number, arrival.size_bytes if arrival.is_size_known else None)
        stood_before = sum(len(one.waiting) for one in self._partitions)
        size_bytes = arrival.size_bytes if arrival.is_size_known else None
        partition.end = behind(partition.line(), size_bytes)
        partition.unfinished += 1
        partition.waiting.append(_Job(arrival, partition.end, promise, stood_before))
        created = Created(True, partition.unfinished, partition.end, partition.taken)
        self._view = self._view.noted(number, created)
        self._fill_slots(arrival.at_seconds)

    def _fill_slots(self, at_seconds: float) -> None:
        while self._free_slots and (waiting := [one for one in self._partitions if one.waiting]):
            partition = self._random.choice(waiting)
            job = partition.waiting.popleft()
            partition.taken = job.place
            self._free_slots -= 1
            service_seconds = self._service_seconds(job.arrival, at_seconds)
            end = (at_seconds + service_seconds, next(self._numbers), partition, job, service_seconds)
            heapq.heappush(self._ends, end)

    def _pass_time(self, until_seconds: float) -> None:
        while self._ends and self._ends[0][0] <= until_seconds:
            at_seconds, _, partition, job, service_seconds = heapq.heappop(self._ends)
            took_seconds = at_seconds - job.arrival.at_seconds
            partition.unfinished -= 1
            self._free_slots += 1
            partition.learned.take(
                service_ms=service_seconds * 1000,
                size_bytes=job.arrival.size_bytes if job.arrival.is_size_known else None,
                took_ms=took_seconds * 1000,
                promised_ms=job.promise.expected_ms,
            )
            if job.promise.expected_ms is not None:
                self.kept.append(Kept(job.arrival, job.promise, job.stood_before, took_seconds))
            self._fill_slots(at_seconds)

    def _read(self) -> Queue:
        times = pooled([one.learned.times() for one in self._partitions])
        return Queue(tuple(one.line() for one in self._partitions), self._slots, times)
