"""The gateway's fan-out: one live channel for the process, subscribed to exactly the jobs that have viewers here.

The cost grows with this gateway's own viewers, not with the fleet. A message is parsed and framed once, whatever the
number of its viewers.

The live channel is at most once. So the end of each job's log is looked at, by one small command for all of the job's
viewers, and whoever is not there reads the log after its own cursor:

    every 15 s · when a lost connection is back · twice a second while the channel is refused (the built-in polling)
"""

import asyncio
import contextlib
import contextvars
import heapq
import math
import random
import time
from collections.abc import Iterator
from datetime import datetime

import msgspec
import structlog

from gateway.streaming.audience import Audience, Follower
from gateway.streaming.places import Places
from gateway.streaming.sse import Message, event_message
from shared import limits
from shared.errors import TooManyStreams, UnavailableError
from shared.event_id import EventId
from shared.for_each import for_each
from shared.jobstore.access import Commands, open_live
from shared.jobstore.store import JobStore

log = structlog.get_logger(__name__)


class Hub:
    """Knows the followers of this process by job."""

    def __init__(self, store: JobStore, commands: Commands, *, max_streams: int, places: Places) -> None:
        self._store = store
        self._places = places
        self._audiences: dict[str, Audience] = {}
        """By the job's live channel."""
        self._max_streams = max_streams
        self._count = 0
        self.live = open_live(commands, name="gateway-live", on_message=self._deliver, on_restored=self._doubt_all)
        self.is_draining = False
        self.context = contextvars.copy_context()
        """The process' own, for what outlives a request: a timer would keep all that is bound to it."""
        self._doubt = asyncio.Event()
        self._emptied = asyncio.Event()

    # ── followers ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def insist_on_room(self, followers: int = 1) -> None:
        """Raise TooManyStreams when this process has no room for so many more; a stream of many jobs has one for each.

        An empty process takes any stream, or one with a small bound would send some away for ever.
        """
        is_empty = self._count == 0 < self._max_streams
        if self._count + followers > self._max_streams and not is_empty:
            raise TooManyStreams("This gateway has as many streams open as it may have. Try again soon.")

    async def admit(self, owner: str, *, followers: int = 1) -> None:
        """Take a place of the owner's for each follower of a stream or a long poll, to be given back when it is over.

        Raises TooManyStreams, TooManyOwnerStreams, and as the job store does.
        """
        self.insist_on_room(followers)
        await self._places.take(owner, followers)
        try:
            self.insist_on_room(followers)  # many may have come while Redis was asked
        except TooManyStreams:
            self.give_back(owner, followers=followers)
            raise

    def give_back(self, owner: str, *, followers: int = 1) -> None:
        """Give back what admit() has taken for as many followers, once; nobody else takes or gives places."""
        self._places.give_back(owner, followers)

    def register(self, follower: Follower) -> None:
        """Count a follower in: from now on it is told to end when the process drains."""
        channel = self._store.live_channel(follower.job_id)
        audience = self._audiences.get(channel)
        if audience is None:
            audience = self._audiences[channel] = Audience(follower.job_id, channel)
            audience.rest(limits.LOOK_AT_LOG_EVERY_SECONDS)
        audience.followers.add(follower)
        self._count += 1
        if self.is_draining:
            follower.dismiss("drain")

    async def subscribe(self, follower: Follower) -> None:
        """Return when live messages of the follower's job arrive; raises RedisUnavailable when they do not for now."""
        channel = self._store.live_channel(follower.job_id)
        try:
            await self.live.subscribe(channel)
        except UnavailableError:
            if audience := self._audiences.get(channel):
                audience.rest(limits.READ_LOG_EVERY_SECONDS)
            raise

    def leave(self, follower: Follower) -> None:
        """Forget a follower; the job's channel goes with its last one."""
        audience = self._audiences[self._store.live_channel(follower.job_id)]
        audience.followers.remove(follower)
        self._count -= 1
        if not audience.followers:
            del self._audiences[audience.channel]
            self.live.unsubscribe(audience.channel)
        if not self._audiences:
            self._emptied.set()

    async def drain(self, within_seconds: float) -> None:
        """Ask all followers, and all that still come, to reconnect elsewhere; return when no stream is open.

        A few streams end at once. Many end one after the other over most of the time that there is, so that they do not
        come back to the other gateways in one moment.
        """
        self.is_draining = True
        followers = list(self._followers())
        log.info("gateway draining", streams=len(followers))
        random.shuffle(followers)
        pauses = math.ceil(within_seconds * limits.DRAIN_SHARE / limits.DRAIN_PAUSE_SECONDS)
        at_once = max(limits.DRAIN_STREAMS_AT_ONCE, math.ceil(len(followers) / max(1, pauses)))
        while followers:
            for follower in followers[:at_once]:
                follower.dismiss("drain")
            if followers := followers[at_once:]:
                await asyncio.sleep(limits.DRAIN_PAUSE_SECONDS)
        while self._audiences:
            self._emptied.clear()
            await self._emptied.wait()

    def _followers(self) -> Iterator[Follower]:
        for audience in self._audiences.values():
            yield from audience.followers

    # ── live messages, and what was lost of them ──────────────────────────────────────────────────────────────────────

    async def run(self) -> None:
        """Look at the logs of the jobs that have viewers, each in its time, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(random.uniform(0.8, 1.2) * limits.READ_LOG_EVERY_SECONDS):
                    await self._doubt.wait()
            self._doubt.clear()
            try:
                await for_each(self._due(), self._look_at, at_once=limits.LOGS_LOOKED_AT_AT_ONCE)
            except Exception as error:  # without the looks, what the live channel loses would be missed
                log.error("looking at logs broke", exc_info=error)

    @property
    def long_polls(self) -> int:
        """How many answers wait for news."""
        return sum(follower.is_long_poll for follower in self._followers())

    @property
    def jobs(self) -> int:
        """How many jobs have viewers here."""
        return len(self._audiences)

    @property
    def jobs_without_channel(self) -> int:
        """How many of them are followed by reading the log, because the live channel does not deliver."""
        return sum(not self.live.is_subscribed(channel) for channel in self._audiences)

    def _due(self) -> list[Audience]:
        now = time.monotonic()
        soon = now + limits.READ_LOG_EVERY_SECONDS
        due = [audience for audience in self._audiences.values() if self._is_due(audience, now, soon)]
        # Those who have waited longest, never all: with Redis in trouble there may be ten thousand, twice a second.
        return heapq.nsmallest(limits.LOGS_PER_LOOK, due, key=lambda audience: audience.look_after)

    def _is_due(self, audience: Audience, now: float, soon: float) -> bool:
        """Tell whether to look now; a job whose channel was lost does not wait for its usual turn."""
        if audience.look_after <= now:
            return True
        return audience.look_after > soon and not self.live.is_subscribed(audience.channel)

    async def _look_at(self, audience: Audience) -> None:
        is_live = self.live.is_subscribed(audience.channel)
        audience.rest(limits.LOOK_AT_LOG_EVERY_SECONDS if is_live else limits.READ_LOG_EVERY_SECONDS)
        try:
            audience.compare(await self._store.tail(audience.job_id))
        except UnavailableError:
            audience.rest(limits.READ_LOG_EVERY_SECONDS)  # it may be this look that everybody waits for

    def _doubt_all(self) -> None:
        for audience in self._audiences.values():
            audience.look_after = 0.0
        self._doubt.set()

    def _deliver(self, channel: str, published: bytes) -> None:
        message = _parse(published)
        if message is None:
            log.error("unreadable live message", channel=channel)
            return
        if audience := self._audiences.get(channel):
            for follower in tuple(audience.followers):  # who is given the end leaves in this moment
                follower.offer(message)


class _Written(msgspec.Struct):
    at: str | None = None


def _parse(published: bytes) -> Message | None:
    """Read `<id> <message>` as the scripts publish it; None when it is something else."""
    identifier, _, encoded = published.partition(b" ")
    event_id = EventId.parse(identifier.decode("ascii", "replace"))
    try:
        written_at = msgspec.json.decode(encoded, type=_Written).at
    except (msgspec.DecodeError, RecursionError):
        return None
    return event_message(event_id, encoded, written_at_ms=_ms_of(written_at)) if event_id else None


def _ms_of(written_at: str | None) -> float | None:
    """Read a writer's time, once for all of a message's viewers; what is no time is not known."""
    try:
        return None if written_at is None else datetime.fromisoformat(written_at).timestamp() * 1000
    except ValueError:
        return None
