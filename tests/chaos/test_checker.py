"""The checker is able to fail: for each invariant a small history that breaks it, forged from one that breaks none."""

import dataclasses
from collections.abc import Callable, Iterable

import msgspec
import pytest

from shared import limits
from shared.event_id import EventId
from shared.events import timestamp
from shared.jobs import Checkpoint, JobOptions, JobRecord, JobState
from shared.jobstore.callback import CallbackName, CallbackRecord, CallbackState, DeliveryOutcome
from shared.objects.info import Upload
from tests.chaos.checker import INVARIANTS, SCHEDULE_TRIES, breaches
from tests.chaos.history import Answer, Asked, Call, Census, DeadLetter, Deed, Event, History, Shown, Sighting, What

DIED_AT_MS = 1_795_461_605_000
GOOD, BAD = "job-good", "job-bad"


def event(identifier: str, kind: str, *, at_ms: int = DIED_AT_MS + 3_000, **more: object) -> Event:
    """Write an event of a log."""
    event_id = EventId.parse(identifier)
    assert event_id is not None
    return Event(event_id, {"type": kind, "at": timestamp(at_ms), **more})


def record(job_id: str, state: JobState, epoch: int, seq: int, **more: object) -> JobRecord:
    """Write a record at its end."""
    fixed = {"job_id": job_id, "owner": "", "file_ids": (1,), "entry": "", "created_at_ms": 0, "updated_at_ms": 0}
    return msgspec.convert(fixed | {"state": state, "epoch": epoch, "seq": seq, **more}, JobRecord)


GOOD_LOG = [
    event("0-1", "queued"),
    event("1-2", "started", attempt=1),
    event("1-3", "progress", progress=0.5),
    event("2-4", "started", attempt=2),  # the first processor has died
    event("2-5", "queued"),  # the second one hands it back
    event("3-6", "started", attempt=2),
    event("3-7", "completed"),
]
BAD_LOG = [
    event("0-1", "queued"),
    event("1-2", "started", attempt=1),
    event("1-3", "retrying", attempt=1),
    event("2-4", "started", attempt=2),
    event("2-5", "error", error={"code": "INTERNAL"}),
]


def deed(processor: str, what: What, epoch: int, detail: str = "", *, job_id: str = GOOD) -> Deed:
    """Write down what a run did; a run's token is told by its processor and epoch."""
    return Deed(
        at_ms=0, processor=processor, what=what, job_id=job_id, epoch=epoch, token=f"{processor}/{epoch}", detail=detail
    )


DEEDS = [
    deed("p1", What.BEGAN, 1),
    deed("p1", What.UPLOADING, 1, "u1"),
    deed("p1", What.DYING, 1, "mid-work"),
    deed("p2", What.CLAIMING, 2),
    deed("p2", What.BEGAN, 2),
    Deed(at_ms=0, processor="p2", what=What.DRAINING),
    deed("p2", What.CLAIMING, 2),  # its reply was lost
    deed("p2", What.CANCELLED, 2),
    deed("p2", What.ANSWERED, 2, "release OK"),
    deed("p3", What.BEGAN, 3),
    deed("p3", What.CONFIRMED, 3),
    deed("p3", What.COMPLETING, 3, "bundles/good.zip"),
    deed("p3", What.COMPLETED, 3, "bundles/good.zip"),
    deed("p3", What.ANSWERED, 3, "finish OK"),
    deed("p3", What.BEGAN, 2, job_id=BAD),
    deed("p3", What.ANSWERED, 2, "finish OK", job_id=BAD),
]
URL = "https://example.org/hook"


def told(
    job_id: str, epoch: int, state: CallbackState = CallbackState.DELIVERED, *, attempt: int = 1, status: int = 204
) -> CallbackRecord:
    """Write down what is kept of a callback, the last try of which was answered with this status."""
    tries = (DeliveryOutcome(at_ms=DIED_AT_MS, duration_ms=1, status=status),)
    return CallbackRecord(
        name=CallbackName(job_id, epoch), state=state, url=URL, attempt=attempt, tries=tries, next_try_at_ms=None
    )


