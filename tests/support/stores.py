"""A job store on a running connection, and the three set-ups that its suite runs in."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from enum import StrEnum
from typing import NamedTuple

from shared.jobstore.connection import CommandConnection
from shared.jobstore.store import JobStore


class ServerKind(StrEnum):
    """The embedded servers of a test session, named as their fixtures."""

    STANDALONE = "standalone_server"
    CLUSTER = "cluster_server"


class Setup(NamedTuple):
    """One way to run Waybill's job store."""

    server: ServerKind
    partitions: int

    def __str__(self) -> str:
        return f"{self.server.value.removesuffix('_server')}-{self.partitions}"


SETUPS = (Setup(ServerKind.STANDALONE, 1), Setup(ServerKind.STANDALONE, 4), Setup(ServerKind.CLUSTER, 4))


@contextlib.asynccontextmanager
async def running_connection(url: str, *, name: str = "test") -> AsyncIterator[CommandConnection]:
    """Give a command connection whose owning task runs; it is stopped and awaited at the end."""
    connection = CommandConnection(url, name=name)
    owner = asyncio.create_task(connection.run(), name="test-connection")
    try:
        yield connection
    finally:
        owner.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await owner


@contextlib.asynccontextmanager
async def running_store(url: str, *, partitions: int) -> AsyncIterator[JobStore]:
    """Give a prepared job store on a connection of its own."""
    async with running_connection(url) as connection:
        store = JobStore(connection, partitions=partitions)
        await store.prepare()
        yield store
