"""A server is judged row by row: each row that is not ok has its figure, and says what to do."""

import pytest

from deploy.local.valkey import SHIPPED_SETTINGS
from processor.commands.check import Check, Standing, gathered
from processor.commands.server_checks import NODE_SIZES, server_checks
from shared.jobstore.location import parse_location
from shared.jobstore.server_check import ServerFacts

HERE = parse_location("redis://h:1/0")
CLUSTER = parse_location("redis+cluster://h:1")
INFO = {
    "redis_version": "7.2.4",
    "uptime_in_seconds": "7440",
    "role": "master",
    "connected_slaves": "1",
    "maxmemory_policy": "noeviction",
    "evicted_keys": "0",
    "aof_enabled": "1",
    "aof_last_write_status": "ok",
    "rdb_last_bgsave_status": "ok",
    "used_memory": "10000000",
    "maxmemory": "1000000000",
    "total_system_memory": "4000000000",
    "connected_clients": "12",
    "maxclients": "10000",
}
SETTINGS = {
    "appendfsync": "everysec",
    "stream-node-max-bytes": "1024",
    "hash-max-listpack-value": "8192",
    "timeout": "0",
    "tcp-keepalive": "300",
}


def facts(
    info: dict[str, str] | None = None,
    settings: dict[str, str] | None = None,
    *,
    may_ask: bool = True,
    address: str = "",
    answered_in_ms: int = 1,
    clock_ahead_ms: int = 0,
) -> ServerFacts:
    """Describe a good server, but for these changes."""
    asked = SETTINGS | (settings or {}) if may_ask else None
    return ServerFacts(address, INFO | (info or {}), asked, answered_in_ms, clock_ahead_ms)


def rows(described: ServerFacts, url: str = "redis://h:1/0") -> dict[str, Check]:
    """Give the rows about a server by name."""
    return {check.name: check for check in server_checks(described, parse_location(url))}


def test_a_good_server_is_good_in_every_row() -> None:
    checks = rows(facts())

    assert {check.standing for check in checks.values()} == {Standing.OK}
    assert checks["server"].found == "Redis 7.2.4, up for 2 h 4 min."
    assert checks["memory"].found == "10.0 MB of 1.0 GB used; there is room for about 130,263 more jobs of 30 events."


@pytest.mark.parametrize(
    ("name", "info", "settings", "standing", "told"),
    [
        ("role", {"role": "slave", "master_host": "m", "master_port": "2"}, {}, "wrong", "a replica of m:2"),
        ("eviction", {"maxmemory_policy": "allkeys-lru"}, {}, "wrong", "allkeys-lru: a full Redis deletes jobs"),
        ("eviction", {"evicted_keys": "3"}, {}, "note", "3 keys evicted since its start"),
        ("disk", {"aof_enabled": "0"}, {}, "wrong", "a restart of Redis loses jobs"),
        ("disk", {"aof_last_write_status": "err"}, {}, "wrong", "last write to the append-only file failed"),
        ("disk", {"rdb_last_bgsave_status": "err"}, {}, "wrong", "snapshot (RDB) failed"),
        ("disk", {"aof_last_bgrewrite_status": "err"}, {}, "wrong", "the file only grows"),
        ("disk", {}, {"appendfsync": "no"}, "note", "half a minute is lost"),
        ("memory", {"maxmemory": "0"}, {}, "note", "no limit (maxmemory 0) on a machine of 4.0 GB"),
        ("memory", {"used_memory": "800000000"}, {}, "note", "800.0 MB of 1.0 GB used"),
        ("memory", {"used_memory": "950000000"}, {}, "wrong", "about 6,578 more jobs"),
        ("clients", {"connected_clients": "8000"}, {}, "note", "8,000 of at most 10,000"),
        ("clients", {"connected_clients": "9500"}, {}, "wrong", "9,500 of at most 10,000"),
        ("node sizes", {}, {"stream-node-max-bytes": "4096"}, "note", "is 4096 in place of 1024"),
        ("timeouts", {}, {"timeout": "5"}, "note", "timeout is 5 s"),
        ("timeouts", {}, {"tcp-keepalive": "0"}, "note", "tcp-keepalive is 0"),
    ],
)
def test_what_is_amiss_has_its_figure_and_a_remedy(
    name: str, info: dict[str, str], settings: dict[str, str], standing: str, told: str
) -> None:
    amiss = [check for check in server_checks(facts(info, settings), HERE) if check.standing is not Standing.OK]

    [check] = amiss
    assert (check.name, check.standing) == (name, standing)
    assert told in check.found
    assert check.remedy


def test_a_slow_answer_and_a_wrong_clock_are_notes() -> None:
    checks = rows(facts(answered_in_ms=1_500, clock_ahead_ms=-90_000))

    assert "it took 1.5 s to answer" in checks["server"].found
    assert "1 min 30 s behind this machine's" in checks["clock"].found


def test_a_redis_that_does_not_show_idle_processors_says_so() -> None:
    assert (
        "before 7.2 it does not show processors that are idle"
        in rows(facts({"redis_version": "7.0.15"}))["server"].found
    )


def test_a_valkey_is_named_with_what_it_passes_for() -> None:
    assert rows(facts({"valkey_version": "9.1.2"}))["server"].found.startswith("Valkey 9.1.2 (as Redis 7.2.4)")


def test_settings_that_may_not_be_asked_for_are_one_note() -> None:
    checks = rows(facts(may_ask=False))

    assert [name for name, check in checks.items() if check.standing is not Standing.OK] == ["settings"]
    assert "node sizes" not in checks


def test_sentinel_without_a_replica_and_a_cluster_that_wants_all_nodes_are_noted() -> None:
    alone = rows(facts({"connected_slaves": "0"}), "redis+sentinel://h:1/main")["role"]
    strict = rows(facts(settings={"cluster-require-full-coverage": "yes"}), "redis+cluster://h:1")["coverage"]

    assert alone.found == "master, no replicas: nothing can take over."
    assert strict.standing is Standing.NOTE


def test_nodes_that_stand_alike_share_a_row_and_the_others_are_named() -> None:
    nodes = [facts(address="a"), facts(address="b"), facts({"aof_enabled": "0"}, address="c")]

    checks = gathered([check for node in nodes for check in server_checks(node, CLUSTER)])

    assert [check.where for check in checks if check.name == "role"] == ["all nodes"]
    assert [(check.where, check.standing) for check in checks if check.name == "disk"] == [
        ("a, b", "ok"),
        ("c", "wrong"),
    ]


def test_what_is_advised_is_what_is_shipped() -> None:
    assert {name: SHIPPED_SETTINGS[name] for name in NODE_SIZES} == {name: str(n) for name, n in NODE_SIZES.items()}
