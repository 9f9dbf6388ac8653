"""Servers and stores for all tests. Each process of a run starts a server when its first test asks for it."""

import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import hypothesis
import pytest
import pytest_asyncio

from deploy.local.valkey import SHIPPED_SETTINGS, EmbeddedValkey
from shared.jobstore.store import JobStore
from tests.browser.chromium import Browser
from tests.support.cluster import EmbeddedCluster, Server
from tests.support.debian_redis import DebianRedis
from tests.support.s3_server import S3Server, describe, require_s3_server, running_server
from tests.support.servers import describe_server, empty
from tests.support.stores import SETUPS, Setup, running_store

ALL_SLOTS = range(16_384)
# A property of a test's report, because reports come back from the processes that run the tests.
STORE_TESTS = "server of the store"

# Speed is measured in benchmarks; Hypothesis' own deadline of 200 ms for an example fails on a busy machine.
hypothesis.settings.register_profile("waybill", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("waybill")


@pytest.fixture(scope="session")
def standalone_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    """One embedded server for the session."""
    with EmbeddedValkey(tmp_path_factory.mktemp("standalone")) as server:
        yield server


@pytest.fixture(scope="session")
def cluster_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    """One embedded server in cluster mode, which serves all slots."""
    with EmbeddedValkey(tmp_path_factory.mktemp("cluster"), cluster=ALL_SLOTS) as server:
        yield server


@pytest.fixture(scope="session")
def cluster_3_nodes_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedCluster]:
    """Three embedded servers that share the slots."""
    with EmbeddedCluster(tmp_path_factory.mktemp("cluster-3-nodes")) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def debian_redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DebianRedis]:
    """Redis 7 of the distribution, with the settings that Waybill ships."""
    settings = [f"{name} {value}" for name, value in SHIPPED_SETTINGS.items()]
    with DebianRedis(tmp_path_factory.mktemp("debian-redis"), 'save ""', "appendonly no", *settings) as server:
        yield server


@pytest.fixture
def redis_url(standalone_server: EmbeddedValkey) -> str:
    """The URL of the standalone server, which is empty."""
    empty(standalone_server)
    return standalone_server.url


@pytest.fixture(params=SETUPS, ids=str)
def store_setup(request: pytest.FixtureRequest) -> Setup:
    """Each way to run the job store."""
    chosen: Setup = request.param
    return chosen


@pytest.fixture
def server(request: pytest.FixtureRequest, store_setup: Setup) -> Server:
    """The set-up's server, which is empty."""
    chosen: Server = request.getfixturevalue(store_setup.server.value)
    empty(chosen)
    request.node.user_properties.append((STORE_TESTS, describe_server(chosen)))
    return chosen


@pytest_asyncio.fixture
async def store(server: Server, store_setup: Setup) -> AsyncIterator[JobStore]:
    """A job store of each set-up, on a connection of its own."""
    async with running_store(server.url, partitions=store_setup.partitions) as running:
        yield running


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests of the store ran on each server: a server that was not there must not go unseen."""
    properties = [report.user_properties for report in terminalreporter.getreports("passed")]
    if counts := Counter(value for found in properties for name, value in found if name == STORE_TESTS):
        told = ", ".join(f"{server} {count}" for server, count in sorted(counts.items()))
        terminalreporter.write_line(f"store tests: {told}")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Say which S3 server is used; pytest's own header is not printed with -q."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.write_line(describe())


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """The real S3 server, for the session."""
    with running_server(require_s3_server()) as server:
        yield server


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser for the session."""
    with Browser(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """Moto's server, in a thread of this process."""
    from moto.server import ThreadedMotoServer  # a fifth of a second, which most runs need not spend

    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()
