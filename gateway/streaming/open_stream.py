"""The life of one open stream, whatever it tells: an ASGI app that a normal handler returns.

                             ┌── offered a message: written at once ──┐
first frames ─▶ subscribe ─▶ live ◀───────────────────────────────────┘ ─▶ goodbye
                  behind ─▶ read the log ─▶ live

It has a task while it is opened and while it reads a log, and none while it is live: then it is told what happens
(a message, a doubt, a dismissal, room in its socket, its timer) and does what is to be done in that call. Whether
something was missed is asked by the hub, for all viewers of a job at once. It holds no connection to Redis.

What is told, and of which jobs, is for viewer.py (one job) and many_viewer.py; which bytes that is, for dress.py; how
they reach the peer, for connection.py.
"""

import abc
import asyncio
import math
import random
import time
from collections.abc import Awaitable
from typing import TYPE_CHECKING

import msgspec
import structlog
from litestar.types import Receive, Scope, Send

from gateway.access import job_not_found
from gateway.edge.request_id import current_client, current_request_id
from gateway.streaming.dress import EVENT_STREAM, Connection, Dress
from gateway.streaming.subscription import Subscription
from shared import limits
from shared.clock import now_ms
from shared.errors import UnavailableError
from shared.jobs import JobRecord
from shared.jobstore.store import JobStore

if TYPE_CHECKING:
    from gateway.metrics import GatewayMetrics
    from gateway.streaming.hub import Hub

log = structlog.get_logger(__name__)

_SILENT_ENDS = ("left", "slow", "refused", "error")
"""Nobody is there to be told goodbye, or nobody listens."""


def _soon(seconds: float) -> float:
    return time.monotonic() + random.uniform(0.8, 1.2) * seconds


class Permit(msgspec.Struct, frozen=True):
    """What lets a stream be open: some of the owner's places, one for each follower, which it gives back at its end.

    `ticket_expires_at_ms`: when (milliseconds since 1970) the ticket ends that has opened it; None: none has.
    """

    owner: str
    ticket_expires_at_ms: int | None = None
    followers: int = 1

    def last_moment(self) -> tuple[float, str]:
        """Give when (monotonic seconds) a stream that begins now has to end, and what it is told then."""
        of_age = _soon(limits.STREAM_MAX_AGE_SECONDS), "max_age"
        if self.ticket_expires_at_ms is None:
            return of_age
        return min(of_age, (time.monotonic() + (self.ticket_expires_at_ms - now_ms()) / 1000, "ticket_expired"))


