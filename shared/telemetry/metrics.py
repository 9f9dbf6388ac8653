"""Metrics: OpenTelemetry instruments, shown in Prometheus' text format on the admin port.

The exporter adds the suffixes: the counter `download_jobs_created` is shown as `download_jobs_created_total`, the
histogram `download_job_duration` with unit `s` as `download_job_duration_seconds`.
"""

from collections.abc import Callable, Iterable, Sequence

import structlog
from opentelemetry import metrics
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import CallbackOptions, Meter, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource

from shared import limits
from shared.jobstore.operations import Backlog
from shared.jobstore.store import JobStore
from shared.objects.health import StoreHealth
from shared.telemetry.partition_readings import PartitionReadings

JOB_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 90, 120, 180, 300, 600, 1800, 3600)
"""Buckets for what a job waits and takes: the interesting range is 10 to 120 s."""

log = structlog.get_logger(__name__)


def configure_metrics(service: str) -> Meter:
    """Start collecting and give the meter of this process."""
    metrics.set_meter_provider(
        MeterProvider(
            metric_readers=[PrometheusMetricReader(disable_target_info=True, scope_info_enabled=False)],
            resource=Resource.create({"service.name": service}),
        )
    )
    return metrics.get_meter("waybill")


_GAUGES: tuple[tuple[str, str, Callable[[Backlog], int]], ...] = (
    ("download_queue_depth", "Jobs that no processor has read yet", lambda b: b.waiting),
    ("download_jobs_in_progress", "Jobs in a processor's hands", lambda b: b.running),
    ("download_jobs_parked", "Jobs that wait for their next try", lambda b: b.parked),
    (
        "download_jobs_ready",
        "Jobs that are to be taken up again at once",
        lambda b: b.ready,
    ),
    ("download_dead_letters", "Jobs that failed for good and are kept as evidence", lambda b: b.dead_letters),
)

_AGES: tuple[tuple[str, str, Callable[[Backlog], int]], ...] = (
    ("download_queue_oldest_age", "Age of the oldest waiting job", lambda b: b.oldest_waiting_ms),
    ("download_unfinished_oldest_age", "Age of the oldest job that has not ended", lambda b: b.oldest_unfinished_ms),
)


def report_backlog(meter: Meter, store: JobStore) -> PartitionReadings[Backlog]:
    """Show the gauges of the whole system; `run()` of what is returned keeps them true."""
    readings = PartitionReadings(store, store.backlog)
    for name, description, of in _GAUGES:
        meter.create_observable_gauge(name, [readings.sum_of(of)], description=description)
    for name, description, of in _AGES:
        meter.create_observable_gauge(name, [readings.most_of(of, 1000)], unit="s", description=description)
    meter.create_observable_gauge(
        "download_dead_letters_used_ratio",
        [readings.most_of(lambda b: b.dead_letters, limits.MAX_DEAD_LETTERS)],
        description="Of the dead letters that a partition keeps, by the fullest",
    )
    return readings


def report_dependencies(meter: Meter, store: JobStore, stores: Sequence[StoreHealth]) -> None:
    """Show Redis and the stores as `dependency_up`, by name: 1, 0, or nothing while it is not known.

    Redis is up when every partition's server is: of a cluster, jobs cannot do without any one of its nodes.
    """
    is_up: dict[str, Callable[[], bool | None]] = {
        "redis": lambda: all(store.healthy_since(partition) is not None for partition in range(store.partitions)),
        **{one.name: one.is_up for one in stores},
    }

    def observe(_: CallbackOptions) -> Iterable[Observation]:
        known = {name: tell() for name, tell in is_up.items()}
        return [Observation(int(up), {"dependency": name}) for name, up in known.items() if up is not None]

    meter.create_observable_gauge("dependency_up", [observe], description="1 when the dependency can be used")
