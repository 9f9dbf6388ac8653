"""What everybody saw and did during a storm. Values only: the checker judges them, tests of the checker forge them."""

from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from shared.event_id import EventId
from shared.jobs import JobRecord
from shared.jobstore.callback import CallbackRecord

SUPERSEDED = ("STALE", "GONE")
"""The answers by which a run learns that its job is not its own any more."""


class What(StrEnum):
    """The kinds of deeds.

    ANSWERED: an operation on the job store and its answer are in `detail`. UPLOADING, COMPLETING, COMPLETED: `detail`
    is the upload's id, or the object's key. CANCELLED: the handler was interrupted. DYING: `detail` is the crash point.
    """

    CLAIMING = "claiming"
    DRAINING = "draining"

    BEGAN = "began"
    UPLOADING = "uploading"
    COPIED = "copied"
    CONFIRMED = "confirmed"
    COMPLETING = "completing"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"
    ANSWERED = "answered"
    DYING = "dying"


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a run did or was told, in its processor's own order; without a job: the processor itself."""

    at_ms: int
    processor: str
    what: What
    job_id: str = ""
    epoch: int = 0
    token: str = ""
    detail: str = ""


class Event(NamedTuple):
    """An event of a log, or one that somebody was shown."""

    event_id: EventId
    message: dict[str, Any]

    @property
    def type(self) -> str:
        """The type of its message."""
        return str(self.message["type"])


class Shown(NamedTuple):
    """One thing that a client was shown: an event, or a snapshot that moves its cursor (`gap`: over lost events)."""

    event: Event
    has_gap: bool = False


class Sighting(msgspec.Struct, kw_only=True):
    """What one client was shown of one job, over all its connections or pages, in the order in which it came."""

    client: str
    job_id: str
    shown: list[Shown]
    saw_end: bool = False
    saw_gone: bool = False


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One answer to GET of a job, in the order in which one client got them."""

    job_id: str
    status: str
    attempt: int
    progress: float


class Asked(StrEnum):
    """What a caller wants; LOOK is any way of looking at a job, RETRY is its owner's redrive, REDRIVE an operator's."""

    CREATE = "create"
    CANCEL = "cancel"
    DELETE = "delete"
    LOOK = "look"
    RETRY = "retry"
    REDRIVE = "redrive"


UNKNOWN = 0
"""The status of a call that was refused for now, or cut off: it may have been done."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One call that was answered, from its sending to its answer (milliseconds since 1970).

    `status` is HTTP's, or UNKNOWN, of a RETRY. `word`: where the job stands, as CANCEL is told, or the answer to
    REDRIVE, which was asked for under `epoch`. `key`: the Idempotency-Key of CREATE, which is the job's number; "" for
    none.
    """

    asked: Asked
    job_id: str
    sent_at_ms: int
    answered_at_ms: int
    status: int = 0
    word: str = ""
    key: str = ""
    epoch: int = 0


class DeadLetter(NamedTuple):
    """A dead letter: its id, the job that it is about, and why it failed."""

    dead_id: str
    job_id: str
    reason: str = ""


class Census(msgspec.Struct, frozen=True, kw_only=True):
    """The jobs of a partition at one moment, as `<owner> <job id>`: those that have not ended, and those that count.

    So for callbacks, as `<owner> <webhook-id>`: those of owners that wait in the outbox, and those that count.
    """

    unfinished: frozenset[str]
    counted: frozenset[str]
    waiting: frozenset[str] = frozenset()
    counted_callbacks: frozenset[str] = frozenset()


class History(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about a storm after which the system has come to rest.

    `accepted`: the jobs that were answered 202. `deaths`: when a processor died without a word; `frozen`: when one was
    stopped past its leases for the first time, and came back (both milliseconds since 1970). `entries`, `pending`: what
    the command streams hold, by entry. `archives`: what is wrong with each completed job's archive, "" when nothing is.
    `open_uploads`: the ids of uploads that nobody ended. `calls`: what callers and operators wanted. `callbacks`: what
    is kept of each job's, once the outbox is drained, `heard` the ids that receivers have answered with success, each
    as often as it came, `dead_callbacks` the ids of those that were given up. `listed`: the ids in the owner's list.
    `findings`: what doctor would say does not fit together, in words. `censuses`: taken again and again during the
    storm, and at its end. `left`: what is still there once the time of everything is over, by its name in Redis or in
    the store.
    """

    accepted: frozenset[str]
    logs: dict[str, list[Event]]
    records: dict[str, JobRecord]
    sightings: list[Sighting]
    answers: list[Answer]
    deeds: list[Deed]
    deaths: dict[str, int]
    frozen: dict[str, int]
    entries: dict[str, str]
    pending: dict[str, str]
    dead_letters: list[DeadLetter]
    archives: dict[str, str]
    open_uploads: list[str]
    calls: list[Call]
    callbacks: dict[str, list[CallbackRecord]]
    heard: list[str]
    dead_callbacks: list[str]
    listed: list[str]
    findings: list[str]
    censuses: list[Census]
    left: list[str]
