"""The one command connection of a process, owned by a task that nobody cancels in the middle of an exchange.

    callers ──execute()──▶ waiting ──one write per loop turn──▶ Redis
       ▲                                                          │
       └───────────── futures ◀──────────── replies in order ◀────┘

No request and no viewer ever holds a connection: they hold a future, and giving up on it disturbs nobody. What several
tasks ask for in one turn of the loop travels as one pipeline. Every operation may be repeated safely (rule 9), so what
was in flight when the connection broke is sent again on the next one, until its caller's deadline.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Sequence

import structlog
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AskError,
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError

from shared import limits
from shared.errors import RedisFull, RedisRefused, RedisUnavailable
from shared.jobstore.script import ALL, Script
from shared.retry import reconnect_pause_seconds

Argument = str | bytes | int | float
Reply = object
"""What redis-py's RESP2 parser gives: bytes, int, None, or lists of these. Only store.py looks inside."""

OUTAGES = (AskError, BusyLoadingError, ClusterDownError, ReadOnlyError, TryAgainError)
"""Answers that mean: not now, and not because of the request. (MOVED and MASTERDOWN are subclasses.)"""
MISPLACED = (AskError, MasterDownError, ReadOnlyError)
"""Those of them that this server will go on giving: its name must be looked up again, by a new connection."""
OUTAGE_WORDS = ("BUSY ", "MISCONF ", "NOREPLICAS ")
"""Outages that redis-py has no class for."""

log = structlog.get_logger(__name__)


