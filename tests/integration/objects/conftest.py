"""Object stores in every place where one can be kept."""

import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from shared.objects.opening import open_store
from shared.objects.store import ObjectStore
from tests.support.depots import Depot, DirectoryDepot, S3Depot
from tests.support.s3_server import S3Server, new_client, options_for

_numbers = itertools.count()


@pytest.fixture
def moto_depot(moto_url: str) -> Iterator[S3Depot]:
    """An empty bucket of moto's."""
    client = new_client(moto_url, "anybody", "anything")
    bucket = f"bucket-{next(_numbers)}"
    client.create_bucket(Bucket=bucket)
    yield S3Depot(options_for(moto_url, bucket), client)
    client.close()


@pytest.fixture
def s3_depot(s3_server: S3Server) -> S3Depot:
    """An empty bucket of the real server."""
    return S3Depot(s3_server.options(s3_server.new_bucket()), s3_server.client)


@pytest.fixture(params=["directory", "moto", "real server"])
def depot(request: pytest.FixtureRequest, tmp_path: Path) -> Depot:
    """Each place, empty."""
    if request.param == "directory":
        return DirectoryDepot(tmp_path / "store")
    chosen: S3Depot = request.getfixturevalue("moto_depot" if request.param == "moto" else "s3_depot")
    return chosen


@pytest_asyncio.fixture
async def store(depot: Depot) -> AsyncIterator[ObjectStore]:
    """The store in each place."""
    async with open_store(depot.location) as opened:
        yield opened