CALM = History(
    accepted=frozenset({GOOD, BAD}),
    logs={GOOD: GOOD_LOG, BAD: BAD_LOG},
    records={
        GOOD: record(
            GOOD, JobState.COMPLETED, 3, 7, attempt=2, crashes=1, object_key="bundles/good.zip", callback_url=URL
        ),
        BAD: record(BAD, JobState.FAILED, 2, 5, attempt=2, failures=2, dead_id="9-1"),
    },
    sightings=[
        Sighting(client="viewer", job_id=GOOD, shown=[Shown(seen) for seen in GOOD_LOG], saw_end=True),
        Sighting(client="reader", job_id=BAD, shown=[Shown(seen) for seen in BAD_LOG[:2]]),
    ],
    answers=[
        Answer(job_id=GOOD, status="processing", attempt=1, progress=0.5),
        Answer(job_id=GOOD, status="completed", attempt=2, progress=1.0),
    ],
    deeds=DEEDS,
    deaths={"p1": DIED_AT_MS},
    frozen={},
    entries={},
    pending={},
    dead_letters=[DeadLetter("9-1", BAD)],
    archives={GOOD: ""},
    open_uploads=["u1"],
    calls=[],
    callbacks={GOOD: [told(GOOD, 3)]},
    dead_callbacks=[],
    heard=[told(GOOD, 3).callback_id] * 2,  # the first deliverer has died before it could note the answer
    listed=[GOOD, BAD],
    findings=[],
    censuses=[Census(unfinished=frozenset({f" {GOOD}"}), counted=frozenset({f" {GOOD}"}))],
    left=[],
)

LATE = "job-late"
LATE_LOG = [
    event("0-1", "queued"),
    event("1-2", "error", error={"code": "EXPIRED"}),
    event("2-3", "queued"),  # an operator starts it anew
    event("3-4", "started", attempt=1),
    event("3-5", "retrying", attempt=1),
    event("4-6", "error", error={"code": "EXPIRED"}),
]
AGAIN = "job-again"
AGAIN_LOG = [
    event("0-1", "queued", at_ms=DIED_AT_MS),
    event("1-2", "started", attempt=1, at_ms=DIED_AT_MS + 10),
    event("1-3", "error", error={"code": "INTERNAL"}, at_ms=DIED_AT_MS + 30),
    event("2-4", "queued", at_ms=DIED_AT_MS + 60),  # its owner retries it
    event("3-5", "started", attempt=1, at_ms=DIED_AT_MS + 500),
    event("3-6", "completed", at_ms=DIED_AT_MS + 900),
]
DROPPED, DELETED = "job-dropped", "job-deleted"
DROPPED_LOG = [
    event("0-1", "queued"),
    event("1-2", "started", attempt=1, at_ms=DIED_AT_MS - 2_000),
    event("2-3", "cancelled", at_ms=DIED_AT_MS - 1_000),  # by a claim, after its processor had died
]
DELETED_LOG = [event("1-4", "progress"), event("1-5", "retrying", attempt=1), event("2-6", "cancelled")]


def call(
    asked: Asked, job_id: str, at_ms: int, *, status: int = 0, word: str = "", key: str = "", epoch: int = 0
) -> Call:
    """Write down a call that took ten milliseconds."""
    more = {"status": status, "word": word, "key": key, "epoch": epoch}
    return msgspec.convert(
        {"asked": asked, "job_id": job_id, "sent_at_ms": at_ms, "answered_at_ms": at_ms + 10} | more, Call
    )


