"""One open stream: an ASGI app that a normal handler returns. It holds no connection to Redis, only a place in a job.

first frames ─▶ subscribe ─▶ ┌─ read the log when behind ─▶ send ─▶ wait: news, heartbeat, end ─┐ ─▶ goodbye
                             └──────────────────────────────────────────────────────────────────┘

Whether something was missed is asked by the hub, for all viewers of a job at once.
"""

import asyncio
import contextlib
import math
import random
import time
from typing import TYPE_CHECKING

import structlog
from litestar.types import Receive, Scope, Send

from gateway.streaming.sse import Message, busy_frame, heartbeat_frame, with_retry
from gateway.streaming.subscription import Subscription
from shared import events, limits
from shared.clock import now_ms
from shared.errors import RecordUnreadable, UnavailableError
from shared.event_id import EventId
from shared.jobs import JobRecord
from shared.jobstore.store import JobStore

if TYPE_CHECKING:
    from gateway.metrics import GatewayMetrics
    from gateway.streaming.hub import Hub

log = structlog.get_logger(__name__)

HEADERS = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store, no-transform"),
    (b"x-accel-buffering", b"no"),
    (b"vary", b"Accept, Origin"),
)
"""The head of every stream; without a length, so that HTTP/1.1 sends it chunked (nginx: X-Accel-Buffering)."""


def retry_ms() -> int:
    """Draw a reconnection time, so that viewers who were cut together do not come back together."""
    return random.randint(limits.MIN_SSE_RETRY_MS, limits.MAX_SSE_RETRY_MS)


def busy(reason: str) -> bytes:
    """Make the goodbye of a stream that ends before its job does, or does not begin."""
    return busy_frame(events.encode(events.Busy(reason=reason, at=events.timestamp(now_ms()))), retry_ms())


def _soon(seconds: float) -> float:
    return time.monotonic() + random.uniform(0.8, 1.2) * seconds


