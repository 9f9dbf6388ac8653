"""Counts ends of jobs by whether they came within the deadline: what the level of service is measured by.

An end is counted once, by the process that wrote it into Redis; see docs/service-level.md for what that misses.
"""

from opentelemetry.metrics import Meter, Observation

IN_TIME, LATE = "in_time", "late"


class JobEnds:
    """The counter, and the deadline (seconds from a job's acceptance, or its last redrive) that it goes by."""

    def __init__(self, meter: Meter, *, deadline_seconds: int) -> None:
        self._deadline_ms = deadline_seconds * 1000
        self._ends = meter.create_counter(
            "download_jobs_ended", description="Jobs that have ended, whatever their end, by whether it came in time"
        )
        for outcome in (IN_TIME, LATE):
            self._ends.add(0, {"outcome": outcome})
        meter.create_observable_gauge(
            "download_deadline",
            [lambda _: [Observation(deadline_seconds)]],
            unit="s",
            description="How long after its acceptance a job is to have ended (WAYBILL_DEADLINE_SECONDS)",
        )

    def count(self, accepted_at_ms: int, ended_at_ms: int) -> None:
        """Count the end of a job that was accepted at that time; both are milliseconds since 1970."""
        is_late = ended_at_ms - accepted_at_ms > self._deadline_ms
        self._ends.add(1, {"outcome": LATE if is_late else IN_TIME})

    def count_late(self) -> None:
        """Count the end of a job that has waited for longer than any deadline may be."""
        self._ends.add(1, {"outcome": LATE})