def open_connection(url: str, *, name: str) -> AbstractConnection:
    """Make (not connect) one connection for `url` (redis://, rediss://, unix://); `name` shows in CLIENT LIST.

    Protocol 2 is pinned: redis-py's replies differ in shape from 3. No socket timeout: the owner has deadlines.
    """
    pool = ConnectionPool.from_url(
        url,
        protocol=2,
        client_name=name,
        socket_timeout=None,
        socket_connect_timeout=limits.REDIS_CONNECT_WITHIN_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
    connection: AbstractConnection = pool.make_connection()  # type: ignore[no-untyped-call]  # redis-py's own gap
    return connection


class _Request:
    __slots__ = ("command", "reply")

    def __init__(self, command: bytes) -> None:
        self.command = command
        self.reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

    def fail(self, error: Exception) -> None:
        if not self.reply.done():
            self.reply.set_exception(error)

    def succeed(self, reply: Reply) -> None:
        if not self.reply.done():
            self.reply.set_result(reply)


class CommandConnection:
    """Sends commands in batches over one connection and reconnects by itself.

    `healthy_since` is the monotonic time of the first success after the last trouble, None while there is trouble:
    whoever takes over other processes' work must look at it first.
    """

    def __init__(self, url: str, *, name: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._connection = open_connection(url, name=name)
        self._monotonic = monotonic
        self._waiting: deque[_Request] = deque()
        self._wanted = asyncio.Event()
        self._is_misplaced = False
        self.healthy_since: float | None = None
        self.last_trouble = "not connected yet"

    async def execute(self, *arguments: Argument, within_seconds: float = limits.REDIS_REQUEST_WITHIN_SECONDS) -> Reply:
        """Send one command and give its reply.

        Raises RedisUnavailable when there is no answer in time, RedisFull when maxmemory is reached, RedisRefused for
        what Redis refuses otherwise.
        """
        if len(self._waiting) >= limits.MAX_REDIS_REQUESTS_WAITING:
            raise RedisUnavailable("Too many requests wait for Redis already. Try again in a few seconds.")
        # Encoded here, so that an argument that cannot be sent is its caller's error and nobody else's.
        request = _Request(b"".join(self._connection.pack_command(*arguments)))
        self._waiting.append(request)
        self._wanted.set()
        try:
            async with asyncio.timeout(within_seconds):
                return await request.reply
        except TimeoutError:
            trouble = self.last_trouble or "no reply"
            raise RedisUnavailable(f"Redis did not answer in time ({trouble}). Try again soon.") from None

    async def run_script(
        self,
        script: Script,
        keys: Sequence[str],
        *arguments: Argument,
        within_seconds: float = limits.REDIS_REQUEST_WITHIN_SECONDS,
    ) -> Reply:
        """Run one operation; raises as execute()."""
        return await self.execute("EVALSHA", script.sha, len(keys), *keys, *arguments, within_seconds=within_seconds)

    async def run(self) -> None:
        """Own the connection until cancelled: connect, send, receive, and begin again after every loss."""
        failures = 0
        try:
            while True:
                try:
                    await self._connect()
                    failures = 0
                    await self._serve()
                except (RedisError, OSError, TimeoutError) as error:
                    self._note_trouble(str(error) or type(error).__name__)
                    await self._connection.disconnect(nowait=True)
                    failures += 1
                    await asyncio.sleep(reconnect_pause_seconds(failures, random.random()))
        finally:
            await self._connection.disconnect(nowait=True)
            for request in self._waiting:
                request.fail(RedisUnavailable("This process is stopping. Try again soon."))
            self._waiting.clear()

    async def _connect(self) -> None:
        async with asyncio.timeout(limits.REDIS_BATCH_WITHIN_SECONDS):
            await self._connection.connect()  # type: ignore[no-untyped-call]  # redis-py's own gap
            await self._load_scripts()
        self._is_misplaced = False
        self._note_success()

    async def _load_scripts(self) -> None:
        # The handshake of every connection: NOSCRIPT would not stop what stands behind it in a pipeline.
        for script in ALL:
            await self._connection.send_command("SCRIPT", "LOAD", script.text)
            await self._connection.read_response()

    async def _serve(self) -> None:
        while True:
            await self._wanted.wait()
            batch = self._take_batch()
            if not batch:
                self._wanted.clear()
                continue
            try:
                async with asyncio.timeout(limits.REDIS_BATCH_WITHIN_SECONDS):
                    again = await self._exchange(batch)
            except BaseException:
                self._waiting.extendleft(request for request in reversed(batch) if not request.reply.done())
                raise
            if again:
                self._waiting.extendleft(reversed(again))
                if self._is_misplaced:
                    raise RedisConnectionError(self.last_trouble)
                await asyncio.sleep(random.uniform(0.5, 1.0) * limits.RECONNECT_MIN_SECONDS)

    def _take_batch(self) -> list[_Request]:
        """Take what is still wanted: not answered, not given up."""
        batch: list[_Request] = []
        while self._waiting and len(batch) < limits.MAX_REDIS_BATCH:
            request = self._waiting.popleft()
            if not request.reply.done():
                batch.append(request)
        return batch

    async def _exchange(self, batch: list[_Request]) -> list[_Request]:
        """Write a batch, read all of its replies; give back what must be sent again."""
        connection = self._connection
        await connection.send_packed_command(b"".join(request.command for request in batch))
        again: list[_Request] = []
        is_script_missing = False
        for request in batch:
            try:
                request.succeed(await connection.read_response(disable_decoding=True, disconnect_on_error=False))
            except NoScriptError:
                is_script_missing = True
                again.append(request)
            except OUTAGES as error:
                self._note_trouble(str(error))
                self._is_misplaced |= isinstance(error, MISPLACED)
                again.append(request)
            except OutOfMemoryError:
                request.fail(RedisFull("Redis is full and takes no new work (maxmemory reached). Try again later."))
            except ResponseError as error:
                if str(error).startswith(OUTAGE_WORDS):
                    self._note_trouble(str(error))
                    again.append(request)
                else:
                    if not str(error).startswith("NOGROUP"):  # the store heals that one
                        log.error("redis refuses an operation", trouble=str(error))
                    request.fail(RedisRefused(f"Redis refuses the operation: {error}. An operator must look at it."))
        if is_script_missing:
            await self._load_scripts()
        elif not again:
            self._note_success()
        return again

    def _note_success(self) -> None:
        if self.healthy_since is None:
            self.healthy_since = self._monotonic()
            self.last_trouble = ""
            log.info("redis reachable")

    def _note_trouble(self, trouble: str) -> None:
        if self.healthy_since is not None or trouble != self.last_trouble:
            log.warning("redis unreachable", trouble=trouble)
        self.healthy_since = None
        self.last_trouble = trouble