class Goodbye:
    """The answer to an EventSource that cannot be served now: any status but 200 would stop it for ever."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send one busy frame and end (ASGI 3)."""
        await send({"type": "http.response.start", "status": 200, "headers": EVENT_STREAM.head})
        await send({"type": "http.response.body", "body": EVENT_STREAM.goodbye(self._reason), "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class OpenStream(abc.ABC):
    """One viewer's stream: its task, its timer, its end. The abstract parts say what it tells."""

    __slots__ = (
        "_beat_after",
        "_client",
        "_connection",
        "_dress",
        "_end",
        "_end_after",
        "_end_why",
        "_hub",
        "_is_busy",
        "_is_closed",
        "_is_first",
        "_look_after",
        "_metrics",
        "_permit",
        "_reader",
        "_request_id",
        "_store",
        "_timer",
    )

    def __init__(self, *, hub: "Hub", store: JobStore, metrics: "GatewayMetrics", permit: Permit, dress: Dress) -> None:
        self._dress = dress
        self._permit = permit
        self._end_after, self._end_why = permit.last_moment()
        # Kept, and not left to the context: a live viewer is told its end by whoever brings it, in that one's context.
        self._request_id, self._client = current_request_id(), current_client()
        self._hub = hub
        self._store = store
        self._metrics = metrics
        self._connection: Connection
        self._end: str | None = None
        self._is_first = True
        """Nothing was written yet."""
        self._is_busy = True
        """A task opens this stream, or reads for it, and will go on by itself."""
        self._is_closed = False
        self._reader: asyncio.Task[None] | None = None
        self._look_after = math.inf
        self._timer: asyncio.TimerHandle | None = None

    # ── what it tells ─────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    @abc.abstractmethod
    def _is_behind(self) -> bool:
        """Whether a log is to be read."""

    @property
    @abc.abstractmethod
    def _is_ended(self) -> bool:
        """Whether everything was told that there will ever be."""

    @property
    @abc.abstractmethod
    def _about(self) -> dict[str, str | int]:
        """What a log line says of what it tells."""

    @abc.abstractmethod
    def _enter(self) -> None:
        """Be counted in by the hub, and by the metrics."""

    @abc.abstractmethod
    def _leave(self) -> None:
        """Be counted out."""

    @abc.abstractmethod
    async def _read_first(self) -> None:
        """Read what must be told before live messages are waited for."""

    @abc.abstractmethod
    async def _subscribe(self) -> None:
        """Return when live messages arrive, or do not for now; then the log must be read."""

    @abc.abstractmethod
    async def _catch_up(self) -> bool:
        """Read what is behind; False when Redis does not answer."""

    @abc.abstractmethod
    def _flush(self) -> None:
        """Write what there is to tell, if the peer takes it now."""

    @property
    def _named(self) -> dict[str, str | int | None]:
        """What a log line says of it: what it tells, and whose request has opened it."""
        return {**self._about, "request_id": self._request_id, "client": self._client}

    # ── what it is told ───────────────────────────────────────────────────────────────────────────────────────────────

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
        if self._is_behind and self._end is None:
            self._is_busy = True
            self._reader = asyncio.create_task(self._work(self._read()), name="viewer")
        else:
            self._send_safely()

    # ── the stream ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Open the stream on the request's connection, and return when it is live or over (ASGI 3)."""
        try:
            self._connection = await self._dress.open(scope, send)
        except BaseException:
            self._give_back()
            raise
        self._enter()
        self._metrics.open_stream(self._dress.name)
        self._connection.hand_over(self)
        await self._work(self._open())

    async def _work(self, steps: Awaitable[None]) -> None:
        try:
            await steps
        except Exception:
            log.exception("stream failed", **self._named)
            self._end = "error"
            self._connection.cut()
        finally:
            self._is_busy, self._reader = False, None
            self._send_safely()

    async def _open(self) -> None:
        self._beat_after = _soon(limits.HEARTBEAT_EVERY_SECONDS)
        await self._greet()
        if not self._is_ended and self._end is None:
            await self._subscribe()
        await self._read()

    async def _greet(self) -> None:
        """Send the first bytes before anything is waited for, whatever the cursor: a data frame."""
        self._flush()
        await self._read_first()
        self._flush()
        if self._is_first and self._end is None:
            self._beat()

    async def _read(self) -> None:
        """Read the log until there is nothing more in it; when Redis does not answer, again in a while."""
        self._look_after = math.inf
        while self._is_behind and self._end is None:
            if not await self._catch_up():
                self._look_after = _soon(limits.RECONNECT_MAX_SECONDS)
                break
            self._flush()
        self._set_timer()

    async def _read_log(self, subscription: Subscription, job_id: str, record: JobRecord | None) -> bool:
        """Read one job's log after its cursor, page by page; False when Redis does not answer.

        `record` is the job as it was just found, None where that is long ago. Raises JobNotFound when Redis has
        forgotten it, and RecordUnreadable.
        """
        subscription.begin_read()
        try:
            if record is None and subscription.is_at(await self._store.tail(job_id)):
                return True
            record = record or await self._store.find(job_id)
            if record is None:
                raise job_not_found()
            subscription.begin_replay(record, at_ms=now_ms())
            while True:
                page = await self._store.read_events(job_id, after=subscription.cursor, count=limits.REPLAY_PAGE_EVENTS)
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

    @property
    def _is_dismissed(self) -> bool:
        return self._end is not None

    # ── sending ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _send_safely(self) -> None:
        """Send; what goes wrong with one viewer is nothing to whoever told it, and tells others after it."""
        try:
            self._send()
        except Exception as error:
            log.error("stream failed", **self._named, exc_info=error)
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
        elif self._is_ended:
            self._connection.end("terminal")
            self._close("terminal")
        elif self._end is not None:
            self._write(self._dress.goodbye(self._end))
            self._connection.end(self._end)
            self._close(self._end)

    def _beat(self) -> None:
        if self._connection.is_writable:
            self._write(self._dress.heartbeat())
            self._connection.ping()

    def _write(self, frames: bytes) -> None:
        if self._is_first:
            self._is_first = False
            frames = self._dress.first(frames)
        self._connection.write(frames)
        self._metrics.stream_bytes += len(frames)

    def _close(self, reason: str) -> None:
        self._is_closed = self._is_busy = True
        self._set_timer()
        self._leave()
        self._give_back()
        self._metrics.close_stream(self._dress.name)
        self._metrics.count_end(reason)
        log.info("stream ended", **self._named, reason=reason, transport=self._dress.name)

    def _give_back(self) -> None:
        self._hub.give_back(self._permit.owner, followers=self._permit.followers)

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
