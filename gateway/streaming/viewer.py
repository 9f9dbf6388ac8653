"""One open stream: an ASGI app that a normal handler returns. It holds no connection to Redis, only a place in a job.

                             ┌── offered a message: written at once ──┐
first frames ─▶ subscribe ─▶ live ◀───────────────────────────────────┘ ─▶ goodbye
                  behind ─▶ read the log ─▶ live

It has a task while it is opened and while it reads the log, and none while it is live: then it is told what happens
(a message, a doubt, a dismissal, room in its socket, its timer) and does what is to be done in that call. Whether
something was missed is asked by the hub, for all viewers of a job at once.
"""

import asyncio
import contextlib
import math
import random
import time
from collections.abc import Awaitable
from typing import TYPE_CHECKING

import structlog
from litestar.types import Receive, Scope, Send

from gateway.edge.request_id import current_request_id
from gateway.streaming.connection import StreamingHttpProtocol, connection_of
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


_SILENT_ENDS = ("left", "slow", "error")
"""Nobody is there to be told goodbye, or nobody listens."""


def _soon(seconds: float) -> float:
    return time.monotonic() + random.uniform(0.8, 1.2) * seconds


def _last_moment(ticket_expires_at_ms: int | None) -> tuple[float, str]:
    """Give when (monotonic seconds) a stream that begins now has to end, and what it is told then."""
    of_age = _soon(limits.STREAM_MAX_AGE_SECONDS), "max_age"
    if ticket_expires_at_ms is None:
        return of_age
    return min(of_age, (time.monotonic() + (ticket_expires_at_ms - now_ms()) / 1000, "ticket_expired"))


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
    """One viewer of one job, admitted by the hub; `subscription` was opened with `record`, perhaps by a ticket."""

    is_long_poll = False

    __slots__ = (
        "_beat_after",
        "_connection",
        "_end",
        "_end_after",
        "_end_why",
        "_hub",
        "_is_busy",
        "_is_closed",
        "_is_first",
        "_look_after",
        "_metrics",
        "_reader",
        "_record",
        "_request_id",
        "_store",
        "_subscription",
        "_timer",
        "job_id",
        "owner",
    )

    def __init__(
        self,
        record: JobRecord,
        subscription: Subscription,
        *,
        hub: "Hub",
        store: JobStore,
        metrics: "GatewayMetrics",
        ticket_expires_at_ms: int | None = None,
    ) -> None:
        self.job_id = record.job_id
        self.owner = record.owner
        self._record: JobRecord | None = record
        """The job as it was found; for the first reading of the log, and not kept beyond it."""
        self._request_id = current_request_id()
        self._subscription = subscription
        self._hub = hub
        self._store = store
        self._metrics = metrics
        self._connection: StreamingHttpProtocol
        self._end: str | None = None
        self._is_first = True
        self._is_busy = True
        """A task opens this stream, or reads for it, and will go on by itself."""
        self._is_closed = False
        self._reader: asyncio.Task[None] | None = None
        self._look_after = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._end_after, self._end_why = _last_moment(ticket_expires_at_ms)

    @property
    def cursor(self) -> EventId:
        """The id of the last event that this viewer has been given."""
        return self._subscription.cursor

    @property
    def _is_dismissed(self) -> bool:
        return self._end is not None

    # ── what it is told ───────────────────────────────────────────────────────────────────────────────────────────────

    def offer(self, message: Message) -> None:
        """Take a live message."""
        self._subscription.offer(message)
        self.go_on()

    def fall_behind(self) -> None:
        """Read the log again: live messages may have been missed."""
        self._subscription.fall_behind()
        self.go_on()

    def dismiss(self, reason: str) -> None:
        """End this stream soon, with a busy frame if somebody is there to read it; the client comes back by itself."""
        # A peer who is gone is gone, whatever it was to be told: nobody else will say so a second time.
        if self._end is None or (reason in _SILENT_ENDS and self._end not in _SILENT_ENDS):
            self._end = reason
        self.go_on()

    def go_on(self) -> None:
        """Do what there is to do: what is at hand is sent in this call, what stands in the log is read by a task."""
        if self._is_busy:
            return
        if self._subscription.is_behind and self._end is None:
            self._is_busy = True
            self._reader = asyncio.create_task(self._work(self._read()), name=f"viewer-{self.job_id}")
        else:
            self._send_safely()

    # ── the stream ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Open the stream on the request's connection, and return when it is live or over (ASGI 3)."""
        try:
            await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            self._connection = connection_of(scope)
        except BaseException:
            self._hub.turn_away(self.owner)
            raise
        self._hub.register(self)
        self._metrics.open_stream()
        self._connection.hand_over(self)
        await self._work(self._open())

    async def _work(self, steps: Awaitable[None]) -> None:
        try:
            await steps
        except Exception:
            log.exception("stream failed", job_id=self.job_id)
            self._end = "error"
            self._connection.cut()
        finally:
            self._is_busy, self._reader = False, None
            self._send_safely()

    async def _open(self) -> None:
        self._beat_after = _soon(limits.HEARTBEAT_EVERY_SECONDS)
        await self._greet()
        if not self._subscription.is_ended and self._end is None:
            with contextlib.suppress(UnavailableError):  # it stays wanted; until it is back the hub reads the log's end
                await self._hub.subscribe(self)
            self._subscription.fall_behind()
        await self._read()

    async def _greet(self) -> None:
        """Send the first bytes before anything is waited for, whatever the cursor: a data frame."""
        assert self._record is not None
        has_told = self._flush()
        if not has_told or self._record.state.is_terminal:
            await self._catch_up()
            has_told = self._flush() or has_told
        if not has_told and self._end is None:
            self._beat()
        self._record = None
        self._metrics.count_resume(self._subscription.resume)

    async def _read(self) -> None:
        """Read the log until there is nothing more in it; when Redis does not answer, again in a while."""
        self._look_after = math.inf
        while self._subscription.is_behind and self._end is None:
            if not await self._catch_up():
                self._look_after = _soon(limits.RECONNECT_MAX_SECONDS)
                break
            self._flush()
        self._set_timer()

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
                self._flush()
                await self._connection.writable()  # back-pressure: the next page is read when this one is on its way
                if self._is_dismissed:
                    return True
        except UnavailableError:
            return False
        except RecordUnreadable:
            self.dismiss("unreadable")  # the next request is told what that means
            return False

    # ── sending ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _send_safely(self) -> None:
        """Send; what goes wrong with one viewer is nothing to whoever told it, and tells others after it."""
        try:
            self._send()
        except Exception as error:
            log.error("stream failed", job_id=self.job_id, exc_info=error)
            self._connection.cut()
            if not self._is_closed:
                self._close("error")

    def _send(self) -> None:
        """Send what there is, and end what is over; a peer that takes nothing now is served when it does."""
        if self._is_closed:
            return
        self._flush()
        if self._end in _SILENT_ENDS:
            self._close(str(self._end))
        elif not self._connection.is_writable:
            return
        elif self._subscription.is_ended:
            self._connection.end()
            self._close("terminal")
        elif self._end is not None:
            self._write(busy(self._end))
            self._connection.end()
            self._close(self._end)

    def _flush(self) -> bool:
        """Send what the subscription has for this viewer; False when that is nothing."""
        if not self._connection.is_writable or not (messages := self._subscription.take()):
            return False
        self._write(b"".join(message.frame for message in messages))
        self._metrics.observe_ages(messages, now_ms())
        return True

    def _beat(self) -> None:
        if self._connection.is_writable:
            self._write(heartbeat_frame(events.encode(events.Heartbeat(at=events.timestamp(now_ms())))))

    def _write(self, frames: bytes) -> None:
        if self._is_first:
            # How soon to come back rides in the first frame: after a cut everybody's time is another one.
            self._is_first = False
            frames = frames if frames.startswith(b"retry:") else with_retry(frames, retry_ms())
        self._connection.write(frames)

    def _close(self, reason: str) -> None:
        self._is_closed = self._is_busy = True
        self._set_timer()
        self._hub.leave(self)
        self._metrics.close_stream()
        self._metrics.count_end(reason)
        log.info("stream ended", job_id=self.job_id, reason=reason, request_id=self._request_id)

    # ── time ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _set_timer(self) -> None:
        """Wake at the next heartbeat, the end, or the next look at the log; one timer for all three."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._is_closed:
            after = min(self._beat_after, self._end_after, self._look_after)
            delay_seconds = max(0.0, after - time.monotonic())
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(delay_seconds, self._wake, context=self._hub.context)

    def _wake(self) -> None:
        if time.monotonic() >= self._end_after:
            self._end_after = math.inf  # once: who takes nothing now is closed when it does, or when its time is up
            self.dismiss(self._end_why)
        elif time.monotonic() >= self._beat_after:
            self._beat_after = _soon(limits.HEARTBEAT_EVERY_SECONDS)
            self._beat()
        self._look_after = math.inf
        self._set_timer()
        self.go_on()
