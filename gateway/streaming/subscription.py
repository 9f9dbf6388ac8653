"""One viewer's place in one job's events: a pure state machine. Records, events and live messages in, messages out.

        open ──▶ behind ──replayed──▶ live ──terminal──▶ ended
                   ▲                    │
                   └── hole, overflow, resync, sweep

While it is behind, live messages are parked; replayed() gives the log after the cursor, then what was parked. What
a viewer has seen moves its cursor, nothing else does: an event at or before the cursor is dropped, one that is not the
next is a hole, and a hole is read from the log or told as a gap. Never a silent hole, never a duplicate.
"""

from collections.abc import Callable, Sequence
from enum import Enum, StrEnum

from gateway.estimate import Outlook
from gateway.representation import snapshot
from gateway.streaming.sse import Message, event_message, snapshot_message
from shared import limits
from shared.event_id import EventId
from shared.events import Gap
from shared.jobs import JobRecord


class Resume(StrEnum):
    """How a stream was opened; the outcome of sse_resumes_total.

    FRESH: without a cursor. EXACT: with one whose following events follow. GAP: some of them are lost, or it is no id.
    TIMELINE: it lies beyond the log. TERMINAL: it is the end.
    """

    FRESH = "fresh"
    EXACT = "exact"
    GAP = "gap"
    TIMELINE = "timeline"
    TERMINAL = "terminal"


class Unreadable(Enum):
    """A cursor that is no id at all."""

    CURSOR = "unreadable"


Cursor = EventId | Unreadable | None


def read_cursor(header: str | None, query: str | None) -> Cursor:
    """Find the cursor of a request: the Last-Event-ID header wins, because a query stays the same on every reconnect.

    None: no cursor. An empty header is none (a client that has seen no id yet sends none, or an empty one).
    """
    text = header or query
    if not text:
        return None
    return EventId.parse(text) or Unreadable.CURSOR


def tail_of(record: JobRecord) -> EventId:
    """Give the id of a job's newest event."""
    return EventId(record.epoch, record.seq)


def _before(event_id: EventId) -> EventId:
    return EventId(event_id.epoch, event_id.seq - 1)


