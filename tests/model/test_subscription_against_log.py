"""A viewer against random interleavings of appends, losses, trims, failovers, cuts and reads of the log.

The promise (design rule 6): every event after the cursor exactly once and in order, or an explicit gap with a snapshot.
"""

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from gateway.streaming.sse import event_message
from gateway.streaming.subscription import Subscription
from shared.event_id import EventId
from shared.jobs import JobRecord, JobState


class ViewerOfOneJob(RuleBasedStateMachine):
    """The log, a lossy live channel, and one viewer who is cut and comes back with the last id it has seen."""

    @initialize()
    def begin(self) -> None:
        self.log: list[tuple[EventId, bytes]] = []
        self.tail = EventId(0, 0)
        self.is_ended = False
        self.number = 0
        self.append("queued")
        self.last_id: EventId | None = None
        self.open(None)

    # ── the job ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def append(self, kind: str, *, epoch: int | None = None) -> EventId:
        self.number += 1
        self.tail = EventId(self.tail.epoch if epoch is None else epoch, self.tail.seq + 1)
        self.log.append((self.tail, b'{"type":"%b","n":%d}' % (kind.encode(), self.number)))
        return self.tail

    @precondition(lambda self: not self.is_ended)
    @rule(is_delivered=st.booleans(), raises_epoch=st.booleans(), times=st.integers(1, 90))
    def happen(self, is_delivered: bool, raises_epoch: bool, times: int) -> None:
        for _ in range(times if times > 80 else 1 + times % 3):
            self.append("progress", epoch=self.tail.epoch + raises_epoch)
            if is_delivered:
                self.viewer.offer(event_message(*self.log[-1]))
        self.collect()

    @precondition(lambda self: not self.is_ended)
    @rule(is_delivered=st.booleans())
    def end(self, is_delivered: bool) -> None:
        self.append("error")
        self.is_ended = True
        if is_delivered:
            self.viewer.offer(event_message(*self.log[-1]))
        self.collect()

    @precondition(lambda self: self.is_ended)
    @rule(is_delivered=st.booleans())
    def redrive(self, is_delivered: bool) -> None:
        """A failed job begins anew: its log goes on behind its terminal message."""
        self.append("queued", epoch=self.tail.epoch + 1)
        self.is_ended = False
        if is_delivered:
            self.viewer.offer(event_message(*self.log[-1]))
        self.collect()

    @rule(keep=st.integers(1, 5))
    def trim(self, keep: int) -> None:
        self.log = self.log[-keep:]

    @precondition(lambda self: not self.is_ended and len(self.log) > 1)
    @rule(lost=st.integers(1, 4))
    def fail_over(self, lost: int) -> None:
        """Redis loses its last writes; the hub, whose connection broke, doubts every viewer's place."""
        self.log = self.log[: max(1, len(self.log) - lost)]
        self.tail = self.log[-1][0]
        self.viewer.fall_behind()
        self.read_log(10)

    @rule(which=st.integers(0, 100))
    def deliver_again(self, which: int) -> None:
        """A channel that was subscribed anew may repeat what the log has given already."""
        entry = self.log[which % len(self.log)]
        if not self.viewer.is_ended and entry[0] <= self.viewer.cursor:
            self.viewer.offer(event_message(*entry))
            self.collect()

    @rule(ahead=st.integers(2, 9))
    def deliver_from_nowhere(self, ahead: int) -> None:
        """A message of a timeline that was lost arrives late."""
        if not self.viewer.is_ended:
            self.viewer.offer(event_message(EventId(self.tail.epoch, self.tail.seq + ahead), b'{"type":"progress"}'))
            for _ in range(3):  # one that makes progress, two that do not
                self.read_log(5)
            assert not self.viewer.is_behind

    # ── the viewer ────────────────────────────────────────────────────────────────────────────────────────────────────

    def record(self) -> JobRecord:
        state = JobState.COMPLETED if self.is_ended else JobState.PROCESSING
        return JobRecord(
            job_id="j", owner="o", state=state, file_ids=(1,), epoch=self.tail.epoch, seq=self.tail.seq, entry="1-1",
            created_at_ms=0, updated_at_ms=0,
        )  # fmt: skip

    def open(self, cursor: EventId | None) -> None:
        self.viewer = Subscription()
        self.viewer.open(cursor, self.record(), at_ms=0)
        self.collect()

    @rule()
    def be_cut_and_come_back(self) -> None:
        self.viewer.take()  # what was under way is lost with the connection
        self.open(self.last_id)

    @precondition(lambda self: not self.is_ended)
    @rule(times=st.integers(1, 3))
    def look_while_the_log_is_read(self, times: int) -> None:
        """Events are lost by the channel after the last page was read; the hub's look finds that out in time."""
        if self.viewer.is_ended:
            return
        self.viewer.begin_read()
        self.viewer.begin_replay(self.record(), at_ms=0)
        page = [entry for entry in self.log if entry[0] > self.viewer.cursor]
        for _ in range(times):
            self.append("progress")
        self.viewer.fall_behind()
        self.viewer.replayed(page, is_last_page=True)
        self.collect()
        while self.viewer.is_behind:
            self.read_log(7)

        assert self.has_everything(), "it goes live with a hole behind it"

    @rule(page=st.integers(1, 30), asks_for_tail=st.booleans())
    def read_log(self, page: int, asks_for_tail: bool = True) -> None:
        if self.viewer.is_ended:
            return
        self.viewer.begin_read()
        if asks_for_tail and self.viewer.is_at(self.tail):
            self.collect()
            return
        self.viewer.begin_replay(self.record(), at_ms=0)
        while True:
            found = [entry for entry in self.log if entry[0] > self.viewer.cursor][:page]
            is_last_page = len(found) < page
            self.viewer.replayed(found, is_last_page=is_last_page)
            self.collect()
            if is_last_page or self.viewer.is_ended:
                return

    @rule()
    def sweep(self) -> None:
        """Whatever was lost: after at most two turns through the log the viewer has everything.

        A terminal message ends a stream; whoever wants to see whether the job was redriven comes back, once for each.
        """
        self.read_log(7)
        while self.viewer.is_ended and not self.is_ended:
            self.open(self.last_id)
            self.read_log(7)
        for _ in range(2):
            self.viewer.fall_behind()
            self.read_log(7)

        assert self.viewer.is_ended == self.is_ended
        assert self.has_everything()

    def has_everything(self) -> bool:
        return self.viewer.is_ended or self.last_id == self.tail

    def collect(self) -> None:
        """Receive what is sent, and hold it against the promise."""
        for message in self.viewer.take():
            data = msgspec.json.decode(message.frame.partition(b"data: ")[2].partition(b"\n")[0])
            if data["type"] == "snapshot":
                self.last_id = message.event_id or EventId(self.tail.epoch, self.tail.seq - 1)
                continue
            assert message.event_id is not None
            assert self.last_id is not None
            assert message.event_id.seq == self.last_id.seq + 1, "a silent hole, or a duplicate"
            assert message.event_id > self.last_id, "out of order"
            self.last_id = message.event_id


ViewerOfOneJob.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestViewerOfOneJob = ViewerOfOneJob.TestCase
