"""What stands in the outbox of all partitions. Gateways show it too: without processors nobody else would."""

from opentelemetry.metrics import Meter

from shared.jobstore.callback import OutboxCounts
from shared.jobstore.outbox import Outbox
from shared.jobstore.store import JobStore
from shared.telemetry.partition_readings import PartitionReadings


def report_outbox(meter: Meter, store: JobStore) -> PartitionReadings[OutboxCounts]:
    """Show what waits to be delivered and what was given up; `run()` of what is returned keeps it true."""
    readings = PartitionReadings(store, Outbox(store).counts)
    for name, description, of in (
        ("callbacks_waiting", "Callbacks that are not delivered yet", lambda counts: counts.waiting),
        ("callbacks_dead", "Callbacks that were given up, and are kept", lambda counts: counts.dead),
    ):
        meter.create_observable_gauge(name, [readings.sum_of(of)], description=description)
    what = "For how long the callback that is due the longest has been due"
    overdue = readings.most_of(lambda counts: counts.overdue_ms, 1000)
    meter.create_observable_gauge("callbacks_overdue", [overdue], unit="s", description=what)
    return readings
