"""What the store's operations take, and what they answer. Pure values, no I/O."""

from enum import StrEnum
from typing import NamedTuple, Self

import msgspec

from shared import limits
from shared.jobs import BundleSummary, JobError, JobOptions, JobRecord, JobState, ProgressSnapshot, partition_of


class Answer(StrEnum):
    """What an operation on a run was answered.

    OK and DUP: done (DUP: it had been done before). CANCEL: somebody wants the job to end; it was done all the same,
    but for a release or a retry, which leave the end to the run. DONE: this very claim has ended its run already, the
    success of a repetition. STALE: somebody else owns the job by now. GONE: there is no such job.
    """

    OK = "OK"
    CANCEL = "CANCEL"
    DUP = "DUP"
    DONE = "DONE"
    STALE = "STALE"
    GONE = "GONE"


class NewJob(msgspec.Struct, frozen=True, kw_only=True):
    """What create needs: the job's id (which carries its partition), its owner, its files, its first event.

    `callback_url`: who is told its end; None: nobody.
    """

    job_id: str
    owner: str
    file_ids: tuple[int, ...]
    options: JobOptions
    queued_message: bytes
    traceparent: str | None = None
    callback_url: str | None = None
    expected_bytes: int | None = None
    promised_ms: int | None = None


class LinePlace(NamedTuple):
    """A place in the line of a partition: how many jobs joined up to it, its own included, and the kB of their files.

    Files whose size nobody knew count 0. Ticket 0 is the place before the first.
    """

    ticket: int = 0
    kb: int = 0

    @classmethod
    def read(cls, text: bytes | None) -> Self:
        """Read a place as scripts write it; what cannot be read, or is not there, is the place before the first."""
        try:
            return cls(*msgspec.json.decode(text or b"[]", type=tuple[int, int]))
        except msgspec.MsgspecError:
            return cls()


class Bounds(NamedTuple):
    """How much a partition may have for one more job to be created in it; None: any number.

    `in_flight`: unfinished jobs of the new one's owner, `backlog`: of everybody. `callbacks`: that wait for receivers
    of the owner; for a job that will have one.
    """

    in_flight: int | None = None
    backlog: int | None = None
    callbacks: int | None = None

    def as_arguments(self) -> tuple[int | str, ...]:
        """Give them as the scripts take them, in this order: empty for any number, and never below 0."""
        return tuple("" if bound is None else max(0, bound) for bound in self)


class Full(StrEnum):
    """Which bound a create met."""

    IN_FLIGHT = "IN_FLIGHT"
    BACKLOG = "BACKLOG"
    CALLBACKS = "CALLBACKS"


class Refused(NamedTuple):
    """A create that met a bound, and left nothing; the numbers as in Created."""

    full: Full
    unfinished_jobs: int
    in_flight: int


class Created(NamedTuple):
    """The reply of create: `is_new` is False when this id existed already; both mean success.

    `unfinished_jobs` of its partition, `in_flight` those of them that are its owner's. `place` is the job's own,
    `taken` the furthest one that a run has begun from; a job from before there were places has one without a ticket.
    `callbacks`: how many of its owner's wait there, where the create was bounded by them.
    """

    is_new: bool
    unfinished_jobs: int
    place: LinePlace
    taken: LinePlace
    in_flight: int = 0
    callbacks: int | None = None


class Entry(NamedTuple):
    """One command entry in a processor's hands, not claimed yet; `partition` is the one whose stream it stands in."""

    entry_id: str
    job_id: str
    partition: int

    @classmethod
    def read(cls, partition: int, entry_id: bytes, job_id: bytes) -> Self:
        """Read an entry as Redis gives it; what it says of its job may be anything."""
        return cls(entry_id.decode(), job_id.decode(errors="replace"), partition)

    @property
    def is_foreign(self) -> bool:
        """Tell whether it names no job of its partition: not we have written it, and no claim can find it."""
        return partition_of(self.job_id) != self.partition

    @property
    def accepted_at_ms(self) -> int:
        """When the entry was made: at the job's creation, or when it was last begun anew (milliseconds since 1970)."""
        return int(self.entry_id.partition("-")[0])