RETRY_CALL = call(Asked.RETRY, AGAIN, DIED_AT_MS + 60, status=202)
CANCEL_CALL = call(Asked.CANCEL, DROPPED, DIED_AT_MS - 1_000, status=202, word="processing")
DELETE_CALL = call(Asked.DELETE, DELETED, DIED_AT_MS, status=204)
CALLS = [
    call(Asked.CREATE, GOOD, 0, status=202, key="7"),
    call(Asked.CREATE, GOOD, DIED_AT_MS, status=202, key="7"),
    call(Asked.REDRIVE, LATE, DIED_AT_MS, word="OK", epoch=1),
    RETRY_CALL,
    call(Asked.RETRY, AGAIN, DIED_AT_MS + 60),  # at the same time, and cut off
    call(Asked.RETRY, AGAIN, DIED_AT_MS + 895, status=409),  # sent in time, and too late
    call(Asked.RETRY, AGAIN, DIED_AT_MS + 1_000, status=409),
    CANCEL_CALL,
    call(Asked.LOOK, DELETED, DIED_AT_MS - 20, status=200),
    DELETE_CALL,
    call(Asked.LOOK, DELETED, DIED_AT_MS + 20, status=410),
]
WILFUL = msgspec.structs.replace(
    CALM,
    accepted=frozenset({LATE, AGAIN, DROPPED, DELETED}),
    logs=CALM.logs | {LATE: LATE_LOG, AGAIN: AGAIN_LOG, DROPPED: DROPPED_LOG, DELETED: DELETED_LOG},
    records=CALM.records
    | {
        LATE: record(LATE, JobState.FAILED, 4, 6, attempt=1, failures=1, dead_id="9-2", callback_url=URL),
        AGAIN: record(AGAIN, JobState.COMPLETED, 3, 6, attempt=1, object_key="bundles/again.zip"),
        DROPPED: record(DROPPED, JobState.CANCELLED, 2, 3, attempt=1, crashes=1),
        DELETED: record(
            DELETED, JobState.CANCELLED, 2, 6, attempt=1, failures=1, deleted_at_ms=DIED_AT_MS, callback_url=URL
        ),
    },
    sightings=[
        Sighting(client="viewer", job_id=LATE, shown=[Shown(seen) for seen in LATE_LOG[:2]], saw_end=True),
        Sighting(client="viewer", job_id=DELETED, shown=[Shown(event("0-1", "queued"))]),
    ],
    answers=[
        Answer(job_id=LATE, status="failed", attempt=0, progress=0.0),
        Answer(job_id=LATE, status="processing", attempt=1, progress=0.0),
    ],
    deeds=[
        *DEEDS,
        deed("p1", What.BEGAN, 1, job_id=DROPPED),
        deed("p3", What.BEGAN, 3, job_id=LATE),
        deed("p3", What.ANSWERED, 3, "retry_later OK", job_id=LATE),
        deed("p3", What.BEGAN, 1, job_id=DELETED),
        deed("p3", What.BEGAN, 3, job_id=AGAIN),
        deed("p3", What.CONFIRMED, 3, job_id=AGAIN),
        deed("p3", What.COMPLETED, 3, "bundles/again.zip", job_id=AGAIN),
    ],
    archives=CALM.archives | {AGAIN: ""},
    dead_letters=[*CALM.dead_letters, DeadLetter("9-2", LATE, "expired")],
    calls=CALLS,
    callbacks=CALM.callbacks
    | {
        LATE: [told(LATE, 1), told(LATE, 4, CallbackState.DEAD, attempt=SCHEDULE_TRIES, status=503)],
        DELETED: [told(DELETED, 1, CallbackState.SUPERSEDED), told(DELETED, 2)],  # its log is trimmed
    },
    dead_callbacks=[told(LATE, 4).callback_id],
    heard=[*CALM.heard, *(told(*end).callback_id for end in ((LATE, 1), (DELETED, 2)))],
    listed=[GOOD, BAD, LATE, AGAIN, DROPPED],
)
"""A history in which callers cancel and delete, an operator redrives, and a job waits for too long."""


def with_log(job_id: str, log: list[Event]) -> History:
    """Forge a job's log."""
    return msgspec.structs.replace(CALM, logs=CALM.logs | {job_id: log}, sightings=[])


def with_record(job_id: str, **changes: object) -> History:
    """Forge a job's record."""
    return msgspec.structs.replace(
        CALM, records=CALM.records | {job_id: msgspec.structs.replace(CALM.records[job_id], **changes)}
    )


def with_sighting(*shown: Shown, saw_end: bool = False) -> History:
    """Forge what a viewer was shown of the good job."""
    seen = Sighting(client="viewer", job_id=GOOD, shown=list(shown), saw_end=saw_end)
    return msgspec.structs.replace(CALM, sightings=[seen])


def with_answers(*answers: tuple[str, float]) -> History:
    """Forge what GET answered about the good job: status and progress."""
    told = [Answer(job_id=GOOD, status=status, attempt=1, progress=ratio) for status, ratio in answers]
    return msgspec.structs.replace(CALM, answers=told)


def with_deeds(*more: Deed) -> History:
    """Forge what runs did after all the rest."""
    return msgspec.structs.replace(CALM, deeds=[*DEEDS, *more])


