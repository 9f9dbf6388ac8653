"""One viewer of one job: a place in its log, and a stream that tells what comes after it (open_stream.py)."""

import contextlib
from typing import TYPE_CHECKING

from gateway.streaming.dress import Dress
from gateway.streaming.open_stream import OpenStream, Permit
from gateway.streaming.sse import Message
from gateway.streaming.subscription import Subscription
from shared.clock import now_ms
from shared.errors import JobNotFound, RecordUnreadable, UnavailableError
from shared.event_id import EventId
from shared.jobs import JobRecord
from shared.jobstore.store import JobStore

if TYPE_CHECKING:
    from gateway.metrics import GatewayMetrics
    from gateway.streaming.hub import Hub


class Viewer(OpenStream):
    """One viewer of one job; `subscription` has been opened with `record`, the stream by `permit`."""

    is_long_poll = False

    __slots__ = ("_record", "_subscription", "job_id")

    def __init__(
        self,
        record: JobRecord,
        subscription: Subscription,
        *,
        hub: "Hub",
        store: JobStore,
        metrics: "GatewayMetrics",
        permit: Permit,
        dress: Dress,
    ) -> None:
        super().__init__(hub=hub, store=store, metrics=metrics, permit=permit, dress=dress)
        self.job_id = record.job_id
        self._record: JobRecord | None = record
        """The job as it was found; for the first reading of the log, and not kept beyond it."""
        self._subscription = subscription

    # ── what it is told ───────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def cursor(self) -> EventId:
        """The id of the last event that this viewer has been given."""
        return self._subscription.cursor

    def offer(self, message: Message) -> None:
        """Take a live message."""
        self._subscription.offer(message)
        self.go_on()

    def fall_behind(self) -> None:
        """Read the log again: live messages may have been missed."""
        self._subscription.fall_behind()
        self.go_on()

    # ── what it tells ─────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def _is_behind(self) -> bool:
        return self._subscription.is_behind

    @property
    def _is_ended(self) -> bool:
        return self._subscription.is_ended

    @property
    def _about(self) -> dict[str, str | int]:
        return {"job_id": self.job_id}

    def _enter(self) -> None:
        self._hub.register(self)

    def _leave(self) -> None:
        self._hub.leave(self)

    async def _read_first(self) -> None:
        """Read the log when nothing else is to be told, and of an ended job, whose last event follows its snapshot."""
        assert self._record is not None
        if self._is_first or self._record.state.is_terminal:
            await self._catch_up()
        self._record = None
        self._metrics.count_resume(self._subscription.resume)

    async def _subscribe(self) -> None:
        with contextlib.suppress(UnavailableError):  # it stays wanted; until it is back the hub reads the log's end
            await self._hub.subscribe(self)
        self._subscription.fall_behind()

    async def _catch_up(self) -> bool:
        record, self._record = self._record, None
        try:
            return await self._read_log(self._subscription, self.job_id, record)
        except JobNotFound:
            self.dismiss("redis")  # forgotten by Redis; the next request is told so
        except RecordUnreadable:
            self.dismiss("unreadable")  # the next request is told what that means
        return False

    def _flush(self) -> None:
        if self._connection.is_writable and (messages := self._subscription.take()):
            self._write(b"".join(map(self._dress.frame_of, messages)))
            self._metrics.observe_ages(messages, now_ms())