class Goodbye:
    """The answer to an EventSource that cannot be served now: any status but 200 would stop it for ever."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send one busy frame and end (ASGI 3)."""
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": busy(self._reason), "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class Viewer:
    """One viewer of one job; `subscription` has been opened with `record`."""

    is_long_poll = False

    def __init__(
        self,
        record: JobRecord,
        subscription: Subscription,
        *,
        hub: "Hub",
        store: JobStore,
        metrics: "GatewayMetrics",
    ) -> None:
        self.job_id = record.job_id
        self._record: JobRecord | None = record
        """The job as it was found; for the first reading of the log, and not kept beyond it."""
        self._subscription = subscription
        self._hub = hub
        self._store = store
        self._metrics = metrics
        self._news = asyncio.Event()
        self._end: str | None = None
        self._is_first = True
        self._look_after = math.inf

    @property
    def cursor(self) -> EventId:
        """The id of the last event that this viewer has been given."""
        return self._subscription.cursor

    # ── what the hub tells ────────────────────────────────────────────────────────────────────────────────────────────

    def offer(self, message: Message) -> None:
        """Take a live message."""
        self._subscription.offer(message)
        self._news.set()

    def fall_behind(self) -> None:
        """Read the log again: live messages may have been missed."""
        self._subscription.fall_behind()
        self._news.set()

    def dismiss(self, reason: str) -> None:
        """End this stream soon with a busy frame; the client comes back by itself."""
        self._end = self._end or reason
        self._news.set()

    # ── the stream ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream until the job ends, the viewer leaves, or the process drains (ASGI 3)."""
        self._send = send
        watcher = asyncio.create_task(self._watch(receive), name=f"viewer-{self.job_id}")
        self._hub.register(self)
        self._metrics.open_stream()
        try:
            await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            await self._stream()
            await self._transmit(b"", more=False)
        except TimeoutError:
            self._end = "slow"
        except Exception:
            self._end = "error"
            raise
        finally:
            self._hub.leave(self)
            self._metrics.close_stream()
            watcher.cancel()
            reason = "terminal" if self._subscription.is_ended else self._end or "error"
            self._metrics.count_end(reason)
            log.info("stream ended", job_id=self.job_id, reason=reason)

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.dismiss("left")

    async def _stream(self) -> None:
        beat_after, end_after = _soon(limits.HEARTBEAT_EVERY_SECONDS), _soon(limits.STREAM_MAX_AGE_SECONDS)
        await self._greet()
        await self._subscribe()
        while await self._tell_news():
            await self._wait(min(beat_after, end_after, self._look_after))
            if time.monotonic() >= end_after:
                self.dismiss("max_age")
            elif time.monotonic() >= beat_after:
                beat_after = _soon(limits.HEARTBEAT_EVERY_SECONDS)
                await self._beat()
        if self._end not in (None, "left") and not self._subscription.is_ended:
            await self._transmit(busy(str(self._end)))

    async def _greet(self) -> None:
        """Send the first bytes before anything is waited for, whatever the cursor: a data frame."""
        assert self._record is not None
        has_told = await self._flush()
        if not has_told or self._record.state.is_terminal:
            await self._catch_up()
            has_told = await self._flush() or has_told
        if not has_told and self._end is None:
            await self._beat()
        self._record = None
        self._metrics.count_resume(self._subscription.resume)

    async def _tell_news(self) -> bool:
        """Send everything that is new; False when the stream is at its end."""
        self._news.clear()
        self._look_after = math.inf
        while self._subscription.is_behind and self._end is None:
            if not await self._catch_up():
                self._look_after = _soon(limits.RECONNECT_MAX_SECONDS)
                break
            await self._flush()
        await self._flush()
        return not self._subscription.is_ended and self._end is None

    async def _subscribe(self) -> None:
        if not self._subscription.is_ended:
            with contextlib.suppress(UnavailableError):  # it stays wanted; until it is back the hub reads the log's end
                await self._hub.subscribe(self)
            self._subscription.fall_behind()

    async def _catch_up(self) -> bool:
        """Read the log after the cursor, page by page; False when Redis does not answer."""
        subscription = self._subscription
        subscription.begin_read()
        try:
            record, self._record = self._record, None
            if record is None and subscription.is_at(await self._store.tail(self.job_id)):
                return True
            record = record or await self._store.find(self.job_id)
            if record is None:
                self.dismiss("redis")  # forgotten by Redis; the next request is told so
                return False
            subscription.begin_replay(record, at_ms=now_ms())
            while True:
                page = await self._store.read_events(
                    self.job_id, after=subscription.cursor, count=limits.REPLAY_PAGE_EVENTS
                )
                self._metrics.count_replay(page)
                is_last_page = len(page) < limits.REPLAY_PAGE_EVENTS
                subscription.replayed(page, is_last_page=is_last_page)
                if is_last_page or subscription.is_ended or self._end is not None:
                    return True
                await self._flush()  # back-pressure: the next page is read when this one is on its way
        except UnavailableError:
            return False
        except RecordUnreadable:
            self.dismiss("unreadable")  # the next request is told what that means
            return False

    async def _flush(self) -> bool:
        """Send what the subscription has for this viewer; False when that is nothing."""
        messages = self._subscription.take()
        if not messages:
            return False
        await self._transmit(b"".join(message.frame for message in messages))
        self._metrics.observe_ages(messages, now_ms())
        return True

    async def _beat(self) -> None:
        await self._transmit(heartbeat_frame(events.encode(events.Heartbeat(at=events.timestamp(now_ms())))))

    async def _transmit(self, chunk: bytes, *, more: bool = True) -> None:
        if self._is_first and chunk:
            # How soon to come back rides in the first frame: after a cut everybody's time is another one.
            self._is_first = False
            chunk = chunk if chunk.startswith(b"retry:") else with_retry(chunk, retry_ms())
        async with asyncio.timeout(limits.STREAM_SEND_WITHIN_SECONDS):
            await self._send({"type": "http.response.body", "body": chunk, "more_body": more})

    async def _wait(self, until: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, until - time.monotonic())):
                await self._news.wait()
