"""A job store on running connections, and the set-ups that its suite runs in."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from enum import StrEnum
from typing import NamedTuple

from shared.jobstore.access import Commands, Live, open_commands, open_live
from shared.jobstore.connection import CommandConnection
from shared.jobstore.location import parse_location
from shared.jobstore.store import JobStore


class ServerKind(StrEnum):
    """The servers of a test session, named as their fixtures."""

    STANDALONE = "standalone_server"
    CLUSTER = "cluster_server"
    CLUSTER_3_NODES = "cluster_3_nodes_server"
    DEBIAN_REDIS = "debian_redis_server"


class Setup(NamedTuple):
    """One way to run Waybill's job store."""

    server: ServerKind
    partitions: int

    def __str__(self) -> str:
        return f"{self.server.value.removesuffix('_server').replace('_', '-')}-{self.partitions}"


SETUPS = (
    Setup(ServerKind.STANDALONE, 1),
    Setup(ServerKind.STANDALONE, 4),
    Setup(ServerKind.CLUSTER, 4),
    Setup(ServerKind.CLUSTER_3_NODES, 8),
    Setup(ServerKind.DEBIAN_REDIS, 1),
)


@contextlib.asynccontextmanager
async def running(part: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Let a part's run() own it in a task of its own, which is stopped and awaited at the end."""

    async def own() -> None:
        await part()

    owner = asyncio.create_task(own(), name="test-owner")
    try:
        yield
    finally:
        owner.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await owner


@contextlib.asynccontextmanager
async def running_live(
    url: str, *, on_message: Callable[[str, bytes], None], on_restored: Callable[[], None] = lambda: None
) -> AsyncIterator[Live]:
    """Give a live channel of any set-up, running, on connections of its own."""
    async with running_commands(url, name="live") as commands:
        live = open_live(commands, name="live", on_message=on_message, on_restored=on_restored)
        async with running(live.run):
            yield live


@contextlib.asynccontextmanager
async def running_connection(url: str, *, name: str = "test") -> AsyncIterator[CommandConnection]:
    """Give a command connection to one server whose owning task runs."""
    connection = open_commands(parse_location(url), name=name)
    assert isinstance(connection, CommandConnection)
    async with running(connection.run):
        yield connection


@contextlib.asynccontextmanager
async def running_commands(url: str, *, name: str = "test") -> AsyncIterator[Commands]:
    """Give the command side of any set-up, running."""
    commands = open_commands(parse_location(url), name=name)
    async with running(commands.run):
        yield commands


@contextlib.asynccontextmanager
async def running_store(url: str, *, partitions: int) -> AsyncIterator[JobStore]:
    """Give a prepared job store on connections of its own."""
    async with running_commands(url) as commands:
        store = JobStore(commands, partitions=partitions)
        await store.prepare()
        yield store


def pretend_long_health(store: JobStore) -> None:
    """Let the connection to one server have been well for a minute, so that nobody waits for the outage rule."""
    connection = store.connection
    assert isinstance(connection, CommandConnection)
    assert connection.healthy_since is not None
    connection.healthy_since -= 60
