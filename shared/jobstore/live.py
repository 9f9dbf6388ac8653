"""The live channel: one pub/sub connection of a process, subscribed to exactly the channels that somebody wants.

Sharded channels (SSUBSCRIBE, Redis 7): on a cluster a message costs only the node that holds the job. At most once:
whoever listens must notice a hole by the event ids and read the log, and must do so after every `on_restored`.
"""

import asyncio
import math
import random
import time
from collections import Counter
from collections.abc import Callable

import structlog
from redis.exceptions import MovedError, RedisError

from shared import limits
from shared.errors import RedisUnavailable
from shared.jobstore.location import Address, RedisLocation
from shared.jobstore.slots import slot_of
from shared.jobstore.wire import connect, describe, open_connection
from shared.retry import reconnect_pause_seconds

log = structlog.get_logger(__name__)


class LiveChannel:
    """Delivers published messages to `on_message(channel, data)`, in order, on the event loop.

    `on_restored()` follows a loss, once every wanted channel is subscribed again: messages were missed meanwhile.
    `is_reachable` tells whether others reach the server: what keeps this channel away is then its own trouble.
    With the `address` of a cluster's node, `on_displaced(channels)` tells of channels that the node does not serve any
    more; from then on they are not wanted here.
    """

    def __init__(
        self,
        location: RedisLocation,
        *,
        name: str,
        on_message: Callable[[str, bytes], None],
        on_restored: Callable[[], None],
        is_reachable: Callable[[], bool],
        address: Address | None = None,
        on_displaced: Callable[[list[str]], None] = lambda _: None,
    ) -> None:
        self._location = location
        self._connection = open_connection(location, name=name, address=address)
        self._on_message = on_message
        self._on_restored = on_restored
        self._is_reachable = is_reachable
        self._on_displaced = on_displaced
        self._acknowledged: dict[str, asyncio.Future[None]] = {}
        """The wanted channels, each with the future of its confirmation on this connection."""
        self._unanswered: Counter[str] = Counter()
        """SSUBSCRIBE commands without an answer yet: a channel wanted, unwanted and wanted again has several."""
        self._leaving: Counter[str] = Counter()
        """SUNSUBSCRIBE commands without an answer yet; one more answer than these is the server's own doing."""
        self._restoring: set[str] = set()
        self._commands: asyncio.Queue[tuple[str, ...]] = asyncio.Queue()
        self._failures = 0
        self._is_told = False
        """The log has a line about the trouble that there is now."""
        self._heard_at = 0.0
        self._is_open = False
        self.is_connected = False
        """The server answers, and accepts what it is asked for."""

    async def subscribe(self, channel: str) -> None:
        """Return when Redis has confirmed: from now on every message arrives, until the connection is lost.

        Raises RedisUnavailable when there is no confirmation in time; the channel stays wanted.
        """
        if channel not in self._acknowledged:
            self._acknowledged[channel] = asyncio.get_running_loop().create_future()
            self._send_subscribe(channel)
        try:
            async with asyncio.timeout(limits.REDIS_REQUEST_WITHIN_SECONDS):
                await asyncio.shield(self._acknowledged[channel])
        except TimeoutError:
            raise RedisUnavailable("The live channel is not connected. Try again soon.") from None

    def restore(self, channel: str) -> None:
        """Want a channel that was served elsewhere; `on_restored` follows its confirmation, as after a loss."""
        if channel not in self._acknowledged:
            self._acknowledged[channel] = asyncio.get_running_loop().create_future()
            self._restoring.add(channel)
            self._send_subscribe(channel)

    def unsubscribe(self, channel: str) -> None:
        """Stop wanting a channel; messages that are on their way may still arrive."""
        if self._acknowledged.pop(channel, None) and self._is_open:
            self._leaving[channel] += 1
            self._commands.put_nowait(("SUNSUBSCRIBE", channel))
            self._note_restored(channel)

    def _send_subscribe(self, channel: str) -> None:
        if self._is_open:
            self._unanswered[channel] += 1
            # One channel for each command: on a cluster a command must stay within one slot.
            self._commands.put_nowait(("SSUBSCRIBE", channel))

    def is_subscribed(self, channel: str) -> bool:
        """Tell whether messages of this channel arrive now."""
        acknowledged = self._acknowledged.get(channel)
        return acknowledged is not None and acknowledged.done()

    async def run(self) -> None:
        """Own the connection until cancelled."""
        try:
            while True:
                try:
                    await self._connect()
                    await self._serve()
                except (RedisError, OSError, TimeoutError) as error:
                    self._tell(describe(error))
                self._forget_connection()
                await self._connection.disconnect(nowait=True)
                self._failures += 1
                await asyncio.sleep(reconnect_pause_seconds(self._failures, random.random()))
        finally:
            await self._connection.disconnect(nowait=True)

    def _tell(self, trouble: str) -> None:
        """Log what is wrong, once for each loss and not for each try to mend it.

        A server that was never reached is nothing lost: that the command side says, and with the same trouble.
        """
        if self._is_told or not (self.is_connected or self._is_reachable()):
            return
        self._is_told = True
        event = "live channel lost" if self.is_connected else "live channel not connected"
        log.warning(event, variable="REDIS_URL", redis=self._location.shown, trouble=trouble)

    async def _connect(self) -> None:
        async with asyncio.timeout(limits.REDIS_BATCH_WITHIN_SECONDS):
            await connect(self._connection, self._location)
        self._commands = asyncio.Queue()
        self._is_open = True
        self._restoring = set(self._acknowledged)
        for channel in self._acknowledged:
            self._send_subscribe(channel)
        self._commands.put_nowait(("PING",))

    async def _serve(self) -> None:
        # Not a TaskGroup: when a part fails, Python 3.11's drops a cancellation of this task that comes with it.
        parts = {
            asyncio.create_task(self._write(), name="live-write"),
            asyncio.create_task(self._read(), name="live-read"),
            asyncio.create_task(self._insist_on_answers(), name="live-silence"),
        }
        try:
            ended, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            for part in ended:
                part.result()
        finally:
            for part in parts:
                part.cancel()
            await asyncio.wait(parts)

    def _forget_connection(self) -> None:
        self._is_open = self.is_connected = False
        self._unanswered.clear()
        self._leaving.clear()
        for channel, acknowledged in self._acknowledged.items():
            if acknowledged.done():
                self._acknowledged[channel] = asyncio.get_running_loop().create_future()

    async def _write(self) -> None:
        while True:
            try:
                async with asyncio.timeout(limits.LIVE_PING_EVERY_SECONDS):
                    command = await self._commands.get()
            except TimeoutError:
                command = ("PING",)
            await self._connection.send_command(*command)

    async def _insist_on_answers(self) -> None:
        """Raise TimeoutError when the server has been silent for too long; a timeout of each read would cost more."""
        self._heard_at = time.monotonic()
        while True:
            silent_seconds = time.monotonic() - self._heard_at
            if silent_seconds >= limits.LIVE_SILENCE_MAX_SECONDS:
                raise TimeoutError("no answer to two pings")
            await asyncio.sleep(limits.LIVE_SILENCE_MAX_SECONDS - silent_seconds)

    async def _read(self) -> None:
        while True:
            try:
                # Without a timeout: _insist_on_answers has one for all reads.
                reply = await self._connection.read_response(
                    disable_decoding=True, timeout=math.inf, disconnect_on_error=False
                )
            except MovedError as moved:
                # The answer to a SSUBSCRIBE of a slot that has gone; it names the slot, not the channel.
                self._displace([name for name in self._unconfirmed() if slot_of(name) == moved.slot_id])
                continue
            finally:
                self._heard_at = time.monotonic()
            match reply:
                case [b"smessage", bytes(channel), bytes(message)]:
                    self._deliver(channel.decode(), message)
                case [b"ssubscribe", bytes(channel), _]:
                    self._acknowledge(channel.decode())
                case [b"sunsubscribe", bytes(channel), _]:
                    self._note_unsubscribed(channel.decode())
                case _:
                    # The answer to PING comes behind those to all SSUBSCRIBE: nothing was refused.
                    self._failures, self._is_told, self.is_connected = 0, False, True

    def _deliver(self, channel: str, message: bytes) -> None:
        try:
            self._on_message(channel, message)
        except Exception:
            # One message that a reader cannot digest must not take the others' channel down.
            log.exception("live message not delivered", channel=channel)

    def _acknowledge(self, channel: str) -> None:
        self._unanswered[channel] -= 1
        if self._unanswered[channel] > 0:
            return
        del self._unanswered[channel]
        acknowledged = self._acknowledged.get(channel)
        if acknowledged and not acknowledged.done():
            acknowledged.set_result(None)
        self._note_restored(channel)

    def _unconfirmed(self) -> list[str]:
        return [channel for channel, acknowledged in self._acknowledged.items() if not acknowledged.done()]

    def _note_unsubscribed(self, channel: str) -> None:
        if self._leaving[channel] > 0:
            self._leaving[channel] -= 1
            self._leaving += Counter()  # which drops what has come to zero
        elif channel in self._acknowledged:
            # Nobody asked: a node tells its subscribers so when it has given a slot away.
            self._displace([channel])

    def _displace(self, channels: list[str]) -> None:
        for channel in channels:
            acknowledged = self._acknowledged.pop(channel)
            if not acknowledged.done():
                acknowledged.set_result(None)  # who waits for it looks again at where the channel is
            del self._unanswered[channel], self._leaving[channel]
            self._restoring.discard(channel)
        if channels:
            self._on_displaced(channels)

    def _note_restored(self, channel: str) -> None:
        if channel in self._restoring:
            self._restoring.discard(channel)
            if not self._restoring:
                self._on_restored()
