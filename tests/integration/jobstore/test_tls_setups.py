"""TLS to Sentinels and their master, and to the nodes of a cluster: all of them, and by the CA that REDIS_URL names."""

import asyncio
import gc
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from deploy.local.valkey import free_port
from shared.jobstore.location import parse_location
from shared.jobstore.wire import ask, open_connection
from tests.support.certificates import Authority
from tests.support.debian_redis import DebianRedis, tls_settings
from tests.support.every_operation import PATIENCE_SECONDS, trouble_of, walk
from tests.support.stores import running_store

MASTER = "waybill-master"
HALVES = ("0 8191", "8192 16383")

# asyncio (3.11) closes the socket of a refused handshake only after its shutdown time-out: see test_credentials.py.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def _collect_leftovers() -> Iterator[None]:
    """Let such a socket be found within this module."""
    yield
    gc.collect()


class Setup(NamedTuple):
    """A set-up that speaks TLS only: its URL without options, and the CA behind it."""

    url: str
    ca_file: Path

    @property
    def trusting_url(self) -> str:
        """The URL that names the CA."""
        return f"{self.url}?ca_file={self.ca_file}"


@pytest.fixture(scope="module", params=["sentinel", "cluster"])
def setup(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setup]:
    """A master with its Sentinel, and a cluster of two nodes."""
    home = tmp_path_factory.mktemp("tls")
    authority = Authority(home / "ca")
    settings = (*tls_settings(authority, *authority.issue("server")), "tls-auth-clients no")
    with ExitStack() as stack:

        def start(name: str, *more: str, sentinel: bool = False) -> DebianRedis:
            server = DebianRedis(home / name, *settings, *more, port_setting="tls-port", sentinel=sentinel)
            return stack.enter_context(server)

        if request.param == "sentinel":
            watched = f"sentinel monitor {MASTER} 127.0.0.1 {start('master').port} 1"
            sentinel = start("sentinel", watched, sentinel=True)
            yield Setup(f"rediss+sentinel://127.0.0.1:{sentinel.port}/{MASTER}/0", authority.ca_file)
        else:
            buses = [free_port() for _ in HALVES]
            nodes = [start(f"node-{bus}", "cluster-enabled yes", f"cluster-port {bus}") for bus in buses]
            asyncio.run(_make_cluster(nodes, buses, authority))
            # One node is named; the other one, which has partition 0, is learned from it.
            yield Setup(f"rediss+cluster://127.0.0.1:{nodes[0].port}", authority.ca_file)


async def _make_cluster(nodes: list[DebianRedis], buses: list[int], authority: Authority) -> None:
    """Give each node a half of the slots, and let them meet."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        for node, half in zip(nodes, HALVES, strict=True):
            await _ask(node, authority, "CLUSTER", "ADDSLOTSRANGE", *half.split())
        await _ask(nodes[0], authority, "CLUSTER", "SET-CONFIG-EPOCH", "1")
        await _ask(nodes[1], authority, "CLUSTER", "SET-CONFIG-EPOCH", "2")
        await _ask(nodes[0], authority, "CLUSTER", "MEET", "127.0.0.1", str(nodes[1].port), str(buses[1]))
        for node in nodes:
            await _wait_until_ok(node, authority)


async def _wait_until_ok(node: DebianRedis, authority: Authority) -> None:
    while True:
        if b"cluster_state:ok" in await _ask(node, authority, "CLUSTER", "INFO"):
            return
        await asyncio.sleep(0.05)


async def _ask(node: DebianRedis, authority: Authority, *words: str) -> bytes:
    location = parse_location(f"rediss://127.0.0.1:{node.port}?ca_file={authority.ca_file}")
    connection = open_connection(location, name="set-up")
    await connection.connect()  # type: ignore[no-untyped-call]
    try:
        reply = await ask(connection, *words)
    finally:
        await connection.disconnect()
    assert isinstance(reply, bytes)
    return reply


async def test_every_operation_works_with_the_right_ca(setup: Setup) -> None:
    async with running_store(setup.trusting_url, partitions=1) as store:
        await walk(store, setup.trusting_url)


async def test_without_the_ca_it_is_said_who_is_not_trusted_and_what_to_name(setup: Setup) -> None:
    trouble = await trouble_of(setup.url)

    assert "certificate verify failed" in trouble
    assert "as ca_file in REDIS_URL" in trouble
    assert str(parse_location(setup.url).addresses[0]) in trouble
