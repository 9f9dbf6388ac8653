"""On a cluster a script may touch the keys of one slot only: one node in cluster mode sees to that, as many would."""

import pytest

from deploy.local.valkey import EmbeddedValkey
from shared.errors import RedisRefused
from shared.jobstore import keys
from shared.jobstore.callback import DeliveryOutcome
from shared.jobstore.outbox import Outbox
from tests.support import inspection, jobs
from tests.support.servers import empty
from tests.support.stores import running_commands, running_store

FOREIGN_DECLARED = "#!lua\nredis.call('SET', KEYS[1], '1') redis.call('SET', KEYS[2], '1') return 1"
FOREIGN_UNDECLARED = "#!lua\nredis.call('SET', ARGV[1], '1') return 1"


async def test_a_script_with_a_declared_key_of_a_foreign_slot_is_refused(cluster_server: EmbeddedValkey) -> None:
    empty(cluster_server)
    async with running_commands(cluster_server.url) as connection:
        with pytest.raises(RedisRefused, match="don't hash to the same slot"):
            await connection.execute("EVAL", FOREIGN_DECLARED, 2, keys.stats(0), keys.stats(1))

        assert await inspection.expiries(connection) == {}


async def test_a_script_with_an_undeclared_key_of_a_foreign_slot_is_refused(cluster_server: EmbeddedValkey) -> None:
    empty(cluster_server)
    async with running_commands(cluster_server.url) as connection:
        with pytest.raises(RedisRefused, match="do not hash to the same slot"):
            await connection.execute("EVAL", FOREIGN_UNDECLARED, 1, keys.stats(0), keys.stats(1))

        assert await inspection.expiries(connection) == {}


async def test_all_keys_of_a_partition_share_a_slot_and_partitions_do_not(cluster_server: EmbeddedValkey) -> None:
    empty(cluster_server)
    async with running_store(cluster_server.url, partitions=4) as store:
        for partition in range(4):
            run = await jobs.start(store, partition=partition, callback_url="https://example.org/hook")
            await store.finish(run, jobs.failure())
            [taken] = await Outbox(store).take(partition, "p1", lease_ms=jobs.LEASE_MS, count=10)
            await Outbox(store).give_up(taken, DeliveryOutcome(at_ms=1, duration_ms=2, status=410))
            await Outbox(store).redeliver(run.job_id)
            await jobs.sweep(store, partition)
        found = await inspection.expiries(store.connection)
        slots = {key: await store.connection.execute("CLUSTER", "KEYSLOT", key) for key in found}

    by_partition = [{slot for key, slot in slots.items() if f"{{{partition}}}" in key} for partition in range(4)]
    assert [len(partition_slots) for partition_slots in by_partition] == [1, 1, 1, 1]
    assert len(set.union(*by_partition)) == 4
