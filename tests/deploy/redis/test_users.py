"""The users of deploy/redis: each does all of its work, and nothing else."""

import json
import socket
from collections.abc import Iterator

import pytest

from shared.jobstore import keys
from tests.deploy.redis.guarded import GuardedSystem, asking, guarded_server
from tests.support import cargo
from tests.support.every_operation import walk
from tests.support.stores import running_store
from tests.support.system import JOBS, System

COMMANDS = keys.commands(0)
RECORD = keys.record(0, "x")

FORBIDDEN = {
    "keda": [
        ["XRANGE", COMMANDS, "-", "+"],
        ["XPENDING", COMMANDS, keys.GROUP],
        ["XINFO", "GROUPS", COMMANDS],
        ["XADD", COMMANDS, "*", "of", "x"],
        ["XLEN", keys.dead(0)],
        ["XLEN", keys.events(0, "x")],
        ["GET", COMMANDS],
        ["HGETALL", RECORD],
        ["HGETALL", keys.API_KEYS],
        ["SSUBSCRIBE", keys.events(0, "x")],
        ["INFO"],
        ["COMMAND"],
        ["CLIENT", "LIST"],
        ["EVAL", "return 1", "0"],
    ],
    "gateway": [
        ["XREADGROUP", "GROUP", keys.GROUP, "x", "STREAMS", COMMANDS, ">"],
        ["XAUTOCLAIM", COMMANDS, keys.GROUP, "x", "0", "0"],
        ["HSET", keys.API_KEYS, "k", "v"],
        ["HDEL", keys.API_KEYS, "k"],
        ["DEL", keys.API_KEYS],
        ["EVAL", "return 1", "0"],
        ["SCAN", "0"],
    ],
    "processor": [
        ["HGET", keys.API_KEYS, "k"],
        ["GET", keys.idempotency("x")],
        ["ZCARD", keys.owner_creates("x")],
        ["HGETALL", keys.owner_streams("x")],
        ["EVAL", "return 1", "0"],
    ],
    "admin": [],
}
FORBIDDEN_TO_ALL = [
    ["GET", "others"],
    ["SET", "others", "x"],
    ["KEYS", "*"],
    ["FLUSHALL"],
    ["CONFIG", "SET", "maxmemory", "1"],
    ["ACL", "LIST"],
    ["SHUTDOWN"],
    ["MONITOR"],
    ["REPLICAOF", "NO", "ONE"],
]


@pytest.fixture(params=["redis", "valkey"])
def port(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A server that knows the four users."""
    with guarded_server(request.param, tmp_path_factory.mktemp("guarded")) as server:
        yield server


@pytest.fixture
def guarded(port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedSystem]:
    """A gateway on that server."""
    with System(tmp_path_factory.mktemp("system"), gateways=0, processors=0) as system:
        running = GuardedSystem(system, port)
        yield running
        running.close()


def test_whoever_comes_from_another_host_is_asked_for_a_password_and_not_sent_away(port: int) -> None:
    # 127.0.0.2 is another host to protected mode, which sends everybody away while the default user has `nopass`.
    with socket.create_connection(("127.0.0.1", port), timeout=5, source_address=("127.0.0.2", 0)) as caller:
        caller.sendall(b"PING\r\n")

        assert caller.recv(512).startswith(b"-NOAUTH")


def test_gateway_and_processor_do_all_their_work_and_are_refused_nothing(guarded: GuardedSystem) -> None:
    first = guarded.start_processor()

    # A job, watched and repeated.
    path = guarded.create(*cargo.MIXED, idempotency_key="once")
    assert guarded.create(*cargo.MIXED, idempotency_key="once") == path
    assert "completed" in guarded.call("GET", f"{path}/stream?last_event_id=0-0").text
    assert guarded.call("GET", f"{path}/events", {"Prefer": "wait=1"}).json()["events"]
    assert guarded.call("GET", f"{JOBS}?limit=1").json()["jobs"]
    assert guarded.call("GET", f"/v1/download/stream?job={path.rpartition('/')[2]}").status_code == 200

    # One that fails for good, and is begun anew by its owner.
    source = guarded.system.sources_dir / cargo.MIXED[0].key
    source.unlink()
    failed = guarded.create(cargo.MIXED[0])
    assert guarded.wait_for_end(failed) == "failed"
    assert guarded.administer("processor", "dead-letters", "list")
    source.write_bytes(cargo.MIXED[0].content)
    guarded.call("POST", f"{failed}/retry")
    assert guarded.wait_for_end(failed) == "completed"

    # One that is cancelled in its run, one that is deleted.
    cancelled = guarded.create(*cargo.LONG[:2])
    guarded.wait_for_copying(cancelled)
    guarded.call("POST", f"{cancelled}/cancel")
    assert guarded.wait_for_end(cancelled) == "cancelled"
    guarded.call("DELETE", path)

    # A processor that dies, one that hands back, one that ends the job.
    taken_over = guarded.create(*cargo.LONG[:2])
    guarded.wait_for_copying(taken_over)
    first.kill()
    second = guarded.start_processor()
    handed_back = guarded.create(*cargo.LONG[:2])
    guarded.wait_for_copying(handed_back)
    second.interrupt()
    assert second.exit_code() == 0
    guarded.start_processor()
    assert [guarded.wait_for_end(taken_over), guarded.wait_for_end(handed_back)] == ["completed", "completed"]

    # What operators ask for.
    assert json.loads(guarded.administer("processor", "backlog", "--json"))["unfinished"] == 0
    assert guarded.administer("processor", "doctor")
    assert "completed" in guarded.administer("processor", "jobs", "show", failed.rpartition("/")[2])
    assert guarded.administer("processor", "archives", "clear")
    waiting = guarded.administer("processor", "callbacks", "list", "--json").splitlines()
    assert any(json.loads(line)["tries"] for line in waiting)
    guarded.administer("gateway", "keys", "revoke", guarded.api_key.split("_")[1])

    guarded.gateway.terminate()
    assert guarded.gateway.exit_code() == 0
    assert guarded.refusals() == []


async def test_the_admin_may_do_everything_that_waybill_does(port: int) -> None:
    url = f"redis://admin:EXAMPLE-change-me-admin@127.0.0.1:{port}/0"

    async with running_store(url, partitions=1) as store:
        await walk(store, url)


@pytest.mark.parametrize("user", FORBIDDEN)
async def test_a_user_may_do_nothing_but_its_work(port: int, user: str) -> None:
    async with asking(port, user) as tell:
        assert await tell("PING")
        assert await tell("XLEN", COMMANDS) == 0

        for words in (*FORBIDDEN[user], *FORBIDDEN_TO_ALL):
            with pytest.raises(Exception, match=r"(?i)no permissions"):
                await tell(*words)


async def test_nobody_comes_without_a_name(port: int) -> None:
    async with asking(port, "keda") as tell:
        with pytest.raises(Exception, match=r"(?i)invalid username-password"):
            await tell("AUTH", "default", "x")
        with pytest.raises(Exception, match=r"(?i)no permissions"):
            await tell("GET", "x")
