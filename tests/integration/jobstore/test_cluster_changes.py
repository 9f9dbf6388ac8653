"""A cluster that changes under load: slots that move lose nothing, a node that dies takes its own partitions only."""

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from deploy.local.resp import ask
from deploy.local.valkey import EmbeddedValkey
from shared.errors import RedisUnavailable
from shared.jobstore import keys
from shared.jobstore.operations import Answer, Run
from shared.jobstore.reader import BlockingReader
from shared.jobstore.slots import slot_of
from shared.jobstore.store import JobStore
from tests.support import inspection, jobs
from tests.support.cluster import EmbeddedCluster
from tests.support.stores import running_live, running_store

PARTITIONS = 8
PATIENCE_SECONDS = 60.0


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[EmbeddedCluster]:
    """A cluster of its own for each test: these change it."""
    with EmbeddedCluster(tmp_path) as running:
        yield running


def owner_of(cluster: EmbeddedCluster, partition: int) -> int:
    """Tell which node holds a partition, by the cluster's first third, second third, last third of slots."""
    return min(2, slot_of(keys.commands(partition)) * 3 // 16_384)


async def run_a_job(store: JobStore, partition: int) -> str:
    """Create a job and take some job of the partition to its end, as patiently as a processor does; give its id."""
    new = jobs.new_job(store, partition=partition)
    # A name of its own: an entry whose reply was lost comes again to the processor that has it.
    processor, token = f"p-{new.job_id}", f"token-{new.job_id}"
    await jobs.insist(lambda: store.create(new))
    take = partial(store.take, partition, processor=processor, most=1, in_hand=set())
    taken = await jobs.insist(take)
    while not taken:
        await asyncio.sleep(0.05)
        taken = await jobs.insist(take)
    run = await jobs.insist(lambda: store.claim(taken[0], token, jobs.terms(processor)))
    assert isinstance(run, Run)
    for seq in range(3, 13):
        append = partial(store.append_progress, run, seq=seq, message=jobs.progress(seq / 100))
        assert await jobs.insist(append) in (Answer.OK, Answer.DUP)
    assert await jobs.insist(lambda: store.finish(run, jobs.completion())) in (Answer.OK, Answer.DONE)
    return run.job_id


def move_slot(cluster: EmbeddedCluster, slot: int, source: int, target: int) -> None:
    """Move a slot as redis-cli does: Redis Cluster specification, "Live reconfiguration"."""
    ids = cluster.node_ids()
    ports = [node.port for node in cluster.nodes]
    ask(ports[target], "CLUSTER", "SETSLOT", str(slot), "IMPORTING", ids[source])
    ask(ports[source], "CLUSTER", "SETSLOT", str(slot), "MIGRATING", ids[target])
    while keys_there := _keys_in_slot(cluster.nodes[source], slot):
        for key in keys_there:
            ask(ports[source], "MIGRATE", "127.0.0.1", str(ports[target]), key, "0", "5000")
    for node in (target, source, 3 - target - source):
        ask(ports[node], "CLUSTER", "SETSLOT", str(slot), "NODE", ids[target])


def _keys_in_slot(node: EmbeddedValkey, slot: int) -> list[str]:
    # Joined, because the reply is a list, which ask() does not read.
    script = "return table.concat(redis.call('CLUSTER', 'GETKEYSINSLOT', ARGV[1], 100), ' ')"
    return ask(node.port, "EVAL", script, "0", str(slot)).split()


async def test_a_slot_that_moves_under_load_loses_nothing(cluster: EmbeddedCluster) -> None:
    partition = 3
    source = owner_of(cluster, partition)
    target = (source + 1) % 3
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    restored = asyncio.Event()
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        running_store(cluster.url, partitions=PARTITIONS) as store,
        running_live(cluster.url, on_message=lambda _, data: heard.put_nowait(data), on_restored=restored.set) as live,
    ):
        watched = await jobs.start(store, partition=partition)
        await live.subscribe(store.live_channel(watched.job_id))
        is_over = asyncio.Event()

        async def keep_busy(number: int) -> list[str]:
            ended = []
            while not is_over.is_set():
                ended.append(await run_a_job(store, number))
            return ended

        loads = [asyncio.create_task(keep_busy(number)) for number in range(PARTITIONS)]
        await asyncio.sleep(0)
        health_before = store.healthy_since(partition)
        restored.clear()
        await asyncio.to_thread(move_slot, cluster, slot_of(keys.commands(partition)), source, target)
        await restored.wait()
        moved_id = await run_a_job(store, partition)
        is_over.set()
        ended = [job_id for done in await asyncio.gather(*loads) for job_id in done] + [moved_id]

        for job_id in ended:
            log = await inspection.read_log(store, job_id)
            assert [entry.event_id.seq for entry in log] == list(range(1, len(log) + 1))
            assert [entry.type for entry in log].count("completed") == 1
        assert set((await inspection.commands(store, partition)).values()) == {watched.job_id}
        health_after = store.healthy_since(partition)
        assert health_before is not None
        assert health_after is not None
        assert health_after > health_before
        await store.append_progress(watched, seq=3, message=jobs.progress(0.5))
        assert await heard.get() == b"1-3 " + jobs.progress(0.5)


async def test_a_blocking_reader_follows_its_partition(cluster: EmbeddedCluster) -> None:
    source = owner_of(cluster, 0)
    async with asyncio.timeout(PATIENCE_SECONDS), running_store(cluster.url, partitions=1) as store:
        reader = BlockingReader(store.connection, partition=0, processor="p1")
        waiting = asyncio.create_task(reader.read(most=1))
        await asyncio.to_thread(move_slot, cluster, slot_of(keys.commands(0)), source, (source + 1) % 3)
        job_id = await jobs.create(store)

        entries = await waiting
        while not entries:
            await asyncio.gather(store.find(job_id), return_exceptions=True)
            entries = await reader.read(most=1)

        assert [entry.job_id for entry in entries] == [job_id]
        await reader.close()


async def test_a_node_that_dies_takes_its_own_partitions_only(cluster: EmbeddedCluster) -> None:
    by_node = {node: [p for p in range(PARTITIONS) if owner_of(cluster, p) == node] for node in range(3)}
    dead = next(node for node, partitions in by_node.items() if partitions)
    dead_partition = by_node[dead][0]
    async with asyncio.timeout(PATIENCE_SECONDS), running_store(cluster.url, partitions=PARTITIONS) as store:
        runs = [await jobs.start(store, partition=partition) for partition in range(PARTITIONS)]
        await asyncio.to_thread(cluster.nodes[dead].kill)

        with pytest.raises(RedisUnavailable):
            await store.create(jobs.new_job(store, partition=dead_partition))
        for partition in range(PARTITIONS):
            if partition in by_node[dead]:
                assert store.healthy_since(partition) is None
            else:
                assert await store.finish(runs[partition], jobs.completion()) is Answer.OK
                assert store.healthy_since(partition) is not None
        assert store.connection.healthy_since is not None
        with pytest.raises(RedisUnavailable):
            await store.sweep(dead_partition, leader="s1", lease_ms=0, cursor="0-0")
