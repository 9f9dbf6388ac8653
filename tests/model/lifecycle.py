"""What the job store promises, as plain Python: one job's life, with no Redis, no clock and no concurrency.

    new ──take──▶ in a hand ──claim──▶ processing ──finish──▶ completed | failed | cancelled
                      ▲                  │   │   │
                      │                  │   │   └──crash (lease ran out, sweep) ──▶ ready
                      └── ready ◀──sweep─┘   └──release──▶ ready

    failed ──redrive──▶ new        its dead letter goes; discard takes the letter alone
    anything that waits ──cancel──▶ cancelled        processing: its run is asked, or else the next claim does it
    anything that waits ──expire──▶ failed           a day later; cancelled, when its run was asked and did not do it
    ended ──expire──▶ trimmed ──▶ tombstone ──▶ forgotten
    ended ──▶ callback waits ──take──▶ delivering ──▶ delivered | dead     its own life, longer than the record's
                └──the job ends again──▶ superseded

Time stands still here, and is counted in leases: a lease or a delay lasts until somebody lets it go by. The time of the
janitor is passed in, and counted in days from now.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from shared import limits
from shared.event_id import EventId
from shared.jobs import Checkpoint, JobState
from shared.jobstore.callback import CallbackState
from shared.jobstore.dead_letters import Redriven
from shared.jobstore.lifetimes import Step
from shared.jobstore.operations import Answer
from shared.jobstore.outbox import Redelivered

NEW = None
PARKED = "parked"
READY = "ready"
WAITS_DAYS = 1.0
"""From now until the janitor looks at what waits; all that happens in a test is now."""
TRIMMED_AFTER_DAYS = 0.01
KEPT_DAYS = 30_000.0
"""From now until an archive's time is over: until 2096 is longer than 4 days, and shorter than 40,000."""
KEPT_EVENTS = 3
DELIVERY_LEASE_DAYS = 0.25
"""How long a deliverer has a callback."""


class Claimed(StrEnum):
    """What a claim is answered."""

    RUN = "run"
    SAME_RUN = "the run that this token has already"
    NOT_DUE = "not due"
    BURIED = "buried"
    CANCELLED = "cancelled"
    GONE = "gone"


class ClaimMessages(NamedTuple):
    """The events that a claim may write; `started` has %d for the attempt."""

    started: bytes
    buried: bytes
    cancelled: bytes


