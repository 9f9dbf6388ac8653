"""A viewer of many jobs against a model of their logs: of each, every event once and in order, or a gap that says so.

What is held against the promise is the bytes of the frames: the viewer knows nothing but their data and the last vector
that it has seen, with which it comes back. The jobs happen, end, are redriven, trimmed, lost in a failover, deleted;
messages are lost, repeated, and cut off on their way.
"""

import uuid
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from gateway.estimate import Outlook
from gateway.streaming.part import Part
from gateway.streaming.sse import event_message
from gateway.streaming.vector import Vector, read_vector
from shared import events
from shared.errors import JobGone, JobNotFound, RequestError
from shared.event_id import START, EventId
from shared.jobs import JobError, JobRecord, JobState
from tests.support.sse_reader import read_frame

NAMES = [str(uuid.UUID(int=number)) for number in range(3)]
JOBS = len(NAMES)
AT = events.timestamp(0)
NUMBERS = st.integers(0, JOBS - 1)
REFUSED: dict[str, RequestError] = {"NOT_FOUND": JobNotFound("There is none."), "GONE": JobGone("It was deleted.")}


def message_of(kind: str, seq: int) -> bytes:
    """Write an event that knows its place, as callers are promised it."""
    match kind:
        case "queued":
            return events.encode(events.Queued(at=AT, message=str(seq)))
        case "progress":
            return events.encode(events.Progress(0.0, 0, 1, 0, None, str(seq), AT))
    return events.encode(events.Failed(JobError("INTERNAL", str(seq)), can_retry=True, at=AT))


def place_of(message: dict[str, Any]) -> int:
    """Read the place that message_of() wrote."""
    return int(message["error"]["message"] if message["type"] == "error" else message["message"])


