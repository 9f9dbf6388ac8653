"""Every end of a job is one end: by whether it came in time, and, where it failed, by one reason."""

from collections.abc import Callable
from typing import Any, cast

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from processor.metrics import ProcessorMetrics
from shared.jobs import JobRecord, JobState
from shared.jobstore.operations import Run

DEADLINE_SECONDS = 60
ACCEPTED_AT_MS = 1_795_000_000_000
IN_TIME_AT_MS = ACCEPTED_AT_MS + DEADLINE_SECONDS * 1000
LATE_AT_MS = IN_TIME_AT_MS + 1


def run(*, redriven_at_ms: int | None = None) -> Run:
    """Give a run of a job that was created a year before it was begun anew, if it was."""
    created_at_ms = ACCEPTED_AT_MS if redriven_at_ms is None else ACCEPTED_AT_MS - 31_536_000_000
    record = JobRecord(
        job_id="7f0c6a5e-0000-8000-8000-000000000000",
        owner="anna",
        state=JobState.PROCESSING,
        file_ids=(1,),
        epoch=1,
        seq=2,
        entry=f"{ACCEPTED_AT_MS}-0",
        created_at_ms=created_at_ms,
        updated_at_ms=created_at_ms,
        redriven_at_ms=redriven_at_ms,
    )
    return Run(job_id=record.job_id, epoch=1, token="t", record=record)


ENDS: dict[str, tuple[Callable[[ProcessorMetrics, int], None], str | None]] = {
    "completed": (lambda metrics, at_ms: metrics.count_completion(run(), at_ms, archive_bytes=9), None),
    "begun anew, completed": (
        lambda metrics, at_ms: metrics.count_completion(run(redriven_at_ms=ACCEPTED_AT_MS), at_ms, archive_bytes=9),
        None,
    ),
    "failed": (lambda metrics, at_ms: metrics.count_failure(run(), at_ms, reason="failures"), "failures"),
    "cancelled": (lambda metrics, at_ms: metrics.count_cancellation(ACCEPTED_AT_MS, at_ms), None),
    "buried": (lambda metrics, at_ms: metrics.count_burial(ACCEPTED_AT_MS, at_ms), "crashes"),
    "damaged": (lambda metrics, at_ms: metrics.count_damage(ACCEPTED_AT_MS, at_ms), "damaged"),
}


class Counted:
    """A processor's metrics, and what they have counted."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        meter = MeterProvider([self._reader]).get_meter("test")
        self.metrics = ProcessorMetrics(meter, deadline_seconds=DEADLINE_SECONDS)

    def of(self, name: str, label: str) -> dict[str, int]:
        """Give what a counter has counted, by a label, without what is 0."""
        found = self._reader.get_metrics_data()
        assert found is not None
        scopes = found.resource_metrics[0].scope_metrics
        points = [
            point for scope in scopes for one in scope.metrics if one.name == name for point in one.data.data_points
        ]
        return {str(one.attributes[label]): one.value for one in cast(list[Any], points) if one.value}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(("at_ms", "outcome"), [(IN_TIME_AT_MS, "in_time"), (LATE_AT_MS, "late")])
def test_each_end_counts_once_and_by_the_deadline(end: str, at_ms: int, outcome: str) -> None:
    counted, (count, reason) = Counted(), ENDS[end]

    count(counted.metrics, at_ms)

    assert counted.of("download_jobs_ended", "outcome") == {outcome: 1}
    assert counted.of("download_jobs_failed", "reason") == ({} if reason is None else {reason: 1})


@pytest.mark.parametrize(("step", "failed"), [("expired", {"expired": 1}), ("cancelled", {})])
def test_job_that_the_janitor_ends_has_waited_beyond_any_deadline(step: str, failed: dict[str, int]) -> None:
    counted = Counted()

    counted.metrics.count_step(step)

    assert counted.of("download_jobs_ended", "outcome") == {"late": 1}
    assert counted.of("download_jobs_failed", "reason") == failed


def test_step_that_ends_no_job_is_no_end() -> None:
    counted = Counted()

    for step in ("trimmed", "tombstone", "forgotten", "stuck"):
        counted.metrics.count_step(step)

    assert counted.of("download_jobs_ended", "outcome") == {}