def but(**changes: object) -> History:
    """Forge something else."""
    return msgspec.structs.replace(CALM, **changes)


def shown(*places: int) -> list[Shown]:
    """Show the good job's events at these places of its log."""
    return [Shown(GOOD_LOG[place]) for place in places]


@dataclasses.dataclass(frozen=True)
class Forgery:
    """A history with one thing wrong, and the invariant that must see it."""

    sees: str
    what: str
    history: History

    def __str__(self) -> str:
        return f"{self.sees}-{self.what}".replace(" ", "-")


A_LATER_RUN_MADE_IT = [deed("p1", What.COMPLETED, 9, "bundles/good.zip")]
NO_FIRST_RUN = [one for one in DEEDS if one.epoch != 1]
NOTHING_MADE = [one for one in DEEDS if one.what is not What.COMPLETED]
A_LIVING_WRITER = with_deeds(deed("p2", What.UPLOADING, 2, "u2"))

NOT_HANDED_BACK = [one for one in DEEDS if one.detail != "release OK"]
COUNTED = deed("p2", What.ANSWERED, 2, "retry_later OK")


def wilful(**changes: object) -> History:
    """Forge something of what callers wanted."""
    return msgspec.structs.replace(WILFUL, **changes)


def wilful_log(job_id: str, log: list[Event], **changes: object) -> History:
    """Forge the log of a job whose end somebody wanted, and its record with it."""
    forged = msgspec.structs.replace(WILFUL.records[job_id], **changes)
    return wilful(logs=WILFUL.logs | {job_id: log}, records=WILFUL.records | {job_id: forged})


def with_call(*more: Call) -> History:
    """Forge what somebody was answered."""
    return wilful(calls=[*CALLS, *more])


def counting(*, unfinished: Iterable[str] = (), counted: Iterable[str] = ()) -> History:
    """Forge a census."""
    return but(censuses=[*CALM.censuses, Census(unfinished=frozenset(unfinished), counted=frozenset(counted))])


def counting_callbacks(*, waiting: Iterable[str] = (), counted: Iterable[str] = ()) -> History:
    """Forge a census of callbacks."""
    forged = msgspec.structs.replace(CALM.censuses[0], waiting=frozenset(waiting), counted_callbacks=frozenset(counted))
    return but(censuses=[*CALM.censuses, forged])


RUN_AGAIN = [*DROPPED_LOG[:2], event("2-3", "started", attempt=2), event("2-4", "cancelled")]


def with_callbacks(job_id: str, *kept: CallbackRecord) -> History:
    """Forge the callbacks of a job."""
    return wilful(callbacks=WILFUL.callbacks | {job_id: list(kept)})


