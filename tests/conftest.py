"""Servers and stores for all tests. A server starts when the first test asks for it, and serves the whole session."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from deploy.local.valkey import EmbeddedValkey
from shared.jobstore.store import JobStore
from tests.support.cluster import EmbeddedCluster, Server
from tests.support.servers import empty
from tests.support.stores import SETUPS, Setup, running_store

ALL_SLOTS = range(16_384)


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
    return chosen


@pytest_asyncio.fixture
async def store(server: Server, store_setup: Setup) -> AsyncIterator[JobStore]:
    """A job store of each set-up, on a connection of its own."""
    async with running_store(server.url, partitions=store_setup.partitions) as running:
        yield running
