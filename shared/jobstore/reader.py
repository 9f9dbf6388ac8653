"""A blocking read of new command entries: a connection of its own, because everything behind it waits.

Redis hands an entry to exactly one blocked reader. Waking all idle processors by a message and letting them race for it
costs Redis in proportion to their number (docs/decisions/0001-how-idle-processors-hear-of-work.md).
"""

import asyncio
import random
from typing import Any, cast

import structlog
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from shared import limits
from shared.errors import UnavailableError
from shared.jobstore import keys
from shared.jobstore.access import Commands
from shared.jobstore.operations import Entry
from shared.jobstore.wire import ask

log = structlog.get_logger(__name__)


class BlockingReader:
    """Waits for new entries of one partition; read() is called by one task, which is never cancelled."""

    def __init__(self, commands: Commands, *, partition: int, processor: str) -> None:
        self._connection: AbstractConnection | None = None
        self._commands = commands
        self._partition = partition
        self._stream = keys.commands(partition)
        self._processor = processor
        self._client_id: int | None = None
        self._is_blocked = False

    async def read(self, *, most: int) -> list[Entry]:
        """Wait for entries: at most `most`, none after about four seconds, an interruption, or trouble with Redis."""
        try:
            async with asyncio.timeout(limits.BLOCK_MS / 1000 + limits.REDIS_BATCH_WITHIN_SECONDS):
                connection = self._connection or await self._connect()
                self._is_blocked = True
                reply = await ask(
                    connection, "XREADGROUP", "GROUP", keys.GROUP, self._processor, "COUNT", str(most),
                    "BLOCK", str(limits.BLOCK_MS), "STREAMS", self._stream, ">",
                )  # fmt: skip
        except (RedisError, OSError, TimeoutError, UnavailableError) as error:
            log.debug("cannot wait for work", trouble=str(error))
            await self.close()
            await asyncio.sleep(random.uniform(0.5, 1.0) * limits.RECONNECT_MAX_SECONDS)
            return []
        finally:
            self._is_blocked = False
        return [
            Entry.read(self._partition, entry_id, fields[1])
            for _, entries in cast(list[Any], reply or ())
            for entry_id, fields in entries
        ]

    async def interrupt(self) -> None:
        """Let a read that is waiting return soon, with nothing."""
        client_id = self._client_id
        # Again and again: the first try may overtake the read on its way to the server.
        while self._is_blocked and client_id is not None and client_id == self._client_id:
            try:
                await self._commands.node_of(self._stream).execute("CLIENT", "UNBLOCK", client_id)
            except UnavailableError:
                if client_id == self._client_id:
                    await self.close()  # what waits for a Redis that does not answer is not worth waiting for
            await asyncio.sleep(random.uniform(0.02, 0.05))

    async def close(self) -> None:
        """Disconnect; the next read connects again."""
        self._client_id = None
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)

    async def _connect(self) -> AbstractConnection:
        # A new one each time: the partition may have moved to another server.
        connection = await self._commands.open_another(self._stream, name=f"{self._processor}-reader")
        self._connection = connection
        self._client_id = cast(int, await ask(connection, "CLIENT", "ID"))
        return connection
