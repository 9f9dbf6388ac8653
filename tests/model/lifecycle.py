"""What the job store promises, as plain Python: one job's life, with no Redis, no clock and no concurrency.

    new ──take──▶ in a hand ──claim──▶ processing ──finish──▶ completed | failed
                      ▲                  │   │   │
                      │                  │   │   └──crash (lease ran out, sweep) ──▶ ready
                      └── ready ◀──sweep─┘   └──release──▶ ready

    failed ──redrive──▶ new        its dead letter goes; discard takes the letter alone

Time is two-valued here: a lease or a delay has either run out already or lasts longer than any test.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from shared import limits
from shared.event_id import EventId
from shared.jobs import JobState
from shared.jobstore.dead_letters import Redriven
from shared.jobstore.operations import Answer

NEW = None
PARKED = "parked"
READY = "ready"


class Claimed(StrEnum):
    """What a claim is answered."""

    RUN = "run"
    SAME_RUN = "the run that this token has already"
    NOT_DUE = "not due"
    BURIED = "buried"
    GONE = "gone"


@dataclass
class Job:
    """One job as it must be."""

    job_id: str
    partition: int
    entry: str
    log: list[tuple[EventId, bytes]]
    state: JobState = JobState.QUEUED
    epoch: int = 0
    attempt: int = 0
    failures: int = 0
    crashes: int = 0
    token: str | None = None
    processor: str | None = None
    progress_ratio: float = 0.0
    is_due: bool = True
    """The lease or the delay is over, so that a claim succeeds."""
    consumer: str | None = NEW
    """Who holds the entry in the consumer group; NEW until it is read."""
    is_idle: bool = False
    """The entry looks as old as a lease to the sweeper."""
    failed_under: list[int] = field(default_factory=list)
    """The epochs under which it failed for good: more than one when it was redriven."""
    has_letter: bool = False

    @property
    def seq(self) -> int:
        """The number of events."""
        return len(self.log)

    def is_owned_by(self, epoch: int, token: str) -> bool:
        """Tell whether this is the job's last claim, running or not."""
        return (epoch, token) == (self.epoch, self.token)

    def refusal(self, epoch: int, token: str) -> Answer | None:
        """Give what the fence answers; None when it lets the run through."""
        if not self.is_owned_by(epoch, token):
            return Answer.STALE
        return None if self.state is JobState.PROCESSING else Answer.DONE

    def append(self, message: bytes) -> None:
        """Write the next event."""
        self.log.append((EventId(self.epoch, self.seq + 1), message))

    def hold(self, consumer: str | None, *, is_idle: bool = False) -> None:
        """Put the entry into somebody's hands."""
        self.consumer, self.is_idle = consumer, is_idle

    def claim(
        self, entry: str, token: str, processor: str, *, is_lasting: bool, started: bytes, buried: bytes
    ) -> Claimed:
        """Begin a run, or do what the claim must do instead."""
        if self.state is JobState.FAILED and token == self.token and self.crashes == limits.MAX_CRASHES:
            return Claimed.BURIED
        if self.state.is_terminal or entry != self.entry:
            return Claimed.GONE
        if self.state is JobState.PROCESSING and token == self.token:
            return Claimed.SAME_RUN
        if token == self.token:  # of a run that was handed back: nobody would know of another one
            return Claimed.GONE
        if not self.is_due:
            self.hold(self.processor or "" if self.state is JobState.PROCESSING else PARKED)
            return Claimed.NOT_DUE

        self.epoch += 1
        self.token = token
        if self.state is JobState.PROCESSING:
            self.crashes += 1
            if self.crashes == limits.MAX_CRASHES:
                self.end(JobState.FAILED, buried)
                return Claimed.BURIED
        self.state = JobState.PROCESSING
        self.attempt += 1
        self.processor = processor
        self.is_due = not is_lasting
        self.append(started % self.attempt)
        self.hold(processor)
        return Claimed.RUN

    def retry_later(self, message: bytes, *, is_due: bool) -> None:
        """End a run that failed."""
        self.append(message)
        self.state = JobState.RETRYING
        self.failures += 1
        self.is_due = is_due
        self.hold(PARKED, is_idle=is_due)

    def release(self, message: bytes) -> None:
        """Hand a run back, uncounted."""
        self.append(message)
        self.state = JobState.QUEUED
        self.attempt -= 1
        self.is_due = True
        self.hold(READY)

    def end(self, state: JobState, message: bytes) -> None:
        """End the job."""
        self.append(message)
        self.state = state
        if state is JobState.FAILED:
            self.failed_under.append(self.epoch)
            self.has_letter = True

    def redrive(self, epoch: int, message: bytes) -> Redriven:
        """Begin anew, once for each failure; the caller gives the new entry."""
        if epoch < self.epoch:
            return Redriven.OK
        if epoch > self.epoch or self.state is not JobState.FAILED:
            return Redriven.NOT_FAILED
        self.epoch += 1
        self.append(message)
        self.state = JobState.QUEUED
        self.attempt = self.failures = self.crashes = 0
        self.token = self.processor = None
        self.is_due, self.has_letter = True, False
        self.hold(NEW)
        return Redriven.OK


@dataclass
class Partition:
    """The command stream of one partition, and its dead letters."""

    jobs: list[Job] = field(default_factory=list)
    """In the order of their entries: of creation, or of the last redrive."""

    @property
    def dead_letters(self) -> int:
        """Count the letters of the jobs that failed for good."""
        return sum(job.has_letter for job in self.jobs)

    @property
    def unfinished(self) -> list[Job]:
        """Give the jobs that still have an entry."""
        return [job for job in self.jobs if not job.state.is_terminal]

    def in_hand_of(self, processor: str) -> list[str]:
        """Give the ids of the entries that a processor holds."""
        return [job.entry for job in self.unfinished if job.consumer == processor]

    def take(self, processor: str, most: int) -> list[Job]:
        """Hand out entries: ready ones first, then new ones."""
        ready = [job for job in self.unfinished if job.consumer == READY]
        new = [job for job in self.unfinished if job.consumer is NEW]
        taken = (ready + new)[:most]
        for job in taken:
            job.hold(processor)
        return taken

    def sweep(self, *, is_early: bool) -> int:
        """Move to `ready` what looks abandoned, or, too early, everything that was ever read."""
        found = [job for job in self.unfinished if job.consumer is not NEW and (is_early or job.is_idle)]
        for job in found:
            job.hold(READY)
        return len(found)
