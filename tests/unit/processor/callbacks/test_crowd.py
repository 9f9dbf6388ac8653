"""Nobody takes the places of all: not a receiver, not an owner under many names."""

import msgspec

from processor.callbacks.crowd import Crowd, receiver_of
from shared import limits
from shared.jobs import JobRecord, JobState, make_job_id
from shared.jobstore.callback import CallbackName, TakenCallback


def taken(host: str, owner: str = "anna", *, is_for_admins: bool = False) -> TakenCallback:
    """Make a callback of an owner to a host."""
    job_id = make_job_id(0, 1)
    record = JobRecord(
        job_id=job_id,
        owner=owner,
        state=JobState.COMPLETED,
        file_ids=(1,),
        epoch=1,
        seq=3,
        entry="",
        created_at_ms=0,
        updated_at_ms=0,
        callback_url=f"https://{host}/hunter2",
    )
    return TakenCallback(
        name=CallbackName(job_id, 1, is_for_admins),
        partition=0,
        token="t",
        attempt=1,
        record=record,
        total_files=1,
        message=b"",
    )


def test_a_receiver_has_its_places_and_the_rest_is_put_off_in_turn() -> None:
    crowd = Crowd()

    answers = [crowd.enter(taken("a.example")) for _ in range(limits.CALLBACKS_PER_HOST_AT_ONCE + 2)]

    assert answers[: limits.CALLBACKS_PER_HOST_AT_ONCE] == [None] * limits.CALLBACKS_PER_HOST_AT_ONCE
    assert [full.put_off_before for full in answers if full] == [0, 1]
    assert crowd.enter(taken("b.example")) is None


def test_whoever_leaves_makes_room_and_says_what_a_place_is_taken_for() -> None:
    crowd = Crowd()
    for _ in range(limits.CALLBACKS_PER_HOST_AT_ONCE):
        crowd.enter(taken("a.example"))
    crowd.leave(taken("a.example"), took_ms=8_000.0)

    assert crowd.enter(taken("a.example")) is None
    full = crowd.enter(taken("a.example"))
    assert full is not None
    assert (full.took_ms, full.put_off_before) == (8_000.0, 0)


def test_an_owner_has_places_under_however_many_names() -> None:
    crowd = Crowd()

    answers = [crowd.enter(taken(f"h{number}.example")) for number in range(limits.CALLBACKS_PER_OWNER_AT_ONCE + 1)]

    assert [full is None for full in answers] == [True] * limits.CALLBACKS_PER_OWNER_AT_ONCE + [False]
    assert crowd.enter(taken("h0.example", "berta")) is None


def test_nothing_is_kept_of_those_who_are_gone() -> None:
    crowd = Crowd()
    for number in range(100):
        for _ in range(limits.CALLBACKS_PER_HOST_AT_ONCE + 1):
            crowd.enter(taken(f"h{number}.example", f"owner{number}"))
        for _ in range(limits.CALLBACKS_PER_HOST_AT_ONCE):
            crowd.leave(taken(f"h{number}.example", f"owner{number}"), took_ms=1.0)

    assert not any(vars(crowd).values())


def test_a_receiver_is_named_by_its_host_alone() -> None:
    assert receiver_of(taken("user:hunter2@a.example:8443")) == "a.example"
    assert receiver_of(taken("[::1")) == ""
    assert receiver_of(taken("a.example", is_for_admins=True)) == "admins"
    without = msgspec.structs.replace(taken("a"), record=msgspec.structs.replace(taken("a").record, callback_url=None))
    assert receiver_of(without) == ""
