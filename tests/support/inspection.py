"""Looks at Redis as it is, past the store's operations: every key, every entry, every dead letter."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from shared.event_id import START, EventId
from shared.jobstore import keys
from shared.jobstore.access import Commands
from shared.jobstore.cluster import ClusterCommands
from shared.jobstore.connection import CommandConnection
from shared.jobstore.store import JobStore
from tests.support.jobs import partition_number

NO_EXPIRY = -1


class LogEntry(NamedTuple):
    """One event as it lies in the log."""

    event_id: EventId
    type: str
    message: bytes


class DeadLetter(NamedTuple):
    """One dead letter as it lies in the stream."""

    entry_id: str
    fields: dict[str, str]

    @property
    def events(self) -> list[dict[str, Any]]:
        """Give the last events of its job."""
        return cast("list[dict[str, Any]]", json.loads(self.fields["events"]))


async def read_log(store: JobStore, job_id: str) -> list[LogEntry]:
    """Read the whole log of a job."""
    found = await store.read_events(job_id, after=START, count=100_000)
    return [LogEntry(event_id, json.loads(message)["type"], message) for event_id, message in found]


async def event_types(store: JobStore, job_id: str) -> list[str]:
    """Read which events a job's log has, oldest first."""
    return [entry.type for entry in await read_log(store, job_id)]


def _nodes(commands: Commands) -> Sequence[CommandConnection]:
    return commands.nodes() if isinstance(commands, ClusterCommands) else [commands]


async def expiries(commands: Commands) -> dict[str, int]:
    """Give the time to live of every key, of all servers, in milliseconds; NO_EXPIRY for those that stay."""
    found: list[str] = []
    for node in _nodes(commands):
        cursor = b"0"
        while True:
            cursor, page = cast("tuple[bytes, list[bytes]]", await node.execute("SCAN", cursor, "COUNT", 1000))
            found += [key.decode() for key in page]
            if cursor == b"0":
                break
    lifetimes = await asyncio.gather(*(commands.execute("PTTL", key) for key in found))
    return dict(zip(found, cast("list[int]", lifetimes), strict=True))


async def everything(commands: Commands) -> dict[str, object]:
    """Read every key, with who holds the entries of streams and whether the key expires."""
    return {key: [await _content(commands, key), ttl != NO_EXPIRY] for key, ttl in (await expiries(commands)).items()}


async def _content(commands: Commands, key: str) -> object:
    match await commands.execute("TYPE", key):
        case b"hash":
            flat = cast("list[bytes]", await commands.execute("HGETALL", key))
            return sorted(zip(flat[::2], flat[1::2], strict=True))
        case b"stream":
            entries = await commands.execute("XRANGE", key, "-", "+")
            groups = cast("list[Any]", await commands.execute("XINFO", "GROUPS", key))
            # An entry's consumer, not its idle time, nor how often it was handed out.
            pending = [await commands.execute("XPENDING", key, group[1], "-", "+", 100_000) for group in groups]
            return [entries, [entry[:2] for found in pending for entry in cast("list[Any]", found)]]
        case b"zset":
            flat = cast("list[bytes]", await commands.execute("ZRANGE", key, 0, -1, "WITHSCORES"))
            return sorted(zip(flat[::2], flat[1::2], strict=True))
    return await commands.execute("GET", key)


async def expiries_of(store: JobStore, job_id: str) -> dict[str, int]:
    """Give the time to live of every key whose name has the job's id in it."""
    return {key: ttl for key, ttl in (await expiries(store.connection)).items() if job_id in key}


async def visits(store: JobStore, partition: int) -> dict[str, int]:
    """Read when the janitor will look at a partition's jobs (milliseconds since 1970), by job id."""
    flat = await store.connection.execute("ZRANGE", keys.expiry(partition), 0, -1, "WITHSCORES")
    found = cast("list[bytes]", flat)
    return {job_id.decode(): int(score) for job_id, score in zip(found[::2], found[1::2], strict=True)}


async def commands(store: JobStore, partition: int) -> dict[str, str]:
    """Read a partition's command stream: job ids by entry id."""
    reply = await store.connection.execute("XRANGE", keys.commands(partition), "-", "+")
    return {entry_id.decode(): fields[1].decode() for entry_id, fields in cast(list[Any], reply)}


async def pending(store: JobStore, partition: int) -> dict[str, str]:
    """Read who holds a partition's pending entries: consumers by entry id."""
    reply = await store.connection.execute("XPENDING", keys.commands(partition), keys.GROUP, "-", "+", 100_000)
    return {entry_id.decode(): consumer.decode() for entry_id, consumer, *_ in cast(list[Any], reply)}


async def dead_letters(store: JobStore, partition: int) -> list[DeadLetter]:
    """Read a partition's dead letters."""
    reply = await store.connection.execute("XRANGE", keys.dead(partition), "-", "+")
    return [
        DeadLetter(
            entry_id.decode(), {flat[i].decode(): flat[i + 1].decode(errors="replace") for i in range(0, len(flat), 2)}
        )
        for entry_id, flat in cast(list[Any], reply)
    ]


async def everything_about(store: JobStore, job_id: str) -> dict[str, object]:
    """Read all that Redis knows of a job, to see whether an operation touched anything (due_at included)."""
    job_keys = keys.of_job(partition_number(job_id), job_id)
    return {
        "record": await store.connection.execute("HGETALL", job_keys.record),
        "log": await store.connection.execute("XRANGE", job_keys.events, "-", "+"),
        "commands": await store.connection.execute("XRANGE", job_keys.commands, "-", "+"),
        "pending": await pending(store, partition_number(job_id)),
        "dead": await store.connection.execute("XRANGE", job_keys.dead, "-", "+"),
        "stats": await store.connection.execute("HGETALL", job_keys.stats),
    }
