"""How many jobs stand before one, how long it will take, and when that is not known. Pure.

    in front of it ──┬─ wait for a slot ─┬─ its own run ─┬─ its end
                     │   jobs × mean     │   by its size │
                     │   ÷ open slots    │               │

Nothing is said while no processor has an open slot, or no job has been completed yet: any number would be made up.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from shared.jobs import JobRecord, JobState, partition_of
from shared.jobstore.operations import Created, Line, LinePlace
from shared.jobstore.service_times import ServiceTimes

# Four of five jobs end within exp(±1.6 · mean deviation), whether deviations are normal or exponential.
_DEVIATIONS = 1.6
_LEAST_SPREAD = math.sqrt(2)  # 60-120s
_MOST_SPREAD = 5.0
_FIRST_SPREAD = 2.0  # before any promise has come due


class Outlook(NamedTuple):
    """What can be said of an unfinished job now; None is what is not known."""

    queue_position: int | None = None
    remaining_seconds: int | None = None
    starts_in_seconds: int | None = None


class Promise(NamedTuple):
    """What a new job is told: its place, a range like `60-120s`, and the middle of it as its record keeps it."""

    queue_position: int | None = None
    estimated_duration: str | None = None
    expected_ms: int | None = None


class Ahead(NamedTuple):
    """What stands before a job: how many jobs, and how much their files have together as far as it is known."""

    jobs: int
    mb: float


class Queue(NamedTuple):
    """All that estimates are made from: the line of each partition, slots that take work, service times."""

    lines: tuple[Line, ...]
    open_slots: int
    times: ServiceTimes

    def ahead(self, partition: int, place: LinePlace, size_bytes: int | None) -> Ahead:
        """Count what begins before the job at this place, which is of this size, at most.

        Cancelled jobs before it count until a later one begins. All partitions are served alike: while jobs wait in
        another one, as many of those begin first as in its own, and one; some of them may still have to come. A job
        that was handed back is one of the ready.
        """
        line = self.lines[partition]
        before = max(-1, place.ticket - line.taken.ticket - 1)
        if line.end.ticket >= place.ticket:  # these counts know of the job
            before = min(before, line.unfinished - 1)
        mb = max(0, place.kb - (size_bytes or 0) // 1000 - line.taken.kb) / 1000
        jobs = before + sum(one.ready for one in self.lines)
        for number, other in enumerate(self.lines):
            if number != partition and other.waiting:
                jobs += before + 1
                mb += (before + 1) * (other.end.kb - other.taken.kb) / 1000 / other.waiting
        return Ahead(max(0, jobs), mb)

    def expected_ms(self, ahead: Ahead, size_bytes: int | None) -> float | None:
        """Tell when a job that waits behind these will have ended, from now; None when nothing is known."""
        service_ms, wait_ms = self.times.of(size_bytes), self._wait_ms(ahead)
        return None if service_ms is None or wait_ms is None else wait_ms + service_ms

    def _wait_ms(self, ahead: Ahead) -> float | None:
        """Tell how long a job waits for a slot: the work before it, and the rest of what runs, over all slots."""
        mean_ms, work_ms = self.times.mean_ms, self.times.work_ms(ahead.jobs, ahead.mb)
        if mean_ms is None or work_ms is None or not self.open_slots:
            return None
        busy_slots = min(self.open_slots, sum(line.running for line in self.lines))
        departures = ahead.jobs + busy_slots - self.open_slots + 1
        if departures <= 0:
            return 0
        share = min(1, (departures - 1) / ahead.jobs) if ahead.jobs else 0  # some begin at once: slots are free
        return (work_ms * share + mean_ms) / self.open_slots

    def outlook(self, record: JobRecord) -> Outlook:
        """Tell where a job stands; of a running one its processor tells, and of one that is tried again nobody can."""
        if record.state is not JobState.QUEUED:
            return Outlook()
        partition = partition_of(record.job_id)
        standing = record.standing
        if standing is None or partition is None or partition >= len(self.lines):
            return Outlook()
        ahead = self.ahead(partition, LinePlace(standing.ticket, standing.line_kb), standing.size_bytes)
        expected_ms, wait_ms = self.expected_ms(ahead, standing.size_bytes), self._wait_ms(ahead)
        if expected_ms is None or wait_ms is None:
            return Outlook(ahead.jobs)
        return Outlook(ahead.jobs, max(1, math.ceil(expected_ms / 1000)), math.ceil(wait_ms / 1000))

    def joined(self, partition: int, size_bytes: int | None) -> "Queue":
        """Give the queue with one job more at the end of a partition's line."""
        line = self.lines[partition]
        return self._with(partition, line._replace(unfinished=line.unfinished + 1, end=behind(line, size_bytes)))

    def left(self, partition: int, size_bytes: int | None) -> "Queue":
        """Give the queue without a job that had joined a partition's line, and was not created after all."""
        line = self.lines[partition]
        end = LinePlace(max(0, line.end.ticket - 1), max(0, line.end.kb - (size_bytes or 0) // 1000))
        return self._with(partition, line._replace(unfinished=max(0, line.unfinished - 1), end=end))

    def noted(self, partition: int, created: Created) -> "Queue":
        """Give the queue as the answer to a create knows it."""
        line = self.lines[partition]
        end, taken = max(line.end, created.place), max(line.taken, created.taken)
        return self._with(partition, line._replace(unfinished=created.unfinished_jobs, end=end, taken=taken))

    def _with(self, partition: int, line: Line) -> "Queue":
        lines = list(self.lines)
        lines[partition] = line
        return self._replace(lines=tuple(lines))

    def promise(self, partition: int, size_bytes: int | None) -> Promise:
        """Tell what a job will be told that is created now; `size_bytes` is None when its files do not say theirs."""
        ahead = self.ahead(partition, behind(self.lines[partition], size_bytes), size_bytes)
        expected_ms = self.expected_ms(ahead, size_bytes)
        if expected_ms is None:
            return Promise(ahead.jobs)
        return Promise(ahead.jobs, as_range(expected_ms, self.times.miss), round(expected_ms))


def behind(line: Line, size_bytes: int | None) -> LinePlace:
    """Give the place of a job that joins the line."""
    return LinePlace(line.end.ticket + 1, line.end.kb + (size_bytes or 0) // 1000)


def as_range(expected_ms: float, miss: float | None) -> str:
    """Write an expected time as a range, which is as wide as promises have been wrong (`miss`: mean |ln ratio|)."""
    spread = _FIRST_SPREAD if miss is None else math.exp(_DEVIATIONS * miss)
    spread = min(max(spread, _LEAST_SPREAD), _MOST_SPREAD)
    low_seconds = max(1, math.floor(expected_ms / spread / 1000))
    return f"{low_seconds}-{max(low_seconds + 1, math.ceil(expected_ms * spread / 1000))}s"


def total_size_bytes(sizes_bytes: Sequence[int | None]) -> int | None:
    """Add the sizes of a job's files; None unless all are known."""
    known = [size_bytes for size_bytes in sizes_bytes if size_bytes is not None]
    return sum(known) if len(known) == len(sizes_bytes) else None
