"""One caller who waits for a job's next event without a stream: a place in the hub, and no connection to Redis."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from litestar import Request

from gateway.access import refusal_of
from gateway.auth.caller import Caller
from gateway.preferences import preferred_wait_seconds
from gateway.streaming.sse import Message
from gateway.streaming.subscription import tail_of
from shared.clock import now_ms
from shared.errors import UnavailableError
from shared.event_id import EventId
from shared.jobs import JobRecord
from shared.jobstore.store import JobStore
from shared.limit_errors import TooManyOwnerStreams

if TYPE_CHECKING:
    from gateway.streaming.hub import Hub


class LongPoll:
    """Waits for a job's log to have another end than `cursor`."""

    is_long_poll = True

    def __init__(self, job_id: str, cursor: EventId, *, owner: str) -> None:
        self.job_id = job_id
        self._owner = owner
        self.cursor = cursor
        self._news = asyncio.Event()
        self.is_abandoned = False
        """Whether the caller has left: there is nobody to wait for."""

    def offer(self, message: Message) -> None:
        """Take a live message."""
        if message.event_id is not None and message.event_id > self.cursor:
            self._news.set()

    def fall_behind(self) -> None:
        """Look again: the log's end is another one, or may be."""
        self._news.set()

    def dismiss(self, _: str) -> None:
        """Answer with what there is."""
        self._news.set()

    async def wait(
        self, hub: "Hub", store: JobStore, *, within_seconds: float, has_left: Callable[[], Awaitable[None]]
    ) -> bool:
        """Return when there is news, the time is up, or the caller has left; False when there is no room to wait in.

        Room in this process, and among the streams of the owner.
        """
        try:
            await hub.admit(self._owner)
        except (TooManyOwnerStreams, UnavailableError):
            return False
        hub.register(self)
        watcher = asyncio.create_task(self._watch(has_left), name=f"long-poll-{self.job_id}")
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within_seconds):
                    await self._subscribe(hub, store)
                    await self._news.wait()
        finally:
            watcher.cancel()
            hub.leave(self)
            hub.give_back(self._owner)
        return True

    async def _watch(self, has_left: Callable[[], Awaitable[None]]) -> None:
        await has_left()
        self.is_abandoned = True
        self._news.set()

    async def _subscribe(self, hub: "Hub", store: JobStore) -> None:
        with contextlib.suppress(UnavailableError):  # the hub looks at the log's end until the channel is back
            await hub.subscribe(self)
            # What was written since the caller's answer was read, and before the channel was there.
            if await store.tail(self.job_id) != self.cursor:
                self._news.set()


async def wait_for_news(
    request: Request[Any, Any, Any], record: JobRecord, caller: Caller, *, hub: "Hub", store: JobStore
) -> int:
    """Wait for an event after `record` as a caller prefers (RFC 7240); give the seconds that were granted.

    0: it did not wait, because nobody wished it, the job is over, or this process has no room. It ends with a ticket.
    """
    seconds = _seconds_asked(request)
    if not seconds or record.state.is_terminal:
        return 0
    poll, within_seconds = LongPoll(record.job_id, tail_of(record), owner=caller.owner), float(seconds)
    if caller.expires_at_ms is not None:
        within_seconds = min(within_seconds, (caller.expires_at_ms - now_ms()) / 1000)
    has_waited = await poll.wait(hub, store, within_seconds=within_seconds, has_left=_departure_of(request))
    return seconds if has_waited else 0


async def wait_for_end(
    request: Request[Any, Any, Any], job_id: str, caller: Caller, *, hub: "Hub", store: JobStore
) -> tuple[JobRecord | None, int]:
    """Wait for the end of the caller's job that was just created, as they prefer (RFC 7240).

    Gives its record when it has ended in time and may still be shown, and the seconds that were granted; 0: it did not
    wait. Trouble with Redis ends the waiting, and nothing else: the job is there.
    """
    seconds, granted_seconds = _seconds_asked(request), 0
    deadline, has_left = time.monotonic() + seconds, _departure_of(request)
    with contextlib.suppress(UnavailableError):
        while seconds and (record := await store.find(job_id)) is not None:
            if refusal_of(record, now_ms()) is not None:
                break  # a repetition under a key, whose job is gone: it gets the first answer, and the job is a 410
            if record.state.is_terminal:
                return record, granted_seconds
            left_seconds = deadline - time.monotonic()
            poll = LongPoll(job_id, tail_of(record), owner=caller.owner)
            if hub.is_draining or left_seconds <= 0:
                break
            if not await poll.wait(hub, store, within_seconds=left_seconds, has_left=has_left):
                break
            granted_seconds = seconds
            if poll.is_abandoned:  # each further wait would return at once, without a pause
                break
    return None, granted_seconds


def _seconds_asked(request: Request[Any, Any, Any]) -> int:
    return preferred_wait_seconds(", ".join(request.headers.getall("prefer", [])))


def _departure_of(request: Request[Any, Any, Any]) -> Callable[[], Awaitable[None]]:
    """Give what returns when the caller has left; the body of its request has been read, or is not wanted."""

    async def has_left() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    return has_left
