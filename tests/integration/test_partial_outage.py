"""The gauges of the whole system while a node of a cluster is away: they say so, and what the other nodes know."""

import asyncio
from pathlib import Path

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint

from deploy.local.resp import ask
from gateway.queue_watch import QueueWatch
from shared.jobstore import keys
from shared.jobstore.fleet import Fleet, Sign
from shared.jobstore.slots import slot_of
from shared.telemetry.metrics import report_backlog, report_dependencies
from shared.telemetry.outbox_gauges import report_outbox
from tests.support import jobs
from tests.support.cluster import NODES, SLOTS, EmbeddedCluster
from tests.support.stores import running_store

PARTITIONS = 8
PATIENCE_SECONDS = 60.0
OF_PROCESSORS = {"download_processors", "download_slots", "download_slots_ready"}


def owner_of(key: str) -> int:
    """Tell which node holds a key, by the cluster's first third, second third, last third of slots."""
    return min(NODES - 1, slot_of(key) * NODES // SLOTS)


def read(reader: InMemoryMetricReader) -> dict[str, float]:
    """Give the value of each gauge that has one."""
    scraped = reader.get_metrics_data()
    if scraped is None:
        return {}
    metrics = [
        one for resource in scraped.resource_metrics for scope in resource.scope_metrics for one in scope.metrics
    ]
    points = [(one.name, point) for one in metrics for point in one.data.data_points]
    return {name: point.value for name, point in points if isinstance(point, NumberDataPoint)}


@pytest.mark.parametrize("dead", range(NODES))
async def test_a_node_that_is_away_is_told_and_hides_no_partition_of_the_others(tmp_path: Path, dead: int) -> None:
    with EmbeddedCluster(tmp_path) as cluster:
        owners = [owner_of(keys.commands(partition)) for partition in range(PARTITIONS)]
        hidden = OF_PROCESSORS if dead == owner_of(keys.SIGNS_OF_LIFE) else set()
        for node in cluster.nodes:
            ask(node.port, "CONFIG", "SET", "maxmemory", "1gb")
        async with asyncio.timeout(PATIENCE_SECONDS), running_store(cluster.url, partitions=PARTITIONS) as store:
            reader = InMemoryMetricReader()
            meter = MeterProvider(metric_readers=[reader]).get_meter("test")
            watch = QueueWatch(store, Fleet(store.connection))
            watch.report(meter)
            report_dependencies(meter, store, [])
            backlog, outbox = report_backlog(meter, store), report_outbox(meter, store)
            await Fleet(store.connection).say("p1", Sign(slots=4, open_slots=4))
            for partition in range(PARTITIONS):
                await jobs.create(store, partition=partition)

            async def looked() -> dict[str, float]:
                await asyncio.gather(backlog.look(), outbox.look(), watch.look())
                return read(reader)

            before = await looked()
            await asyncio.to_thread(cluster.nodes[dead].kill)
            await asyncio.gather(backlog.look(), return_exceptions=True)
            after = await looked()

            assert (before["dependency_up"], before["download_queue_depth"]) == (1, PARTITIONS)
            assert after["dependency_up"] == 0
            assert after["download_queue_depth"] == sum(owner != dead for owner in owners) > 0
            assert after["callbacks_waiting"] == 0
            assert {watch.unfinished(partition) for partition, owner in enumerate(owners) if owner != dead} == {1}
            assert after.get("download_slots_ready") == (None if hidden else 4)
            assert 0 < after["redis_memory_used_ratio"] < 1
            assert set(before) - set(after) == hidden, "what one node does not tell leaves no gauge without a value"