@dataclass
class Callback:
    """What tells of one end of a job."""

    epoch: int
    is_for_admins: bool
    due_day: float
    state: CallbackState = CallbackState.WAITING
    token: str | None = None
    tries: int = 0
    """Those that have ended since it was last asked for."""
    tries_before: int = 0
    """Those before that."""
    asked_day: float = -1.0
    """When it was last wanted once more."""
    has_successor: bool = False
    """The same people are to be told of a later end."""

    @property
    def attempt(self) -> int:
        """Count the tries, with the one under way."""
        return self.tries + (self.state is CallbackState.DELIVERING)

    @property
    def tries_kept(self) -> int:
        """Count the tries that are still shown."""
        return min(self.tries_before + self.tries, limits.CALLBACK_TRIES_KEPT)

    @property
    def is_settled(self) -> bool:
        """Tell whether nobody tries it any more."""
        return self.state in (CallbackState.DELIVERED, CallbackState.DEAD, CallbackState.SUPERSEDED)

    def is_due(self, day: float) -> bool:
        """Tell whether a deliverer gets it."""
        return not self.is_settled and self.due_day <= day

    def take(self, token: str, day: float) -> None:
        """Begin a try, of one that has no successor."""
        self.state, self.token = CallbackState.DELIVERING, token
        self.due_day = day + DELIVERY_LEASE_DAYS

    def refuses(self, token: str) -> bool:
        """Tell whether this is no try of the one who has it."""
        return self.token != token

    def settle(self, state: CallbackState) -> None:
        """End a try, and all others; the repetition changes nothing."""
        if self.state is CallbackState.DELIVERING:
            self.state = state
            self.tries += 1

    def postpone(self, due_day: float, *, counts: bool) -> None:
        """End a try that another one follows, unless a later end is told in its place."""
        if self.state is CallbackState.DELIVERING:
            self.state = CallbackState.SUPERSEDED if self.has_successor else CallbackState.WAITING
            self.due_day = due_day
            self.tries += counts

    def tell_again(self, day: float) -> Redelivered:
        """Begin from the beginning, but for what is being told, or was asked for shortly before."""
        if self.state is CallbackState.DELIVERING or day <= self.asked_day:
            return Redelivered.UNCHANGED
        self.tries_before += self.tries
        self.state, self.token, self.tries = CallbackState.WAITING, None, 0
        self.due_day = self.asked_day = day
        return Redelivered.OK


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
    is_takeover: bool = False
    """The last claim found a run whose lease had run out."""
    wait_leases: float = 0.0
    """How long the lease or the delay lasts still; a claim succeeds at 0."""
    consumer: str | None = NEW
    """Who holds the entry in the consumer group; NEW until it is read."""
    idle_leases: float = 0.0
    """How old the entry looks to the sweeper."""
    failed_under: list[int] = field(default_factory=list)
    """The epochs under which it failed for good: more than one when it was redriven."""
    has_letter: bool = False
    is_cancel_asked: bool = False
    """Its run was asked to end."""
    is_deleted: bool = False
    checkpoint: Checkpoint | None = None
    """What the last run that kept one wants the next to go on from, until the job is completed, or cleared up."""
    ticket: int = 0
    """Its place in the partition's line, counted from 1; another one after a redrive."""
    object_key: str | None = None
    trimmed: int = 0
    """How many of its first events the log has no more."""
    visit_day: float = WAITS_DAYS
    """When the janitor looks at it next."""
    expires_day: float = KEPT_DAYS
    is_forgotten: bool = False
    has_url: bool = False
    """Whether its owner is told of its ends; the admins are of each failure."""
    callbacks: list[Callback] = field(default_factory=list)
    """Of its last ends, and in their order."""
    dead_callbacks_forgotten: int = 0
    """Those that were given up, and are known among the dead ones alone."""

    @property
    def seq(self) -> int:
        """The number of events."""
        return len(self.log)

    def is_owned_by(self, epoch: int, token: str) -> bool:
        """Tell whether this is the job's last claim, running or not."""
        return (epoch, token) == (self.epoch, self.token)

    def refusal(self, epoch: int, token: str) -> Answer | None:
        """Give what the fence answers; None when it lets the run through."""
        if self.is_forgotten:
            return Answer.GONE
        if not self.is_owned_by(epoch, token):
            return Answer.STALE
        return None if self.state is JobState.PROCESSING else Answer.DONE

    def append(self, message: bytes) -> None:
        """Write the next event."""
        self.log.append((EventId(self.epoch, self.seq + 1), message))

    def hold(self, consumer: str | None, *, wait_leases: float = 1.0, of_leases: float = 1.0) -> None:
        """Put the entry into somebody's hands, aged so that the sweeper of a lease finds it after the wait."""
        self.consumer, self.idle_leases = consumer, max(0.0, of_leases - wait_leases)

    def outwait(self) -> None:
        """Let the lease or the delay go by; nobody gives a sign of life meanwhile."""
        self.wait_leases, self.idle_leases = 0.0, 1.0

    def claim(self, entry: str, token: str, processor: str, *, is_lasting: bool, messages: ClaimMessages) -> Claimed:
        """Begin a run, or do what the claim must do instead."""
        if self.is_forgotten:
            return Claimed.GONE
        if self.state is JobState.FAILED and token == self.token and self.crashes == limits.MAX_CRASHES:
            return Claimed.BURIED
        if self.state is JobState.CANCELLED and token == self.token:
            return Claimed.CANCELLED
        if self.state.is_terminal or entry != self.entry:
            return Claimed.GONE
        if self.state is JobState.PROCESSING and token == self.token:
            return Claimed.SAME_RUN
        if token == self.token:  # of a run that was handed back: nobody would know of another one
            return Claimed.GONE
        if self.wait_leases:
            consumer = self.processor or "" if self.state is JobState.PROCESSING else PARKED
            self.hold(consumer, wait_leases=self.wait_leases, of_leases=float(is_lasting))
            return Claimed.NOT_DUE

        self.epoch += 1
        self.token = token
        self.is_takeover = self.state is JobState.PROCESSING
        if self.is_takeover:
            self.crashes += 1
        if self.is_cancel_asked:
            self.end(JobState.CANCELLED, messages.cancelled)
            return Claimed.CANCELLED
        if self.is_takeover and self.crashes == limits.MAX_CRASHES:
            self.end(JobState.FAILED, messages.buried)
            return Claimed.BURIED
        self.state = JobState.PROCESSING
        self.attempt += 1
        self.processor = processor
        self.wait_leases = float(is_lasting)
        self.append(messages.started % self.attempt)
        self.hold(processor)
        return Claimed.RUN

    def retry_later(self, message: bytes, *, delay_leases: float) -> None:
        """End a run that failed."""
        self.append(message)
        self.state = JobState.RETRYING
        self.failures += 1
        self.wait_leases = delay_leases
        self.hold(PARKED, wait_leases=delay_leases)

    def release(self, message: bytes) -> None:
        """Hand a run back, uncounted."""
        self.append(message)
        self.state = JobState.QUEUED
        self.attempt -= 1
        self.wait_leases = 0.0
        self.hold(READY)

    def end(self, state: JobState, message: bytes, *, day: float = 0.0) -> None:
        """End the job, on this day."""
        self.append(message)
        self.state = state
        self.is_cancel_asked = False
        self.visit_day, self.expires_day = (day, day) if self.is_deleted else (day + TRIMMED_AFTER_DAYS, KEPT_DAYS)
        if state is JobState.COMPLETED:
            self.checkpoint = None
        if state is JobState.FAILED:
            self.failed_under.append(self.epoch)
            self.has_letter = True
        told = [False] * self.has_url + [True] * (state is JobState.FAILED)
        for is_for_admins in told:
            self.tell(Callback(self.epoch, is_for_admins, day))

    def tell(self, new: Callback) -> None:
        """Put a callback beside the others: it supersedes what waits, and of what is settled the last ones are kept."""
        older = [one for one in self.callbacks if one.is_for_admins == new.is_for_admins]
        for callback in older:
            callback.has_successor = True
            if callback.state is CallbackState.WAITING:
                callback.state = CallbackState.SUPERSEDED
        for callback in [one for one in older if one.is_settled][: -limits.CALLBACK_ENDS_KEPT]:
            self.callbacks.remove(callback)
            self.dead_callbacks_forgotten += callback.state is CallbackState.DEAD
        self.callbacks.append(new)

    def cancel(self, message: bytes, *, deletes: bool) -> JobState:
        """End the job if it waits, ask its run to if it runs; give where it stands then."""
        if deletes and not self.is_deleted and self.state.is_terminal:
            self.visit_day = self.expires_day = 0.0
        self.is_deleted = self.is_deleted or deletes
        if self.state is JobState.PROCESSING:
            self.is_cancel_asked = True
        elif not self.state.is_terminal:
            self.epoch += 1
            self.end(JobState.CANCELLED, message)
        return self.state

    def redrive(self, epoch: int, message: bytes) -> Redriven:
        """Begin anew, once for each failure; the caller gives the new entry."""
        if self.is_deleted or self.is_forgotten:
            return Redriven.GONE
        if epoch < self.epoch:
            return Redriven.OK
        if epoch > self.epoch or self.state is not JobState.FAILED:
            return Redriven.NOT_FAILED
        self.epoch += 1
        self.append(message)
        self.state = JobState.QUEUED
        self.attempt = self.failures = self.crashes = 0
        self.token = self.processor = None
        self.wait_leases, self.has_letter = 0.0, False
        self.visit_day = WAITS_DAYS
        self.hold(NEW)
        return Redriven.OK

    def expire(self, day: float, *, expired: bytes, cancelled: bytes, has_cleared: bool) -> Step:
        """Take the job one step further, if it is time; `has_cleared`: what ABORT or DELETE asked for is done."""
        if self.is_forgotten:
            return Step.FORGOTTEN
        if self.visit_day > day:
            return Step.EXPIRED if self.log[-1][1] == expired else Step.NOT_YET
        if self.state is JobState.PROCESSING:
            self.visit_day = day + WAITS_DAYS
            return Step.NOT_YET
        if self.state.is_terminal:
            return self.clear_up(day, has_cleared=has_cleared)
        self.epoch += 1
        if self.is_cancel_asked:
            self.end(JobState.CANCELLED, cancelled, day=day)
            return Step.CANCELLED
        self.end(JobState.FAILED, expired, day=day)
        return Step.EXPIRED

    def clear_up(self, day: float, *, has_cleared: bool) -> Step:
        """Take away what is left of an ended job, as far as it is time."""
        self.trimmed = max(self.trimmed, self.seq - KEPT_EVENTS)
        if self.checkpoint and not has_cleared:
            return Step.ABORT
        self.checkpoint = None
        if day < self.expires_day:
            self.visit_day = self.expires_day
            return Step.TRIMMED
        if self.object_key and not has_cleared:
            return Step.DELETE
        self.object_key = None
        self.visit_day = self.expires_day + 1
        self.is_forgotten = day >= self.visit_day
        return Step.FORGOTTEN if self.is_forgotten else Step.TOMBSTONE

    def redeliver(self, day: float, *, for_admins: bool) -> Redelivered:
        """Tell the owner of the last end again, or admins of the last letter that they were told of."""
        if for_admins:
            if letters := [callback for callback in self.callbacks if callback.is_for_admins]:
                return letters[-1].tell_again(day)
            return Redelivered.GONE if self.is_forgotten else Redelivered.NO_CALLBACK
        if self.is_deleted or (self.is_forgotten and not self.has_url):
            return Redelivered.GONE
        if not self.has_url:
            return Redelivered.NO_CALLBACK
        if not self.state.is_terminal:
            return Redelivered.NOT_ENDED
        return [callback for callback in self.callbacks if not callback.is_for_admins][-1].tell_again(day)

    def bury_damaged(self, message: bytes) -> None:
        """End the job although its record could not be read; nobody older comes back."""
        self.epoch += 1
        self.end(JobState.FAILED, message)


