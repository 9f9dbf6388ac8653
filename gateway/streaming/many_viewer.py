"""One viewer of many jobs: a place in each of their logs, and one stream that tells what comes after them all.

    hub ─▶ place (job A) ─┐
    hub ─▶ place (job B) ─┼─▶ one stream; the id of each frame is the vector of all places (vector.py)
    hub ─▶ place (job C) ─┘

Each place is a follower of its job as a viewer of that job alone would be, with the same state machine and the same
promise. What is particular is that one job must not hold up the others: what is at hand of one is sent while the log
of another is read, or cannot be read, and a job that cannot be had is told as an error of its own.
"""

import contextlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import structlog

from gateway.streaming.dress import Dress
from gateway.streaming.open_stream import OpenStream, Permit
from gateway.streaming.part import Part
from gateway.streaming.sse import Message
from gateway.streaming.vector import Vector
from shared import limits
from shared.clock import now_ms
from shared.errors import JobNotFound, RecordUnreadable, UnavailableError, WaybillError
from shared.event_id import EventId
from shared.for_each import for_each
from shared.jobs import JobRecord
from shared.jobstore.store import JobStore

if TYPE_CHECKING:
    from gateway.metrics import GatewayMetrics
    from gateway.streaming.hub import Hub

log = structlog.get_logger(__name__)


class Place(Part):
    """A part of a stream that the hub knows as a follower of its job.

    `record` is the job as it was found, for the first reading of its log. `is_resting`: Redis did not answer the last
    reading, and the next one waits for its time.
    """

    is_long_poll = False

    __slots__ = ("_stream", "is_registered", "is_resting", "record")

    def __init__(self, number: int, job_id: str, found: JobRecord | WaybillError) -> None:
        super().__init__(number, job_id)
        self.record: JobRecord | None = None if isinstance(found, WaybillError) else found
        self.is_registered = False
        self.is_resting = False
        self._stream: ManyViewer

    def belong_to(self, stream: "ManyViewer") -> None:
        """Tell the stream of everything that this place is told."""
        self._stream = stream

    @property
    def must_be_read(self) -> bool:
        """Whether its log is to be read now."""
        return self.subscription.is_behind and not self.is_resting

    @property
    def cursor(self) -> EventId:
        """The id of the last event that the viewer has been given of this job."""
        return self.subscription.cursor

    def offer(self, message: Message) -> None:
        """Take a live message."""
        self.subscription.offer(message)
        self._stream.attend(self)

    def fall_behind(self) -> None:
        """Read the log again: live messages may have been missed."""
        self.is_resting = False  # who says so has just read its end
        self.subscription.fall_behind()
        self._stream.attend(self)

    def dismiss(self, reason: str) -> None:
        """End the whole stream."""
        self._stream.dismiss(reason)