FORGERIES = [
    Forgery("cancels_are_kept", "it is run again", wilful_log(DROPPED, RUN_AGAIN, seq=4)),
    Forgery(
        "cancels_are_kept",
        "it is buried",
        wilful_log(
            DROPPED, [*DROPPED_LOG[:2], event("2-3", "error", error={"code": "CRASHED"})], state=JobState.FAILED
        ),
    ),
    Forgery("cancels_are_kept", "it was told so", with_call(call(Asked.CANCEL, GOOD, 0, status=202, word="cancelled"))),
    Forgery("cancels_are_kept", "it had ended", with_call(call(Asked.CANCEL, BAD, 0, status=200, word="completed"))),
    Forgery("cancels_are_kept", "it is forgotten", with_call(call(Asked.CANCEL, "job-lost", 0, status=202))),
    Forgery(
        "who_is_told_to_end_confirms_nothing",
        "a confirmation",
        with_deeds(deed("p2", What.ANSWERED, 2, "renew CANCEL"), deed("p2", What.CONFIRMED, 2)),
    ),
    Forgery("deleted_jobs_are_gone", "a look", with_call(call(Asked.LOOK, DELETED, DIED_AT_MS + 20, status=200))),
    Forgery("deleted_jobs_are_gone", "too early", with_call(call(Asked.LOOK, DELETED, DIED_AT_MS - 20, status=410))),
    Forgery("deleted_jobs_are_gone", "nobody did", with_call(call(Asked.LOOK, GOOD, DIED_AT_MS, status=410))),
    Forgery(
        "deleted_jobs_are_gone", "its archive stays", wilful_log(DELETED, DELETED_LOG, object_key="bundles/there.zip")
    ),
    Forgery("deleted_jobs_are_gone", "undone", wilful_log(DELETED, DELETED_LOG, deleted_at_ms=None)),
    Forgery("a_key_is_one_job", "two answers", with_call(call(Asked.CREATE, BAD, 0, status=202, key="7"))),
    Forgery(
        "a_key_is_one_job", "one nobody was told of", wilful_log(LATE, LATE_LOG, options=JobOptions(archive_name="7"))
    ),
    Forgery("redrives_go_on", "it was answered", with_call(call(Asked.REDRIVE, BAD, 0, word="OK", epoch=2))),
    Forgery(
        "redrives_go_on", "nobody wanted it", wilful(calls=[one for one in CALLS if one.asked is not Asked.REDRIVE])
    ),
    Forgery(
        "redrives_go_on", "no owner wanted it", wilful(calls=[one for one in CALLS if one.asked is not Asked.RETRY])
    ),
    Forgery(
        "redrives_go_on",
        "the owner's retry was refused",
        wilful(calls=[one for one in CALLS if one.asked is not Asked.RETRY or one.status == 409]),
    ),
    Forgery(
        "retries_begin_what_has_failed", "refused", with_call(call(Asked.RETRY, AGAIN, DIED_AT_MS + 40, status=409))
    ),
    Forgery("retries_begin_what_has_failed", "nothing", with_call(call(Asked.RETRY, DROPPED, DIED_AT_MS, status=202))),
    Forgery("jobs_in_flight_are_counted", "one is not", counting(unfinished={f" {GOOD}"})),
    Forgery("jobs_in_flight_are_counted", "one that has ended", counting(counted={f" {GOOD}"})),
    Forgery(
        "jobs_in_flight_are_counted",
        "one for two owners",
        counting(unfinished={f"ann {GOOD}"}, counted={f"ann {GOOD}", f"bob {GOOD}"}),
    ),
    Forgery(
        "jobs_in_flight_are_counted",
        "one for another owner",
        counting(unfinished={f"ann {GOOD}"}, counted={f"bob {GOOD}"}),
    ),
    Forgery("waiting_callbacks_are_counted", "one is not", counting_callbacks(waiting={"ann msg_1_1"})),
    Forgery("waiting_callbacks_are_counted", "one that was told", counting_callbacks(counted={"ann msg_1_1"})),
    Forgery(
        "waiting_callbacks_are_counted",
        "one for another owner",
        counting_callbacks(waiting={"ann msg_1_1"}, counted={"bob msg_1_1"}),
    ),
    Forgery(
        "logs_tell_a_life", "a redrive without an epoch", wilful_log(LATE, [*LATE_LOG[:2], event("1-3", "queued")])
    ),
    Forgery(
        "logs_tell_a_life",
        "a run expires",
        wilful_log(LATE, [*LATE_LOG[:4], event("3-5", "error", error={"code": "EXPIRED"})]),
    ),
    Forgery(
        "logs_tell_a_life",
        "a wait ends without an epoch",
        wilful_log(DROPPED, [*DROPPED_LOG[:1], event("0-2", "cancelled")]),
    ),
    Forgery("every_job_ends_once", "redriven, and never ended", wilful_log(LATE, LATE_LOG[:5])),
    Forgery("every_job_ends_once", "cancelled, and goes on", wilful_log(DROPPED, [*DROPPED_LOG, *LATE_LOG[2:]])),
    Forgery("counters_add_up", "a redrive that kept them", wilful_log(LATE, LATE_LOG, failures=2)),
    Forgery("logs_are_dense", "trimmed, and not deleted", wilful_log(LATE, LATE_LOG[2:])),
    Forgery(
        "clients_saw_the_log",
        "a hole in what is trimmed",
        wilful(sightings=[Sighting(client="viewer", job_id=DELETED, shown=[Shown(event("1-2", "started"))])]),
    ),
    Forgery("expired_jobs_have_letters_that_say_so", "none", wilful(dead_letters=CALM.dead_letters)),
    Forgery(
        "expired_jobs_have_letters_that_say_so",
        "it did not",
        wilful(dead_letters=[DeadLetter("9-1", BAD, "expired"), *WILFUL.dead_letters[1:]]),
    ),
    Forgery("the_list_is_complete", "one is missing", wilful(listed=[GOOD, BAD, LATE, AGAIN])),
    Forgery("the_list_is_complete", "a deleted one", wilful(listed=[*WILFUL.listed, DELETED])),
    Forgery("the_list_is_complete", "one twice", wilful(listed=[*WILFUL.listed, GOOD])),
    Forgery("each_end_has_one_callback", "none", but(callbacks={})),
    Forgery("each_end_has_one_callback", "two", with_callbacks(GOOD, told(GOOD, 3), told(GOOD, 3))),
    Forgery("each_end_has_one_callback", "one of another end", with_callbacks(GOOD, told(GOOD, 2))),
    Forgery("each_end_has_one_callback", "nobody wanted it", with_callbacks(BAD, told(BAD, 2))),
    Forgery("each_end_has_one_callback", "the first end is not told", with_callbacks(LATE, told(LATE, 4))),
    Forgery("each_end_has_one_callback", "none behind a trimmed log", with_callbacks(DELETED, told(DELETED, 1))),
    Forgery("every_end_is_told", "it waits", with_callbacks(GOOD, told(GOOD, 3, CallbackState.WAITING))),
    Forgery(
        "every_end_is_told",
        "it is in a dead one's hands",
        with_callbacks(GOOD, told(GOOD, 3, CallbackState.DELIVERING)),
    ),
    Forgery("every_end_is_told", "nobody has heard it", but(heard=[])),
    Forgery(
        "every_end_is_told",
        "superseded by nothing",
        with_callbacks(LATE, told(LATE, 1), told(LATE, 4, CallbackState.SUPERSEDED)),
    ),
    Forgery("every_end_is_told", "dead, and nowhere to be seen", wilful(dead_callbacks=[])),
    Forgery(
        "every_end_is_told",
        "given up too early",
        with_callbacks(LATE, told(LATE, 1), told(LATE, 4, CallbackState.DEAD, attempt=SCHEDULE_TRIES - 1, status=503)),
    ),
    Forgery(
        "every_end_is_told", "somebody has heard what never was", but(heard=[*CALM.heard, told(BAD, 2).callback_id])
    ),
    Forgery("everything_fits_together", "a finding", wilful(findings=["It has no entry."])),
    Forgery("nothing_is_left", "an archive", wilful(left=["bundles/good.zip"])),
    Forgery("who_drains_claims_nothing_more", "a claim", with_deeds(deed("p2", What.CLAIMING, 4))),
    Forgery("drains_cost_nothing", "a run left as it was", but(deeds=NOT_HANDED_BACK)),
    Forgery("drains_cost_nothing", "an interruption counted", but(deeds=[*NOT_HANDED_BACK, COUNTED])),
    Forgery("every_job_ends_once", "an accepted job is unknown", but(accepted=CALM.accepted | {"job-lost"})),
    Forgery("every_job_ends_once", "no end", with_log(GOOD, GOOD_LOG[:-1])),
    Forgery("every_job_ends_once", "two ends", with_log(GOOD, [*GOOD_LOG, event("3-8", "completed")])),
    Forgery("every_job_ends_once", "something after the end", with_log(GOOD, [*GOOD_LOG, event("3-8", "progress")])),
    Forgery("logs_are_dense", "a number is missing", with_log(GOOD, GOOD_LOG[:2] + GOOD_LOG[3:])),
    Forgery("logs_are_dense", "an epoch falls", with_log(GOOD, [*GOOD_LOG[:-1], event("2-7", "completed")])),
    Forgery("logs_tell_a_life", "an end without a run", with_log(GOOD, [GOOD_LOG[0], event("0-2", "completed")])),
    Forgery(
        "logs_tell_a_life",
        "a claim without an epoch",
        with_log(BAD, [*BAD_LOG[:3], event("1-4", "started", attempt=2)]),
    ),
    Forgery(
        "logs_tell_a_life",
        "an attempt counted twice",
        with_log(BAD, [*BAD_LOG[:3], event("2-4", "started", attempt=3)]),
    ),
    Forgery("logs_tell_a_life", "queued again from nowhere", with_log(BAD, [*BAD_LOG[:3], event("1-4", "queued")])),
    Forgery("logs_tell_a_life", "progress after a retry", with_log(BAD, [*BAD_LOG[:3], event("1-4", "progress")])),
    Forgery("records_agree_with_logs", "another state", with_record(GOOD, state=JobState.FAILED, dead_id="9-1")),
    Forgery("records_agree_with_logs", "another last event", with_record(GOOD, seq=8)),
    Forgery("records_agree_with_logs", "no log", but(logs={GOOD: GOOD_LOG})),
    Forgery("counters_add_up", "a crash counted twice", with_record(GOOD, crashes=2)),
    Forgery("counters_add_up", "a crash not counted", with_record(GOOD, crashes=0)),
    Forgery("counters_add_up", "a failure not counted", with_record(BAD, failures=1)),
    Forgery("counters_add_up", "a release counted as attempt", with_record(GOOD, attempt=3)),
    Forgery("clients_saw_the_log", "an event twice", with_sighting(*shown(0, 1, 1))),
    Forgery("clients_saw_the_log", "a hole", with_sighting(*shown(0, 2))),
    Forgery("clients_saw_the_log", "another order", with_sighting(*shown(1, 0))),
    Forgery("clients_saw_the_log", "an event that is not there", with_sighting(Shown(event("0-1", "started")))),
    Forgery("clients_saw_the_log", "an early end", with_sighting(*shown(0, 1), saw_end=True)),
    Forgery(
        "clients_saw_the_log", "back over a gap", with_sighting(*shown(0), Shown(GOOD_LOG[3], has_gap=True), *shown(3))
    ),
    Forgery("answers_never_go_back", "less progress", with_answers(("processing", 0.5), ("processing", 0.4))),
    Forgery("answers_never_go_back", "an end undone", with_answers(("failed", 0.5), ("completed", 1.0))),
    Forgery("answers_never_go_back", "another end", with_answers(("failed", 0.5))),
    Forgery("nothing_waits", "an entry", but(entries={"5-1": GOOD})),
    Forgery("nothing_waits", "a pending entry", but(pending={"5-1": "ready"})),
    Forgery("dead_letters_are_the_failed_jobs", "none", but(dead_letters=[])),
    Forgery(
        "dead_letters_are_the_failed_jobs", "two", but(dead_letters=[DeadLetter("9-0", BAD), DeadLetter("9-1", BAD)])
    ),
    Forgery(
        "dead_letters_are_the_failed_jobs",
        "of a completed job",
        but(dead_letters=[*CALM.dead_letters, DeadLetter("9-2", GOOD)]),
    ),
    Forgery("archives_are_right", "other bytes", but(archives={GOOD: "scan 001.dat differs"})),
    Forgery("archives_are_right", "not there", but(archives={})),
    Forgery("records_name_what_a_run_of_theirs_made", "another key", with_record(GOOD, object_key="bundles/old.zip")),
    Forgery("records_name_what_a_run_of_theirs_made", "a later run", but(deeds=NOTHING_MADE + A_LATER_RUN_MADE_IT)),
    Forgery(
        "superseded_runs_touch_nothing",
        "it completes",
        with_deeds(
            deed("p2", What.CONFIRMED, 2),
            deed("p2", What.ANSWERED, 2, "renew STALE"),
            deed("p2", What.COMPLETING, 2, "k"),
        ),
    ),
    Forgery(
        "superseded_runs_touch_nothing",
        "it reports",
        with_deeds(deed("p2", What.ANSWERED, 2, "renew GONE"), deed("p2", What.ANSWERED, 2, "append OK")),
    ),
    Forgery("objects_appear_under_a_confirmed_lease", "unconfirmed", with_deeds(deed("p2", What.COMPLETING, 2, "k"))),
    Forgery("an_epoch_is_one_run", "two runs", with_deeds(deed("p4", What.BEGAN, 3))),
    Forgery("an_epoch_is_one_run", "a run that no log knows", with_deeds(deed("p4", What.BEGAN, 4))),
    Forgery("one_run_ends_a_job", "two told so", with_deeds(deed("p2", What.ANSWERED, 2, "finish DONE"))),
    Forgery("crashes_have_a_cause", "nobody died", but(deaths={}, open_uploads=[])),
    Forgery("crashes_have_a_cause", "it died later", but(deaths={"p1": DIED_AT_MS + 60_000})),
    Forgery("crashes_have_a_cause", "somebody else died", but(deaths={"p2": DIED_AT_MS}, open_uploads=[])),
    Forgery(
        "crashes_have_a_cause", "an unknown holder and no death", but(deeds=NO_FIRST_RUN, deaths={}, open_uploads=[])
    ),
    Forgery(
        "open_uploads_are_of_the_dead",
        "of a living one, and its record names another",
        msgspec.structs.replace(
            A_LIVING_WRITER,
            open_uploads=["u2"],
            records=with_record(BAD, checkpoint=Checkpoint(upload=Upload("bad", "u3", 1))).records,
        ),
    ),
    Forgery(
        "open_uploads_are_of_the_dead", "of a living one", msgspec.structs.replace(A_LIVING_WRITER, open_uploads=["u2"])
    ),
]


