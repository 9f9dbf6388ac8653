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

import hiredis
import structlog
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import (
    AskError,
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)

from shared import limits
from shared.errors import RedisFull, RedisRefused, RedisUnavailable, SettingsError
from shared.jobstore.location import Address, Mode, RedisLocation
from shared.jobstore.script import ALL, Script
from shared.jobstore.server_check import judge, wrong_database
from shared.jobstore.wire import ask, connect, describe, open_connection
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


class _Request:
    __slots__ = ("command", "is_asking", "is_patient", "reply")

    def __init__(self, command: bytes, *, is_asking: bool, is_patient: bool) -> None:
        self.command = b"*1\r\n$6\r\nASKING\r\n" + command if is_asking else command
        self.is_asking = is_asking
        self.is_patient = is_patient
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
    whoever takes over other processes' work must look at it first. `address`: the node of a cluster.
    """

    def __init__(
        self,
        location: RedisLocation,
        *,
        name: str,
        address: Address | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.location = location
        self.address = address
        self._connection = open_connection(location, name=name, address=address)
        self._monotonic = monotonic
        self._waiting: deque[_Request] = deque()
        self._wanted = asyncio.Event()
        self._is_judged = False
        self.healthy_since: float | None = None
        self.last_trouble = "not connected yet"

    async def execute(
        self,
        *arguments: Argument,
        within_seconds: float = limits.REDIS_REQUEST_WITHIN_SECONDS,
        is_patient: bool = True,
        is_asking: bool = False,
    ) -> Reply:
        """Send one command and give its reply.

        `is_patient` False: an outage is not waited for, and the command not sent again after one. `is_asking`: behind
        ASKING, for a node that is just importing the slot (Redis Cluster specification, "ASK redirection").
        Raises RedisUnavailable when there is no answer in time, RedisFull when maxmemory is reached, RedisRefused for
        what Redis refuses otherwise; on a cluster redis-py's AskError and MovedError, for whoever routes.
        """
        if len(self._waiting) >= limits.MAX_REDIS_REQUESTS_WAITING:
            raise RedisUnavailable("Too many requests wait for Redis already. Try again in a few seconds.")
        if not is_patient and self.healthy_since is None:
            raise RedisUnavailable(f"Redis is not there ({self.last_trouble}). Try again soon.")
        # Encoded here, so that an argument that cannot be sent is its caller's error and nobody else's.
        # By hiredis: redis-py's own packing took a tenth of a busy processor's time.
        packed = hiredis.pack_command(arguments)  # type: ignore[arg-type]  # it takes a tuple of any length
        request = _Request(packed, is_asking=is_asking, is_patient=is_patient)
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
        is_patient: bool = True,
    ) -> Reply:
        """Run one operation; raises as execute()."""
        return await self.execute(
            "EVALSHA", script.sha, len(keys), *keys, *arguments, within_seconds=within_seconds, is_patient=is_patient
        )

    def node_of(self, _key: str) -> "CommandConnection":
        """Give the connection to the server that holds a key."""
        return self

    async def open_another(self, _key: str, *, name: str) -> AbstractConnection:
        """Connect once more to the server that holds a key, for somebody who needs a connection of his own."""
        connection = open_connection(self.location, name=name)
        try:
            await connect(connection, self.location)
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return connection

    def healthy_since_at(self, _key: str) -> float | None:
        """Give `healthy_since` of the server that holds a key."""
        return self.healthy_since

    async def run(self) -> None:
        """Own the connection until cancelled: connect, send, receive, and begin again after every loss.

        Raises SettingsError when the first server that it meets cannot be used (version, mode, database).
        """
        failures = 0
        try:
            while True:
                try:
                    await self._connect()
                    failures = 0
                    await self._serve()
                except (RedisError, OSError, TimeoutError) as error:
                    is_connected = self._connection.is_connected
                    self._note_trouble(describe(error, has_tls=self.location.tls is not None and not is_connected))
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
            await self._reach_server()
            await self._judge_server()
            await self._load_scripts()
        self._note_success()

    async def _reach_server(self) -> None:
        try:
            await connect(self._connection, self.location)
        except ResponseError as error:
            # As with all that is judged: of the first server alone. A later one may be another by the next try.
            problem = None if self._is_judged else wrong_database(str(error), self.location)
            if problem is None:
                raise
            raise SettingsError([problem]) from None

    async def _judge_server(self) -> None:
        """Look at the first server once: a wrong one is a mistake in the settings, and is told before any script is."""
        if self._is_judged:
            return
        try:
            info = await ask(self._connection, "INFO")
        except NoPermissionError:
            self._is_judged = True
            log.warning("redis settings unknown", variable="REDIS_URL", reason="the user may not ask for INFO")
            return
        assert isinstance(info, bytes)
        judgement = judge(info.decode(errors="replace"), self.location)
        if judgement.problems:
            raise SettingsError(judgement.problems)
        self._is_judged = True
        for warning in judgement.warnings:
            log.warning("redis may lose jobs", variable="REDIS_URL", reason=warning)

    async def _load_scripts(self) -> None:
        # The handshake of every connection: NOSCRIPT would not stop what stands behind it in a pipeline.
        for script in ALL:
            await self._connection.send_command("SCRIPT", "LOAD", script.text)
            await self._connection.read_response()

    async def _serve(self) -> None:
        while True:
            await self._wait_until_wanted()
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
                await asyncio.sleep(random.uniform(0.5, 1.0) * limits.RECONNECT_MIN_SECONDS)

    async def _wait_until_wanted(self) -> None:
        """Return when there is something to send; in trouble that is a PING, so that its end does not go unseen."""
        if self.healthy_since is not None:
            await self._wanted.wait()
            return
        try:
            async with asyncio.timeout(random.uniform(0.5, 1.0) * limits.RECONNECT_MAX_SECONDS):
                await self._wanted.wait()
        except TimeoutError:
            probe = _Request(hiredis.pack_command(("PING",)), is_asking=False, is_patient=False)
            probe.reply.add_done_callback(asyncio.Future.exception)  # nobody else will look at it
            self._waiting.append(probe)

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
        await self._connection.send_packed_command(b"".join(request.command for request in batch))
        again: list[_Request] = []
        is_script_missing, is_outage, misplaced = False, False, None
        for request in batch:
            try:
                request.succeed(await self._read_reply(request))
            except NoScriptError:
                is_script_missing = True
                again.append(request)
            except OutOfMemoryError:
                request.fail(RedisFull("Redis is full and takes no new work (maxmemory reached). Try again later."))
            except (BusyLoadingError, ResponseError) as error:
                if isinstance(error, AskError) and self.location.mode is Mode.CLUSTER:
                    request.fail(error)
                    continue
                if not _is_outage(error):
                    request.fail(_refusal(error))
                    continue
                is_outage = True
                self._note_trouble(describe(error))
                misplaced = error if isinstance(error, MISPLACED) else misplaced
                if request.is_patient:
                    again.append(request)
                else:
                    request.fail(RedisUnavailable(f"Redis cannot do this now ({error}). Try again soon."))
        if misplaced is not None:
            raise misplaced
        if is_script_missing:
            await self._load_scripts()
        elif not is_outage:
            self._note_success()
        return again

    async def _read_reply(self, request: _Request) -> Reply:
        if request.is_asking:
            await self._connection.read_response(disable_decoding=True, disconnect_on_error=False)
        reply: Reply = await self._connection.read_response(disable_decoding=True, disconnect_on_error=False)
        return reply

    def _note_success(self) -> None:
        if self.healthy_since is None:
            self.healthy_since = self._monotonic()
            self.last_trouble = ""
            log.info("redis reachable")

    def _note_trouble(self, trouble: str) -> None:
        if self.healthy_since is not None or trouble != self.last_trouble:
            log.warning("redis unreachable", variable="REDIS_URL", redis=self.location.shown, trouble=trouble)
        self.healthy_since = None
        self.last_trouble = trouble
        for request in self._waiting:
            if not request.is_patient:
                request.fail(RedisUnavailable(f"Redis went away ({trouble}). Try again soon."))


def _is_outage(error: Exception) -> bool:
    return isinstance(error, OUTAGES) or str(error).startswith(OUTAGE_WORDS)


def _refusal(error: Exception) -> RedisRefused:
    if not str(error).startswith("NOGROUP"):  # the store heals that one
        log.error("redis refuses an operation", trouble=describe(error))
    return RedisRefused(f"Redis refuses the operation: {error}. An operator must look at it.")
