"""What counts as in time."""

from typing import Any, cast

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from shared.telemetry.job_ends import IN_TIME, LATE, JobEnds

ACCEPTED_AT_MS = 1_795_000_000_000


def counted(reader: InMemoryMetricReader) -> dict[str, int]:
    """Give the ends by outcome."""
    found = reader.get_metrics_data()
    assert found is not None
    metrics = [metric for scope in found.resource_metrics[0].scope_metrics for metric in scope.metrics]
    (ended,) = [metric for metric in metrics if metric.name == "download_jobs_ended"]
    points = [cast(Any, point) for point in ended.data.data_points]
    return {point.attributes["outcome"]: point.value for point in points}


@pytest.mark.parametrize(
    ("took_ms", "wanted"),
    [(-5_000, IN_TIME), (0, IN_TIME), (60_000, IN_TIME), (60_001, LATE), (86_400_000, LATE)],
    ids=["clocks differ", "at once", "at the deadline", "after it", "a day"],
)
def test_end_is_in_time_up_to_the_deadline(took_ms: int, wanted: str) -> None:
    reader = InMemoryMetricReader()
    ends = JobEnds(MeterProvider([reader]).get_meter("test"), deadline_seconds=60)

    ends.count(ACCEPTED_AT_MS, ACCEPTED_AT_MS + took_ms)

    assert counted(reader) == {IN_TIME: 0, LATE: 0} | {wanted: 1}


def test_both_outcomes_are_there_before_the_first_end() -> None:
    reader = InMemoryMetricReader()
    ends = JobEnds(MeterProvider([reader]).get_meter("test"), deadline_seconds=60)
    before = counted(reader)

    ends.count_late()

    assert before == {IN_TIME: 0, LATE: 0}
    assert counted(reader) == {IN_TIME: 0, LATE: 1}