def test_a_calm_history_breaks_nothing() -> None:
    assert breaches(CALM) == []


def test_what_callers_and_operators_want_breaks_nothing() -> None:
    assert breaches(WILFUL) == []


def test_a_gap_that_is_told_is_no_hole() -> None:
    history = with_sighting(*shown(0), Shown(GOOD_LOG[3], has_gap=True), *shown(4, 5, 6), saw_end=True)

    assert breaches(history) == []


def test_a_frozen_processor_may_lose_its_lease() -> None:
    history = but(deaths={}, frozen={"p1": DIED_AT_MS}, open_uploads=[])

    assert breaches(history) == []


def test_a_frozen_processor_that_lost_its_lease_may_die_later() -> None:
    history = but(deaths={"p1": DIED_AT_MS + 60_000}, frozen={"p1": DIED_AT_MS})

    assert breaches(history) == []


def test_who_dies_while_it_completes_an_object_may_have_made_it() -> None:
    died = [
        deed("p1", What.CONFIRMED, 1),
        deed("p1", What.COMPLETING, 1, "bundles/good.zip"),
        *(one for one in DEEDS if one.what not in (What.COMPLETING, What.COMPLETED)),
    ]

    assert breaches(but(deeds=died)) == []


def test_a_receiver_that_wants_no_more_ends_a_callback_at_once() -> None:
    unwanted = told(GOOD, 3, CallbackState.DEAD, status=410)
    history = but(callbacks={GOOD: [unwanted]}, heard=[], dead_callbacks=[unwanted.callback_id])

    assert breaches(history) == []