class Subscription:
    """The state machine of one viewer.

    `outlook_of` tells what snapshots show of a job that waits.
    While `is_behind`: begin_read(), read the id of the last event, is_at(); when it is not there: read the record,
    begin_replay(), read the log after `cursor`, replayed().
    """

    __slots__ = (
        "_at_ms",
        "_fruitless",
        "_is_doubtful",
        "_out",
        "_outlook_of",
        "_parked",
        "_record",
        "_replayed_from",
        "cursor",
        "is_behind",
        "is_ended",
        "resume",
    )

    def __init__(self, outlook_of: Callable[[JobRecord], Outlook] = lambda _: Outlook()) -> None:
        self._outlook_of = outlook_of
        self.cursor = EventId(0, 0)
        self.is_behind = True
        self.is_ended = False
        self.resume = Resume.FRESH
        self._record: JobRecord | None = None
        self._replayed_from = self.cursor
        self._fruitless = 0
        self._at_ms = 0
        self._parked: list[Message] = []
        self._is_doubtful = False
        self._out: list[Message] = []

    def open(self, cursor: Cursor, record: JobRecord, *, at_ms: int) -> bool:
        """Place the viewer; False when there is nothing more to tell: its cursor is the end of an ended job (204)."""
        tail = tail_of(record)
        is_known = isinstance(cursor, EventId) and cursor <= tail
        self.resume = _outcome(cursor, is_known=is_known)
        if isinstance(cursor, EventId) and is_known:
            self.cursor = cursor
            if cursor == tail and record.state.is_terminal:
                self.resume = Resume.TERMINAL
                self._end()
                return False
            return True
        gap = None if cursor is None else Gap(from_=_text_of(cursor), to=str(tail), missed=None)
        self._show(record, gap, at_ms)
        return True

    def offer(self, message: Message) -> None:
        """Take one live message."""
        assert message.event_id is not None
        if self.is_ended or message.event_id <= self.cursor:
            return
        if not self.is_behind and self.cursor.is_followed_by(message.event_id):
            self._give(message)
            return
        # A hole, or not caught up yet: the log has what is missing.
        self.is_behind = True
        if len(self._parked) < limits.MAX_PARKED_MESSAGES:
            self._parked.append(message)
        else:
            self._is_doubtful = True  # one more turn through the log

    def fall_behind(self) -> None:
        """Doubt the live channel: messages may have been missed."""
        if not self.is_ended:
            self.is_behind = self._is_doubtful = True

    def begin_read(self) -> None:
        """Forget what is parked: it is in the log that is about to be read, or in none any more.

        After a failover the latter would move the cursor beyond the log; the next event would look like a known one.
        """
        self._parked.clear()
        self._is_doubtful = False

    def is_at(self, tail: EventId | None) -> bool:
        """Go live when the log has nothing that this viewer has not seen; `tail` was read after begin_read()."""
        if tail != self.cursor:
            return False
        self._replayed_from = self.cursor
        self._go_live()
        return True

    def begin_replay(self, record: JobRecord, *, at_ms: int) -> None:
        """Take the job as it is now; pages of the log after `cursor` follow by replayed()."""
        self._record, self._at_ms, self._replayed_from = record, at_ms, self.cursor
        if tail_of(record) < self.cursor:
            # Redis lost writes that this viewer has seen: another timeline has begun.
            self._parked.clear()
            self._show(record, Gap(from_=str(self.cursor), to=str(tail_of(record)), missed=None), at_ms)

    def replayed(self, page: Sequence[tuple[EventId, bytes]], *, is_last_page: bool) -> None:
        """Take a page of the log after `cursor`, read after the record of begin_replay()."""
        for event_id, encoded in page:
            if not self.is_ended:
                self._replay(event_id, encoded)
        if is_last_page and not self.is_ended:
            self._catch_up()

    def give_up(self) -> None:
        """End here: the job cannot be had, whatever its log holds."""
        self._end()

    def take(self) -> list[Message]:
        """Take what is to be sent now."""
        out, self._out = self._out, []
        return out

    def _replay(self, event_id: EventId, encoded: bytes) -> None:
        if event_id <= self.cursor:
            return
        if not self.cursor.is_followed_by(event_id):
            self._show_missing(_before(event_id))
        self._give(event_message(event_id, encoded))

    def _catch_up(self) -> None:
        """Go live: the log has nothing newer than the cursor."""
        assert self._record is not None
        if self.cursor < (tail := tail_of(self._record)):
            self._show_missing(tail)
            if self._record.state.is_terminal:
                self._end()
                return
        self._go_live()

    def _go_live(self) -> None:
        self._record = None  # a kilobyte for each viewer; the next reading brings its own
        was_doubtful = self._is_doubtful
        self.is_behind, self._is_doubtful = was_doubtful, False
        if not was_doubtful:
            self._take_parked()

    def _take_parked(self) -> None:
        parked, self._parked = self._parked, []
        for message in parked:
            self.offer(message)
        self._fruitless = self._fruitless + 1 if self.cursor == self._replayed_from else 0
        if self.is_behind and self._fruitless > 1:
            # What is parked stands beyond a hole that the log cannot fill: it belongs to no log of this job, or to one
            # that was lost. Reading again would be for ever; the next doubt finds what there is.
            self._parked.clear()
            self.is_behind = False

    def _show_missing(self, to: EventId) -> None:
        """Tell that the events up to `to` are gone: one frame with state and gap, so that no cut falls between them."""
        assert self._record is not None
        missed = to.seq - self.cursor.seq
        gap = Gap(from_=str(self.cursor), to=str(to), missed=missed if missed > 0 else None)
        self.resume = Resume.GAP
        encoded = snapshot(self._record, self._outlook_of(self._record), at_ms=self._at_ms, gap=gap)
        self._out.append(snapshot_message(to, encoded))
        self.cursor = to

    def _show(self, record: JobRecord, gap: Gap | None, at_ms: int) -> None:
        """Begin anew with the job as it is; of an ended job the terminal message follows, from the log."""
        tail = tail_of(record)
        encoded = snapshot(record, self._outlook_of(record), at_ms=at_ms, gap=gap)
        is_over = record.state.is_terminal
        self._out.append(snapshot_message(None if is_over else tail, encoded))
        self.cursor = _before(tail) if is_over else tail

    def _give(self, message: Message) -> None:
        assert message.event_id is not None
        self._out.append(message)
        self.cursor = message.event_id
        if message.is_terminal:
            self._end()

    def _end(self) -> None:
        self.is_ended, self.is_behind = True, False


def _outcome(cursor: Cursor, *, is_known: bool) -> Resume:
    if isinstance(cursor, EventId):
        return Resume.EXACT if is_known else Resume.TIMELINE
    return Resume.FRESH if cursor is None else Resume.GAP


def _text_of(cursor: EventId | Unreadable) -> str | None:
    return str(cursor) if isinstance(cursor, EventId) else None
