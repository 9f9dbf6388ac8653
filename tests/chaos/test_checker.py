"""The checker is able to fail: for each invariant a small history that breaks it, forged from one that breaks none."""

import dataclasses
from collections.abc import Callable

import msgspec
import pytest

from shared.event_id import EventId
from shared.events import timestamp
from shared.jobs import Checkpoint, JobRecord, JobState
from shared.objects.info import Upload
from tests.chaos.checker import INVARIANTS, breaches
from tests.chaos.history import Answer, DeadLetter, Deed, Event, History, Shown, Sighting, What

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
CALM = History(
    accepted=frozenset({GOOD, BAD}),
    logs={GOOD: GOOD_LOG, BAD: BAD_LOG},
    records={
        GOOD: record(GOOD, JobState.COMPLETED, 3, 7, attempt=2, crashes=1, object_key="bundles/good.zip"),
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
)


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


AN_OLDER_RUN_MADE_IT = [deed("p1", What.COMPLETED, 1, "bundles/good.zip")]
NO_FIRST_RUN = [one for one in DEEDS if one.epoch != 1]
NOTHING_MADE = [one for one in DEEDS if one.what is not What.COMPLETED]
A_LIVING_WRITER = with_deeds(deed("p2", What.UPLOADING, 2, "u2"))

NOT_HANDED_BACK = [one for one in DEEDS if one.detail != "release OK"]
COUNTED = deed("p2", What.ANSWERED, 2, "retry_later OK")

FORGERIES = [
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
    Forgery("records_name_what_their_last_run_made", "another key", with_record(GOOD, object_key="bundles/old.zip")),
    Forgery("records_name_what_their_last_run_made", "an older run", but(deeds=NOTHING_MADE + AN_OLDER_RUN_MADE_IT)),
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


def test_a_gap_that_is_told_is_no_hole() -> None:
    history = with_sighting(*shown(0), Shown(GOOD_LOG[3], has_gap=True), *shown(4, 5, 6), saw_end=True)

    assert breaches(history) == []


def test_a_frozen_processor_may_lose_its_lease() -> None:
    history = but(deaths={}, frozen={"p1": DIED_AT_MS}, open_uploads=[])

    assert breaches(history) == []


def test_a_frozen_processor_that_lost_its_lease_may_die_later() -> None:
    history = but(deaths={"p1": DIED_AT_MS + 60_000}, frozen={"p1": DIED_AT_MS})

    assert breaches(history) == []


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
    )

    assert breaches(history) == []


@pytest.mark.parametrize("forgery", FORGERIES, ids=str)
def test_a_forged_history_is_seen(forgery: Forgery) -> None:
    assert any(sentence.startswith(f"{forgery.sees}:") for sentence in breaches(forgery.history))


@pytest.mark.parametrize("invariant", INVARIANTS)
def test_every_invariant_has_a_forgery(invariant: Callable[..., object]) -> None:
    assert invariant.__name__ in {forgery.sees for forgery in FORGERIES}
