"""Operators, and the store that they look at."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from shared.jobstore.store import JobStore
from tests.support.cluster import Server
from tests.support.operator import Operator
from tests.support.stores import running_store


@pytest.fixture
def operator(server: Server) -> Operator:
    """An operator of each set-up."""
    return Operator(server.url)


@pytest_asyncio.fixture
async def single(redis_url: str) -> AsyncIterator[JobStore]:
    """A store on one server: for what does not depend on the set-up."""
    async with running_store(redis_url, partitions=1) as running:
        yield running


@pytest.fixture
def somebody(redis_url: str) -> Operator:
    """An operator of that one server."""
    return Operator(redis_url)