class ManyViewer(OpenStream):
    """One viewer of many jobs, whose places have been opened, the stream by `permit`."""

    __slots__ = ("_attended", "_jobs", "_places", "_unfinished", "_vector")

    def __init__(
        self,
        places: Sequence[Place],
        vector: Vector,
        *,
        hub: "Hub",
        store: JobStore,
        metrics: "GatewayMetrics",
        permit: Permit,
        dress: Dress,
    ) -> None:
        super().__init__(hub=hub, store=store, metrics=metrics, permit=permit, dress=dress)
        self._places = places
        self._jobs = len(places)
        self._vector = vector
        self._attended = dict.fromkeys(places)
        """Those that have something to tell, or a log to be read; in the order in which they had it."""
        self._unfinished = len(places)
        """How many have not told their end."""
        for place in places:
            place.belong_to(self)

    # ── what it is told ───────────────────────────────────────────────────────────────────────────────────────────────

    def attend(self, place: Place) -> None:
        """Send what a place has to tell, and read its log if that is to be done."""
        if self._is_closed:
            return
        self._attended[place] = None
        if self._is_busy:
            # The reading of one log may take as long as a node of Redis is away; the others' events do not wait for it.
            self._flush_safely()
        else:
            self.go_on()

    def go_on(self) -> None:
        """Do what there is to do; what is at hand is sent first, for a log may take its time."""
        if not self._is_busy and self._is_behind:
            self._flush_safely()
        super().go_on()

    # ── what it tells ─────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def _is_behind(self) -> bool:
        return any(place.must_be_read for place in self._attended)

    @property
    def _is_ended(self) -> bool:
        return self._unfinished == 0

    @property
    def _about(self) -> dict[str, str | int]:
        return {"jobs": self._jobs}

    def _enter(self) -> None:
        for place in self._places:
            if not place.subscription.is_ended:
                self._hub.register(place)
                place.is_registered = True
        self._metrics.follow_many(sum(place.is_registered for place in self._places))

    def _leave(self) -> None:
        for place in self._places:
            self._leave_job(place)
        # Streams and places refer to one another, and the collector comes rarely (garbage.py).
        self._places = ()
        self._attended.clear()

    def _leave_job(self, place: Place) -> None:
        if place.is_registered:
            place.is_registered = False
            self._hub.leave(place)
            self._metrics.follow_many(-1)

    async def _read_first(self) -> None:
        """Read all logs when nothing else is to be told, and those of ended jobs, whose last event is still to come."""
        is_silent = self._is_first
        await self._read_logs(
            place
            for place in self._places
            if place.must_be_read and (is_silent or (place.record is not None and place.record.state.is_terminal))
        )
        for place in self._places:
            place.record = None
            self._metrics.count_resume(place.subscription.resume)

    async def _subscribe(self) -> None:
        unfinished = [place for place in self._places if not place.subscription.is_ended]
        # All at once: while the live channel is away, each of them takes its whole time.
        await for_each(unfinished, self._subscribe_to, at_once=len(unfinished))

    async def _subscribe_to(self, place: Place) -> None:
        with contextlib.suppress(UnavailableError):  # it stays wanted; until it is back the hub reads the log's end
            await self._hub.subscribe(place)
        place.is_resting = False
        place.subscription.fall_behind()
        self._attended[place] = None

    async def _catch_up(self) -> bool:
        await self._read_logs([place for place in self._attended if place.must_be_read])
        return not any(place.is_resting for place in self._attended)

    async def _read_logs(self, places: Iterable[Place]) -> None:
        await for_each(places, self._read_log_of, at_once=limits.LOGS_READ_AT_ONCE)

    async def _read_log_of(self, place: Place) -> None:
        if self._is_dismissed:
            return
        record, place.record = place.record, None
        self._attended[place] = None
        try:
            place.is_resting = not await self._read_log(place.subscription, place.job_id, record)
        except (JobNotFound, RecordUnreadable) as refusal:  # of this job alone: the others go on
            log.warning("a followed job is gone", job_id=place.job_id, code=refusal.code)
            place.refuse(refusal, at_ms=now_ms())

    def _wake(self) -> None:
        for place in self._attended:
            place.is_resting = False
        super()._wake()

    # ── sending ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _flush_safely(self) -> None:
        """Send what is at hand; what goes wrong ends this stream, and nothing else."""
        if self._is_closed:
            return
        try:
            self._flush()
        except Exception as error:
            log.error("stream failed", **self._named, exc_info=error)
            self._end = "error"
            self._connection.cut()

    def _flush(self) -> None:
        if not self._attended or not self._connection.is_writable:
            return
        frames: list[bytes] = []
        for place in tuple(self._attended):
            self._tell_of(place, frames)
            if not place.subscription.is_behind:
                del self._attended[place]
        if frames:
            self._write(b"".join(frames))

    def _tell_of(self, place: Place, frames: list[bytes]) -> None:
        """Add the frames of what a place has to tell."""
        if told := place.tell(self._vector, self._dress.frame_in_many):
            frames += [frame for _, frame in told]
            self._metrics.observe_ages((message for message, _ in told), now_ms())
        if place.subscription.is_ended and not place.is_finished:
            self._finish(place)

    def _finish(self, place: Place) -> None:
        """Let a job go whose end was told; the last one stays with the hub as long as the stream does."""
        place.is_finished = True
        self._unfinished -= 1
        if self._unfinished:
            self._leave_job(place)
