"""`python -m processor doctor` as operators run it: a real process, and real servers with what can be wrong."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.resp import ask
from deploy.local.valkey import SHIPPED_SETTINGS, EmbeddedValkey
from shared.jobstore import keys
from tests.architecture.source_tree import ROOT
from tests.support import inspection, jobs
from tests.support.cluster import NODES, EmbeddedCluster
from tests.support.debian_redis import DebianRedis
from tests.support.older_redis import older_redis
from tests.support.operator import Operator, prose
from tests.support.servers import empty, frozen
from tests.support.stores import running_store
from tests.support.waiting import until

SHIPPED = (*(f"{name} {value}" for name, value in SHIPPED_SETTINGS.items()), "appendonly yes", "maxmemory 1gb")
FILLER_BYTES = 64 * 1024 * 1024  # beside which what a connection takes does not count


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[DebianRedis]:
    """A Redis of its own for each test, set up as it should be."""
    with DebianRedis(tmp_path / "redis", *SHIPPED) as server:
        yield server


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    """A Valkey of its own for each test, set up as it should be."""
    with EmbeddedValkey(tmp_path / "valkey", durable=True, settings={**SHIPPED_SETTINGS, "maxmemory": "1gb"}) as server:
        yield server


async def amiss(operator: Operator, *arguments: str, code: int) -> dict[str, str]:
    """Give the rows that are not ok, with how they stand; misfits are called by their kind."""
    found = await operator.read("doctor", *arguments, code=code)
    return {
        check["name"] if check["name"] != "jobs" else check["found"].partition(",")[0]: check["standing"]
        for check in found["checks"]
        if check["standing"] != "ok"
    }


def used_bytes(redis: DebianRedis) -> int:
    """Read how much memory a server uses."""
    [line] = [line for line in ask(redis.port, "INFO", "memory").splitlines() if line.startswith("used_memory:")]
    return int(line.partition(":")[2])


# ── the server ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_good_server_with_jobs_and_a_processor_is_ok_in_every_row(valkey: EmbeddedValkey) -> None:
    async with running_store(valkey.url, partitions=3) as store:
        await jobs.start(store)
        before = await inspection.everything(store.connection)

        ended = await Operator(valkey.url).run("doctor")

        assert ended.returncode == 0
        assert {line.split()[0] for line in ended.stdout.splitlines()[2:-2] if not line.startswith(" ")} == {"ok"}
        assert ended.stdout.endswith("\n0 wrong, 0 notes.\n")
        assert await inspection.everything(store.connection) == before


async def test_an_empty_redis_is_noted_and_stays_empty(redis: DebianRedis) -> None:
    assert await amiss(Operator(redis.url), "--repair", code=0) == {"partitions": "note"}
    assert ask(redis.port, "DBSIZE") == "0"


async def test_a_redis_of_others_is_told_apart_from_an_empty_one(redis: DebianRedis) -> None:
    ask(redis.port, "SET", "session:1", "theirs")

    ended = await Operator(redis.url).run("doctor")

    assert ended.returncode == 0
    assert "No process of Waybill has started on this Redis (database 0). It holds 1 key of others." in prose(
        ended.stdout
    )


async def test_settings_that_lose_jobs_are_wrong_each_with_its_remedy(redis: DebianRedis) -> None:
    for name, value in (("maxmemory-policy", "allkeys-lru"), ("appendonly", "no"), ("stream-node-max-bytes", "4096")):
        ask(redis.port, "CONFIG", "SET", name, value)

    ended = await Operator(redis.url).run("doctor")

    page = prose(ended.stdout)
    assert ended.returncode == 1
    assert "wrong eviction maxmemory-policy is allkeys-lru" in page
    assert "→ Set maxmemory-policy to noeviction" in page
    assert "wrong disk appendonly is off: a restart of Redis loses jobs. → Set appendonly to yes." in page
    assert "note node sizes stream-node-max-bytes is 4096 in place of 1024" in page
    assert "2 wrong, 2 notes." in page


async def test_little_memory_left_is_told_with_how_many_jobs_still_fit(redis: DebianRedis) -> None:
    ask(redis.port, "SETRANGE", "filler", str(FILLER_BYTES), "x")
    ask(redis.port, "CONFIG", "SET", "maxmemory", str(int(used_bytes(redis) * 1.12)))

    assert (await amiss(Operator(redis.url), code=0))["memory"] == "note"
    ask(redis.port, "CONFIG", "SET", "maxmemory", "1")
    assert (await amiss(Operator(redis.url), code=1))["memory"] == "wrong"


async def test_a_replica_is_told_with_its_master_and_is_not_repaired(redis: DebianRedis, tmp_path: Path) -> None:
    async with running_store(redis.url, partitions=1) as store:
        await jobs.create(store)
    with DebianRedis(tmp_path / "replica", *SHIPPED, f"replicaof 127.0.0.1 {redis.port}") as replica:
        until(lambda: ask(replica.port, "EXISTS", keys.PARTITIONS) == "1", "the replica has its copy")

        ended = await Operator(replica.url).run("doctor", "--repair")
        backlog = await Operator(replica.url).read("backlog")

    page = prose(ended.stdout)
    assert ended.returncode == 1
    assert f"It is a replica of 127.0.0.1:{redis.port} and takes no writes" in page
    assert "note jobs Not looked at: that is done on the master." in page
    assert backlog["unfinished"] == 1


async def test_a_server_that_is_too_old_is_one_sentence(redis: DebianRedis) -> None:
    async with older_redis(redis.port) as url:
        ended = await Operator(url).run("doctor")

    assert (ended.returncode, ended.stdout) == (2, "")
    assert "is a Redis 6.2.14; Waybill needs Redis 7.0 or newer, or Valkey. Upgrade the server." in ended.stderr


async def test_a_wrong_password_is_one_sentence_that_does_not_show_it(tmp_path: Path) -> None:
    with DebianRedis(tmp_path / "redis", "requirepass correct") as server:
        ended = await Operator(f"redis://:hunter2@127.0.0.1:{server.port}/0").run("doctor")

    assert (ended.returncode, ended.stdout) == (2, "")
    [line] = ended.stderr.splitlines()
    assert line == (
        f"processor doctor: REDIS_URL=redis://:***@127.0.0.1:{server.port}/0: the user or the password was refused "
        "(invalid username-password pair or user is disabled); see REDIS_URL, REDIS_USERNAME and REDIS_PASSWORD."
    )


async def test_our_own_user_sees_all_but_the_settings(redis: DebianRedis) -> None:
    rule = (ROOT / "deploy/local/users.acl").read_text().split()[1:]
    ask(redis.port, "ACL", "SETUSER", *rule)
    url = redis.url.replace("redis://", "redis://waybill:change-me@")
    async with running_store(url, partitions=1) as store:
        await jobs.start(store)

        assert await amiss(Operator(url), "--repair", code=0) == {"settings": "note"}


async def test_a_url_of_the_wrong_kind_is_one_sentence(redis: DebianRedis) -> None:
    ended = await Operator(f"redis+cluster://127.0.0.1:{redis.port}").run("doctor")

    assert ended.returncode == 2
    assert "is not in cluster mode. Begin the URL with redis://" in ended.stderr


# ── a cluster ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_every_node_of_a_cluster_is_looked_at(cluster_3_nodes_server: EmbeddedCluster) -> None:
    empty(cluster_3_nodes_server)
    async with running_store(cluster_3_nodes_server.url, partitions=8) as store:
        job_id = await jobs.create(store, partition=5)
        await store.connection.execute("DEL", keys.of_job(5, job_id).record)

        found = await Operator(cluster_3_nodes_server.url).read("doctor", "--repair", code=1)

    roles = [check for check in found["checks"] if check["name"] == "role"]
    assert [check["where"] for check in roles] == ["all nodes"]
    assert found["mended"] == 4
    assert {check["found"] for check in found["checks"] if check["name"] == "partitions"} == {"8 agreed on."}


async def test_a_node_that_is_away_is_named_and_the_others_are_looked_at(
    cluster_3_nodes_server: EmbeddedCluster,
) -> None:
    empty(cluster_3_nodes_server)
    async with running_store(cluster_3_nodes_server.url, partitions=8):
        pass
    lost, *_ = cluster_3_nodes_server.nodes

    with frozen(lost):
        found = await Operator(cluster_3_nodes_server.url).read("doctor", code=1)
    cluster_3_nodes_server.wait_until_agreed()

    away = [check["found"] for check in found["checks"] if check["name"] == "server" and check["standing"] == "wrong"]
    assert len(away) == 1
    assert away[0].startswith(f"127.0.0.1:{lost.port}: ")
    [role] = [check["where"] for check in found["checks"] if check["name"] == "role"]
    assert role == "all nodes" or role.count(",") == NODES - 2
    assert any(check["found"].startswith("Cannot be looked at: 3, 7.") for check in found["checks"])


# ── what it holds ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_half_filled_redis_is_told_and_put_right(valkey: EmbeddedValkey) -> None:
    operator = Operator(valkey.url)
    async with running_store(valkey.url, partitions=3) as store:
        await jobs.start(store, partition=2)
        without_record, without_entry = await jobs.create(store, partition=0), await jobs.create(store, partition=1)
        await store.connection.execute("DEL", keys.of_job(0, without_record).record)
        await store.connection.execute("DEL", keys.commands(1))

        seen = await amiss(operator, code=1)
        mended = await operator.read("doctor", "--repair")
        again = await amiss(operator, code=0)

        assert seen["groups"] == seen["entry_without_record"] == seen["record_without_entry"] == "wrong"
        assert {check["standing"] for check in mended["checks"]} == {"ok", "mended"}
        assert mended["mended"] == len(seen)
        assert again == {}
        assert await inspection.commands(store, 0) == {}
        assert list((await inspection.commands(store, 1)).values()) == [without_entry]
        assert (await jobs.take(store, without_entry)).job_id == without_entry


async def test_jobs_that_wait_while_nobody_works_are_wrong(valkey: EmbeddedValkey) -> None:
    async with running_store(valkey.url, partitions=1) as store:
        await jobs.create(store)

        assert await amiss(Operator(valkey.url), code=1) == {"processors": "wrong"}


async def test_a_record_that_cannot_be_read_is_told_and_left_to_the_next_claim(valkey: EmbeddedValkey) -> None:
    async with running_store(valkey.url, partitions=1) as store:
        run = await jobs.start(store)
        await store.connection.execute("HSET", keys.of_job(0, run.job_id).record, "due_at", "soon")
        before = await inspection.everything_about(store, run.job_id)

        found = await amiss(Operator(valkey.url), "--repair", code=1)

        assert found == {"record_unreadable": "wrong"}
        assert await inspection.everything_about(store, run.job_id) == before


async def test_jobs_beyond_the_agreed_partitions_are_told(valkey: EmbeddedValkey) -> None:
    async with running_store(valkey.url, partitions=4) as store:
        await jobs.create(store, partition=3)
    ask(valkey.port, "SET", keys.PARTITIONS, "2")

    ended = await Operator(valkey.url).run("doctor")

    assert ended.returncode == 1
    told = "wrong partitions 1 job and 0 dead letters lie beyond the 2 that are agreed on, in partition 3"
    assert told in prose(ended.stdout)
    assert "→ Set WAYBILL_PARTITIONS to at least 4 on all processes" in prose(ended.stdout)


async def test_a_number_of_partitions_that_is_none_is_told(valkey: EmbeddedValkey) -> None:
    ask(valkey.port, "SET", keys.PARTITIONS, "many")

    ended = await Operator(valkey.url).run("doctor")

    assert ended.returncode == 1
    assert "wrong partitions waybill:partitions holds what is not Waybill's" in prose(ended.stdout)