class Run(NamedTuple):
    """A claimed run: the proof of ownership (the fence is epoch and token), and the record as it was claimed.

    `is_takeover`: the lease of the run before ran out, and was counted as a crash; `taken_from` is its
    processor, "" where the record does not know it.
    """

    job_id: str
    epoch: int
    token: str
    record: JobRecord
    is_takeover: bool = False
    taken_from: str = ""


class Behind(NamedTuple):
    """The log ends earlier than its writer thinks; `seq` is the number of its last event."""

    seq: int


class NotDue(NamedTuple):
    """The entry came too early and was put back."""

    wait_ms: int


class Buried(NamedTuple):
    """The job crashed too often: this claim has ended it with a dead letter instead of running it again.

    `processor` is the one that crashed last, `attempts` counts the runs.
    """

    attempts: int
    processor: str


class Cancelled(NamedTuple):
    """Somebody wanted the job to end: this claim has done that instead of running it."""


class Damaged(NamedTuple):
    """Record or log of the job cannot be read: there is no run to give (damage.py ends such a job)."""


class ClaimTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What a processor brings to each claim; messages are encoded events, times are milliseconds."""

    processor: str
    lease_ms: int
    started_message: bytes
    buried_message: bytes
    buried_error: JobError
    expires_at_ms: int
    retention_ms: int
    max_crashes: int = limits.MAX_CRASHES


PERMANENT = "permanent"
"""The reason of a dead letter: trying again cannot help."""


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How a job ends: with a bundle (completed), with an error (failed, and `reason` of its dead letter), or cancelled.

    `letter_error`: the error as operators are told it, where that differs.
    """

    message: bytes
    expires_at_ms: int
    retention_ms: int
    object_key: str | None = None
    bundle: BundleSummary | None = None
    progress: ProgressSnapshot | None = None
    error: JobError | None = None
    letter_error: JobError | None = None
    reason: str = ""

    @property
    def is_permanent(self) -> bool:
        """Tell whether another run would end in the same way."""
        return self.reason == PERMANENT

    @property
    def state(self) -> JobState:
        """The state in which it leaves the job."""
        if self.bundle:
            return JobState.COMPLETED
        return JobState.FAILED if self.error else JobState.CANCELLED


class ListPlace(NamedTuple):
    """Where a job stands among its owner's: by creation (milliseconds since 1970), and by id within one millisecond."""

    created_at_ms: int
    job_id: str


class CancelReply(NamedTuple):
    """What became of a wish to end a job.

    `state`: where the job stands now; `processing` means that its run was asked to end. `object_key`: what it had left
    in the store. `ends_now`: this very call has ended it.
    """

    state: JobState
    object_key: str | None = None
    ends_now: bool = False


class Backlog(NamedTuple):
    """One partition's unfinished jobs: waiting + running + parked + ready, and its dead letters.

    `oldest_waiting_ms`: how long ago the oldest waiting one came; `oldest_unfinished_ms`: the oldest of all.
    """

    unfinished: int
    pending: int
    parked: int
    ready: int
    oldest_waiting_ms: int
    dead_letters: int
    oldest_unfinished_ms: int = 0

    @property
    def waiting(self) -> int:
        """Jobs that no processor has read yet."""
        return self.unfinished - self.pending

    @property
    def running(self) -> int:
        """Jobs in a processor's hands."""
        return self.pending - self.parked - self.ready


class Line(NamedTuple):
    """How the jobs of one partition stand in line: those that wait for their first run stand from `taken` to `end`.

    `ready` are those to be taken up again, which go first, `parked` those that wait for their next try.
    """

    unfinished: int
    parked: int
    ready: int
    end: LinePlace
    taken: LinePlace

    @property
    def waiting(self) -> int:
        """How many wait for their first run, at most: some may have been cancelled."""
        return max(0, min(self.end.ticket - self.taken.ticket, self.unfinished - self.parked - self.ready))

    @property
    def running(self) -> int:
        """How many are in a processor's hands, at least."""
        return max(0, self.unfinished - self.parked - self.ready - self.waiting)


class Sweep(NamedTuple):
    """One turn of the sweeper: whether this process leads, where to go on, and how many entries were found.

    `at_ms` is Redis' time of the answer. `is_late`: the turn came too late, and nothing was moved.
    """

    is_leader: bool
    at_ms: int
    cursor: str = "0-0"
    found: int = 0
    is_late: bool = False