@dataclass
class Partition:
    """The command stream of one partition, and its dead letters."""

    jobs: list[Job] = field(default_factory=list)
    """In the order of their entries: of creation, or of the last redrive."""
    foreign_letters: int = 0
    """Letters of entries that somebody else wrote."""
    tickets: int = 0
    """How many places in line were drawn."""
    taken: int = 0
    """The furthest place that a run has begun from."""

    def join(self, job: Job) -> None:
        """Put a job at the end of the line: one that is new, or is started anew."""
        self.tickets += 1
        job.ticket = self.tickets
        if job in self.jobs:
            self.jobs.remove(job)
        self.jobs.append(job)

    @property
    def dead_letters(self) -> int:
        """Count the letters of the jobs that failed for good, and of no job."""
        return sum(job.has_letter for job in self.jobs) + self.foreign_letters

    @property
    def unfinished(self) -> list[Job]:
        """Give the jobs that still have an entry."""
        return [job for job in self.jobs if not job.state.is_terminal]

    def in_hand_of(self, processor: str) -> list[str]:
        """Give the ids of the entries that a processor holds."""
        return [job.entry for job in self.held_by(processor)]

    def held_by(self, consumer: str | None) -> list[Job]:
        """Give the unfinished jobs whose entries are somebody's, in their order."""
        return [job for job in self.unfinished if job.consumer == consumer]

    def take(self, processor: str, most: int, in_hand: Collection[str]) -> list[Job]:
        """Hand out entries: those that went out in a lost reply, then ready ones, then new ones."""
        lost = [job for job in self.held_by(processor) if job.entry not in in_hand]
        taken = (lost + self.held_by(READY) + self.held_by(NEW))[:most]
        for job in taken:
            job.hold(processor)
        return taken

    def sweep(self, *, min_idle_leases: float) -> int:
        """Move to `ready` what looks as old as that; everything that was ever read for 0."""
        found = [job for job in self.unfinished if job.consumer is not NEW and job.idle_leases >= min_idle_leases]
        for job in found:
            job.hold(READY)
        return len(found)