def test_the_first_of_very_many_ends_may_be_forgotten() -> None:
    times = limits.CALLBACK_ENDS_KEPT + 5
    log = [event("0-1", "queued")]
    for epoch in range(1, times + 1):
        log.append(event(f"{epoch}-{2 * epoch}", "error", error={"code": "EXPIRED"}))
        log.append(event(f"{epoch + 1}-{2 * epoch + 1}", "queued"))
    kept = [told(LATE, epoch) for epoch in range(3, times + 1)]
    history = wilful(logs=WILFUL.logs | {LATE: log}, callbacks=WILFUL.callbacks | {LATE: kept})

    assert not [sentence for sentence in breaches(history) if sentence.startswith("each_end_has_one_callback")]


def test_a_burial_is_a_crash_and_no_failure() -> None:
    log = [*GOOD_LOG[:4], event("3-5", "error", error={"code": "CRASHED"})]
    buried = record(BAD, JobState.FAILED, 3, 5, attempt=2, crashes=2, dead_id="9-1")
    history = but(
        accepted=frozenset({BAD}),
        logs={BAD: log},
        records={BAD: buried},
        sightings=[],
        answers=[],
        deeds=[deed("p1", What.BEGAN, 1, job_id=BAD), deed("p2", What.BEGAN, 2, job_id=BAD)],
        deaths={"p1": DIED_AT_MS, "p2": DIED_AT_MS},
        open_uploads=[],
        listed=[BAD],
    )

    assert breaches(history) == []


@pytest.mark.parametrize("forgery", FORGERIES, ids=str)
def test_a_forged_history_is_seen(forgery: Forgery) -> None:
    assert any(sentence.startswith(f"{forgery.sees}:") for sentence in breaches(forgery.history))


@pytest.mark.parametrize("invariant", INVARIANTS)
def test_every_invariant_has_a_forgery(invariant: Callable[..., object]) -> None:
    assert invariant.__name__ in {forgery.sees for forgery in FORGERIES}
