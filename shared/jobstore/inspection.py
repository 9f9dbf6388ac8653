"""What operators look at, as it lies in Redis. It is read and never changed, and parts of it may be missing or foreign.

A replica can be asked as well: nothing here is refused by one.
"""

from collections.abc import Sequence
from typing import Any, cast

from shared import limits
from shared.clock import now_ms
from shared.errors import KeyForeign, RedisRefused, RedisUnavailable
from shared.event_id import EventId
from shared.jobs import partition_of
from shared.jobstore import keys, script
from shared.jobstore.access import Commands
from shared.jobstore.cluster import ClusterCommands
from shared.jobstore.connection import CommandConnection
from shared.jobstore.queue import Hold, Holder, Queue, Waiting
from shared.jobstore.record import as_words
from shared.jobstore.server_check import ServerFacts, facts_of

SETTINGS_ASKED = (
    "appendfsync", "stream-node-max-bytes", "hash-max-listpack-value", "timeout", "tcp-keepalive",
    "cluster-require-full-coverage",
)  # fmt: skip


class Inspection:
    """Looks at jobs, at command streams, and at the servers that have them.

    Raises RedisUnavailable as the job store does, RedisRefused for what the user may not ask, and KeyForeign where a
    key of ours holds what we have not written.
    """

    def __init__(self, connection: Commands) -> None:
        self._connection = connection

    async def queue(self, partition: int) -> Queue:
        """Look at a partition's command stream."""
        word, rest = as_words(
            await self._connection.run_script(
                script.LOOK,
                [keys.commands(partition), keys.dead(partition)],
                limits.MAX_PROCESSORS_LISTED,
                limits.WAITING_JOBS_LISTED,
                limits.PROCESSOR_SILENT_MS,
            )
        )
        if word == "FOREIGN":
            raise KeyForeign(rest[0].decode())
        at_ms, unfinished, dead_letters, has_group, pending, parked, ready, others, holders, unread, to_take_up = rest
        return Queue(
            partition=partition,
            at_ms=at_ms,
            unfinished=unfinished,
            dead_letters=dead_letters,
            has_group=bool(has_group),
            pending=pending,
            parked=parked,
            ready=ready,
            others=others,
            holders=tuple(Holder(_text(name), entries, idle_ms) for name, entries, idle_ms in holders),
            unread=tuple(map(_waiting, unread)),
            to_take_up=tuple(map(_waiting, to_take_up)),
        )

    # ── one job ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def record(self, job_id: str) -> Sequence[bytes]:
        """Read the fields of a record, flat, as they lie there; none when there is no record."""
        return cast("Sequence[bytes]", await self._read(_keys_of(job_id).record, "HGETALL"))

    async def log(self, job_id: str) -> tuple[list[tuple[EventId, bytes]], bool]:
        """Read a job's log from its beginning, at most MAX_HISTORY_EVENTS, and tell whether that is all of it."""
        found: list[tuple[EventId, bytes]] = []
        first = "-"
        while len(found) < limits.MAX_HISTORY_EVENTS:
            reply = await self._read(_keys_of(job_id).events, "XRANGE", first, "+", "COUNT", limits.MAX_EVENTS_PER_PAGE)
            page = [_logged(entry) for entry in cast("list[Any]", reply)]
            found += page
            if len(page) < limits.MAX_EVENTS_PER_PAGE:
                return found, True
            first = f"({found[-1][0]}"
        return found, False

    async def hold(self, job_id: str, entry_id: str) -> Hold | None:
        """Tell where the entry of a job stands; None when it is not in the command stream."""
        stream = _keys_of(job_id).commands
        try:
            if not await self._read(stream, "XRANGE", entry_id, entry_id):
                return None
            reply = await self._read(stream, "XPENDING", keys.GROUP, entry_id, entry_id, 1)
        except RedisRefused as error:
            if "NOGROUP" in error.message:
                return Hold(entry_id)
            if "Invalid stream ID" in error.message:
                return None
            raise
        pending = cast("list[Any]", reply)
        return Hold(entry_id, _text(pending[0][1]), pending[0][2]) if pending else Hold(entry_id)

    async def _read(self, key: str, command: str, *arguments: str | int) -> object:
        try:
            return await self._connection.execute(command, key, *arguments)
        except RedisRefused as error:
            if "WRONGTYPE" in error.message:
                raise KeyForeign(key) from None
            raise

    # ── the servers ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def servers(self) -> list[ServerFacts | RedisUnavailable]:
        """Ask each server (each master of a cluster) about itself, or say why it does not answer.

        Raises RedisUnavailable when none does, and RedisRefused when the user may not ask.
        """
        found = [await _examine(node) for node in await self._nodes()]
        if not any(isinstance(server, ServerFacts) for server in found):
            assert isinstance(found[0], RedisUnavailable)
            raise found[0]
        return found

    async def _nodes(self) -> Sequence[CommandConnection]:
        if not isinstance(self._connection, ClusterCommands):
            return [self._connection]
        try:
            # Whoever answers: it is the map of the cluster that must be there.
            await self._connection.execute("PING")
        except RedisUnavailable:
            if not self._connection.nodes():
                raise
        return self._connection.nodes()


async def agreed_partitions(connection: Commands) -> int | None:
    """Read how many partitions the processes have agreed on; None where none has ever started.

    Raises RedisUnavailable, and KeyForeign when it is no number.
    """
    try:
        reply = cast("bytes | None", await connection.execute("GET", keys.PARTITIONS))
        return None if reply is None else max(1, min(int(reply), limits.MAX_PARTITIONS))
    except ValueError:
        raise KeyForeign(keys.PARTITIONS) from None
    except RedisRefused as error:
        raise KeyForeign(keys.PARTITIONS) if "WRONGTYPE" in error.message else error from None


async def _examine(node: CommandConnection) -> ServerFacts | RedisUnavailable:
    asked_at_ms = now_ms()
    try:
        seconds, microseconds = cast("list[bytes]", await node.execute("TIME"))
        answered_at_ms = now_ms()
        info = cast("bytes", await node.execute("INFO"))
        settings = await _settings_of(node)
    except RedisUnavailable as error:
        return RedisUnavailable(f"{node.address}: {error.message}" if node.address else error.message)
    return ServerFacts(
        address=str(node.address or ""),
        info=facts_of(info.decode(errors="replace")),
        settings=settings,
        answered_in_ms=answered_at_ms - asked_at_ms,
        clock_ahead_ms=int(seconds) * 1000 + int(microseconds) // 1000 - answered_at_ms,
    )


async def _settings_of(node: CommandConnection) -> dict[str, str] | None:
    try:
        reply = cast("list[bytes]", await node.execute("CONFIG", "GET", *SETTINGS_ASKED))
    except RedisRefused:  # our own user may not ask, and those of most hosted servers neither
        return None
    return {reply[i].decode(): reply[i + 1].decode() for i in range(0, len(reply), 2)}


def _keys_of(job_id: str) -> keys.JobKeys:
    partition = partition_of(job_id)
    assert partition is not None, job_id
    return keys.of_job(partition, job_id)


def _waiting(entry: Any) -> Waiting:
    entry_id, job_id = entry
    return Waiting(_text(job_id), int(entry_id.partition(b"-")[0]))


def _logged(entry: Any) -> tuple[EventId, bytes]:
    identifier, fields = entry
    epoch, seq = identifier.split(b"-")
    return EventId(int(epoch), int(seq)), fields[1]


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")
