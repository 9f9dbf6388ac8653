"""`python -m processor backlog` as operators run it: a real process, and a real Redis with jobs at every stage."""

from shared.jobstore import keys
from shared.jobstore.slots import slot_of
from shared.jobstore.store import JobStore
from tests.support import inspection, jobs
from tests.support.cluster import NODES, SLOTS, EmbeddedCluster
from tests.support.operator import Operator, prose
from tests.support.servers import empty, frozen
from tests.support.stores import running_store


async def test_every_stage_is_counted_by_partition_and_in_all(store: JobStore, operator: Operator) -> None:
    runs = [await jobs.start(store, partition=0, processor=f"p{n}") for n in range(4)]
    waiting = [await jobs.create(store, partition=0) for _ in range(2)]
    await store.retry_later(runs[0], message=jobs.RETRYING, error=jobs.BROKEN, delay_ms=60_000, lease_ms=jobs.LEASE_MS)
    await store.release(runs[1], message=jobs.RELEASED)
    await store.finish(runs[2], jobs.failure())
    elsewhere = await jobs.create(store, partition=store.partitions - 1)

    found = await operator.read("backlog")
    page = (await operator.run("backlog")).stdout

    stages = ("waiting", "running", "parked", "ready", "unfinished", "dead_letters")
    own = 1 if store.partitions == 1 else 0
    assert [found[stage] for stage in stages] == [3, 1, 1, 1, 6, 1]
    assert [found["partitions"][0][stage] for stage in stages] == [2 + own, 1, 1, 1, 5 + own, 1]
    assert len(found["partitions"]) == store.partitions
    assert {waits["job_id"] for waits in found["waiting_longest"]} == {*waiting, elsewhere, runs[1].job_id}
    # They are read one after the other, each with its server's clock.
    assert found["oldest_waiting_ms"] >= found["waiting_longest"][-1]["waits_ms"] - 5_000
    [row] = [line for line in page.splitlines() if line.startswith("all ")]
    assert row.split()[1:7] == ["3", "1", "1", "1", "6", "1"]
    assert "6 unfinished jobs: 3 waiting, 1 running, 1 parked, 1 ready" in page


async def test_who_works_is_named_with_what_they_hold(store: JobStore, operator: Operator) -> None:
    await jobs.start(store, partition=0, processor="busy")
    await jobs.start(store, partition=store.partitions - 1, processor="busy")
    await store.finish(await jobs.start(store, processor="idle"), jobs.completion())

    found = await operator.read("backlog")
    page = (await operator.run("backlog")).stdout

    holders = {holder["name"]: (holder["entries"], holder["is_alive"]) for holder in found["processors"]}
    assert holders == {"busy": (2, True), "idle": (0, True)}
    assert found["processors_alive"] == 2
    assert "2 processors at work." in page


async def test_that_nobody_works_is_told_with_what_to_do(single: JobStore, somebody: Operator) -> None:
    job_id = await jobs.create(single)

    ended = await somebody.run("backlog")

    assert ended.returncode == 0
    assert "Nobody works: no processor was heard of in the last 15 s. Start one" in prose(ended.stdout)
    assert job_id in ended.stdout


async def test_a_redis_without_anything_of_ours_is_told_and_no_error(somebody: Operator) -> None:
    ended = await somebody.run("backlog")

    assert ended.returncode == 0
    assert "No process of Waybill has started on this Redis yet." in prose(ended.stdout)


async def test_looking_changes_nothing_even_where_the_group_is_missing(single: JobStore, somebody: Operator) -> None:
    await jobs.create(single)
    await single.connection.execute("XGROUP", "DESTROY", keys.commands(0), keys.GROUP)
    before = await inspection.everything(single.connection)

    ended = await somebody.run("backlog")

    assert "The consumer group is missing in partition 0: see doctor." in prose(ended.stdout)
    assert "1 unfinished job: 1 waiting" in ended.stdout
    assert await inspection.everything(single.connection) == before


async def test_a_command_stream_that_is_no_stream_is_told(single: JobStore, somebody: Operator) -> None:
    await single.connection.execute("SET", keys.dead(0), "mine")

    ended = await somebody.run("backlog")

    assert (ended.returncode, ended.stdout) == (2, "")
    assert "waybill:{0}:dead holds what is not Waybill's" in ended.stderr


async def test_a_node_that_is_away_hides_its_own_partitions_only(cluster_3_nodes_server: EmbeddedCluster) -> None:
    empty(cluster_3_nodes_server)
    async with running_store(cluster_3_nodes_server.url, partitions=8) as store:
        for partition in range(8):
            await jobs.create(store, partition=partition)
    lost = {partition for partition in range(8) if slot_of(keys.commands(partition)) < SLOTS // NODES}

    with frozen(cluster_3_nodes_server.nodes[0]):
        found = await Operator(cluster_3_nodes_server.url).read("backlog", code=1)
    cluster_3_nodes_server.wait_until_agreed()

    assert lost
    assert {trouble["partition"] for trouble in found["unseen"]} == lost
    assert found["unfinished"] == len(found["partitions"]) == 8 - len(lost)