class Job:
    """A job as Redis has it, and what its viewer has been told of it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.log: list[tuple[EventId, bytes]] = []
        self.tail = START
        self.is_ended = False
        self.refusal: str | None = None
        self.told: EventId | None = None
        self.refusals_told = 0
        self.append("queued")

    def append(self, kind: str, *, raises_epoch: bool = False) -> tuple[EventId, bytes]:
        self.tail = EventId(self.tail.epoch + raises_epoch, self.tail.seq + 1)
        self.log.append((self.tail, message_of(kind, self.tail.seq)))
        return self.log[-1]

    def found(self) -> JobRecord | RequestError:
        if self.refusal:
            return REFUSED[self.refusal]
        return JobRecord(
            job_id=self.name, owner="o", state=JobState.FAILED if self.is_ended else JobState.PROCESSING, file_ids=(1,),
            epoch=self.tail.epoch, seq=self.tail.seq, entry="1-1", created_at_ms=0, updated_at_ms=0,
        )  # fmt: skip

    def was_told_everything(self) -> bool:
        return bool(self.refusals_told) if self.refusal else self.told == self.tail


class ViewerOfManyJobs(RuleBasedStateMachine):
    """Three jobs, and one viewer who is cut and comes back with the last vector it has seen."""

    @initialize()
    def begin(self) -> None:
        self.jobs = [Job(name) for name in NAMES]
        self.vector: str | None = None
        self.open()

    # ── the jobs ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @rule(number=NUMBERS, kind=st.sampled_from(["progress", "progress", "error"]), is_delivered=st.booleans())
    def happen(self, number: int, kind: str, is_delivered: bool) -> None:
        job = self.jobs[number]
        if job.refusal:
            return
        # What follows the end is a redrive.
        message = job.append("queued", raises_epoch=True) if job.is_ended else job.append(kind)
        job.is_ended = not job.is_ended and kind == "error"
        if is_delivered:
            self.parts[number].subscription.offer(event_message(*message))
        self.collect()

    @rule(number=NUMBERS, keep=st.integers(1, 3))
    def trim(self, number: int, keep: int) -> None:
        self.jobs[number].log = self.jobs[number].log[-keep:]

    @rule(number=NUMBERS, lost=st.integers(1, 3))
    def fail_over(self, number: int, lost: int) -> None:
        job = self.jobs[number]
        if job.is_ended or job.refusal or len(job.log) == 1:
            return
        job.log = job.log[: max(1, len(job.log) - lost)]
        job.tail = job.log[-1][0]
        job.is_ended = b'"error"' in job.log[-1][1]
        self.parts[number].subscription.fall_behind()
        self.read(number, 10)

    @rule(number=NUMBERS, code=st.sampled_from(sorted(REFUSED)))
    def vanish(self, number: int, code: str) -> None:
        self.jobs[number].refusal = code

    @rule(number=NUMBERS)
    def come_back_to_life(self, number: int) -> None:
        """A replica that was behind forgets that the job was deleted."""
        self.jobs[number].refusal = None

    # ── the viewer ────────────────────────────────────────────────────────────────────────────────────────────────────

    def open(self) -> None:
        spots = read_vector(self.vector, None, JOBS)
        self.parts = [Part(number, job.name) for number, job in enumerate(self.jobs)]
        self.sent = Vector(spots)
        opened = [
            part.open(spot, job.found(), lambda _: Outlook(), at_ms=0)
            for part, spot, job in zip(self.parts, spots, self.jobs, strict=True)
        ]
        self.has_more = any(opened)
        for job, spot in zip(self.jobs, spots, strict=True):
            job.told = spot if isinstance(spot, EventId) else None
            job.refusals_told = int(self.vector is not None and self.vector.split(".")[self.jobs.index(job)] == "x")
        assert self.has_more or all(job.was_told_everything() for job in self.jobs), "sent away with something untold"
        self.collect()

    @rule(lost_frames=st.integers(0, 4))
    def be_cut_and_come_back(self, lost_frames: int) -> None:
        """What was under way is lost with the connection."""
        under_way = [frame for part in self.parts for _, frame in part.tell(self.sent)]
        for frame in under_way[: max(0, len(under_way) - lost_frames)]:
            self.receive(frame)
        self.open()

    @rule(number=NUMBERS, page=st.integers(1, 5))
    def read(self, number: int, page: int) -> None:
        job, subscription = self.jobs[number], self.parts[number].subscription
        if subscription.is_ended:
            return
        found = job.found()
        subscription.begin_read()
        if not isinstance(found, JobRecord):
            self.parts[number].refuse(found, at_ms=0)
            self.collect()
            return
        subscription.begin_replay(found, at_ms=0)
        while True:
            replayed = [entry for entry in job.log if entry[0] > subscription.cursor][:page]
            subscription.replayed(replayed, is_last_page=len(replayed) < page)
            self.collect()
            if len(replayed) < page or subscription.is_ended:
                return

    @rule()
    def look(self) -> None:
        """Whatever was lost: after two turns through the logs everything was told.

        An end that is told is the last of its job on this stream: a redriven one takes a return for each of its ends.
        """
        for _ in range(1 + sum(b'"error"' in message for job in self.jobs for _, message in job.log)):
            self.read_all()
            self.read_all()
            self.open()

        self.read_all()
        assert all(job.was_told_everything() for job in self.jobs)

    @precondition(lambda self: all(job.is_ended or job.refusal for job in self.jobs))
    @rule()
    def come_back_to_nothing(self) -> None:
        self.look()
        self.open()

        assert not self.has_more, "an EventSource would come back for ever"

    def read_all(self) -> None:
        for number, part in enumerate(self.parts):
            part.subscription.fall_behind()
            self.read(number, 7)

    # ── the promise ───────────────────────────────────────────────────────────────────────────────────────────────────

    def collect(self) -> None:
        for part in self.parts:
            for _, frame in part.tell(self.sent):
                self.receive(frame)

    def receive(self, text: bytes) -> None:
        frame = read_frame(text.decode().removesuffix("\n\n"))
        number = NAMES.index(frame.data["job_id"])
        job, before = self.jobs[number], self.vector.split(".") if self.vector else ["-"] * JOBS
        after = frame.id.split(".") if frame.id else before
        if frame.id is not None:
            self.vector = frame.id
            assert [*after[:number], *after[number + 1 :]] == [*before[:number], *before[number + 1 :]]
        if frame.type == "snapshot":
            job.told = EventId.parse(after[number]) if frame.id else EventId(job.tail.epoch, job.tail.seq - 1)
            job.refusals_told = 0
        elif after[number] == "x":
            job.refusals_told += 1
            assert job.refusals_told == 1, "said again"
        else:
            told = EventId.parse(after[number])
            assert told is not None
            assert job.told is not None
            assert told.seq == place_of(frame.data) == job.told.seq + 1, "a silent hole, or a duplicate"
            assert told > job.told
            job.told = told


def test_a_viewer_of_many_jobs_is_promised_what_one_of_each_is() -> None:
    run_state_machine_as_test(
        ViewerOfManyJobs, settings=settings(max_examples=150, stateful_step_count=40, deadline=None)
    )
