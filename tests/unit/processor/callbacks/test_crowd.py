"""Nobody takes the places of all: not a receiver, not an owner under many names."""

from collections.abc import Iterable

import msgspec
import pytest

from processor.callbacks.crowd import Crowd, receiver_of
from shared import limits
from shared.jobs import JobRecord, JobState, make_job_id
from shared.jobstore.callback import CallbackName, TakenCallback
from tests.architecture.source_tree import ROOT


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


def begun(crowd: Crowd, of: Iterable[TakenCallback], *, now_ms: float = 0.0) -> int:
    """Count how many of these find a place."""
    return [crowd.enter(each, now_ms=now_ms) for each in of].count(None)


def test_an_owner_has_a_few_places_at_a_receiver_and_all_owners_together_some_more() -> None:
    crowd = Crowd()

    assert begun(crowd, [taken("a.example")] * 9) == limits.CALLBACKS_PER_OWNER_AND_HOST_AT_ONCE
    assert begun(crowd, [taken("a.example", "berta")] * 9) == limits.CALLBACKS_PER_OWNER_AND_HOST_AT_ONCE
    assert limits.CALLBACKS_PER_HOST_AT_ONCE == 2 * limits.CALLBACKS_PER_OWNER_AND_HOST_AT_ONCE
    assert begun(crowd, [taken("a.example", "clara")]) == 0
    assert begun(crowd, [taken("b.example", "clara")]) == 1


def test_those_that_find_no_place_have_a_turn_one_after_the_other() -> None:
    crowd = Crowd()
    begun(crowd, [taken("a.example")] * 4)

    turns_ms = [crowd.enter(taken("a.example"), now_ms=0.0) for _ in range(3)]

    each_ms = limits.CALLBACK_TAKES_MS / 4
    assert turns_ms == [each_ms, 2 * each_ms, 3 * each_ms]


def test_turns_are_as_far_apart_as_places_are_taken_for_and_one_that_is_over_changes_no_turn_that_was_given() -> None:
    crowd = Crowd()
    begun(crowd, [taken("a.example")] * 4)
    first_ms = crowd.enter(taken("a.example"), now_ms=0.0)
    crowd.leave(taken("a.example"), took_ms=8_000.0, now_ms=10.0)
    assert begun(crowd, [taken("a.example")], now_ms=10.0) == 1

    turn_ms = crowd.enter(taken("a.example"), now_ms=10.0)

    assert first_ms == limits.CALLBACK_TAKES_MS / 4
    assert turn_ms == first_ms - 10.0 + 8_000.0 / 4


def test_nobody_is_given_a_turn_later_than_the_cap_however_often_they_come_back() -> None:
    crowd = Crowd()
    begun(crowd, [taken("a.example")] * 4)
    crowd.leave(taken("a.example"), took_ms=20_000.0, now_ms=0.0)
    begun(crowd, [taken("a.example")])

    turns_ms = [crowd.enter(taken("a.example"), now_ms=0.0) or 0.0 for _ in range(1_000)]

    assert turns_ms == sorted(turns_ms)
    assert turns_ms[-1] == limits.CALLBACK_PUT_OFF_CAP_MS


def test_the_more_places_are_taken_the_fewer_are_one_owners_and_the_last_are_for_newcomers() -> None:
    crowd = Crowd()

    shares = [
        begun(crowd, [taken(f"h{number}.example", owner) for number in range(30)]) for owner in ("anna", "berta", "c")
    ]

    assert shares == [limits.CALLBACKS_PER_OWNER_AT_ONCE, 8, 4]
    newcomers = [taken("new.example", f"newcomer{number}") for number in range(8)]
    assert begun(crowd, newcomers) == 8
    assert begun(crowd, [taken("h99.example", "anna")]) == 0


def test_admins_have_places_of_their_own_whatever_the_owner_whose_job_failed_has_under_way() -> None:
    crowd = Crowd()
    begun(crowd, [taken(f"h{number}.example", f"owner{number}") for number in range(limits.CALLBACKS_AT_ONCE)])

    assert begun(crowd, [taken("x.example", "somebody")]) == 0
    admins = [taken("h0.example", "owner0", is_for_admins=True)] * 9
    assert begun(crowd, admins) == limits.CALLBACKS_PER_OWNER_AND_HOST_AT_ONCE


def test_nothing_is_kept_of_those_who_are_gone_and_whose_turns_are_over() -> None:
    crowd = Crowd()
    for number in range(100):
        one = taken(f"h{number}.example", f"owner{number}")
        begun(crowd, [one] * 5)
        for _ in range(4):
            crowd.leave(one, took_ms=1.0, now_ms=1_000.0)

    assert not any(vars(crowd).values())


def test_a_receiver_is_named_by_its_host_alone() -> None:
    assert receiver_of(taken("user:hunter2@a.example:8443")) == "a.example"
    assert receiver_of(taken("[::1")) == ""
    assert receiver_of(taken("a.example", is_for_admins=True)) == "admins"
    without = msgspec.structs.replace(taken("a"), record=msgspec.structs.replace(taken("a").record, callback_url=None))
    assert receiver_of(without) == ""


@pytest.mark.parametrize("page", ["architecture.md", "callbacks.md"])
def test_the_docs_say_how_many_places_there_are(page: str) -> None:
    said = " ".join((ROOT / "docs" / page).read_text(encoding="utf-8").split())

    assert (
        f"to one host go {limits.CALLBACKS_PER_HOST_AT_ONCE} of them, "
        f"{limits.CALLBACKS_PER_OWNER_AND_HOST_AT_ONCE} of one owner; "
        f"of one owner {limits.CALLBACKS_PER_OWNER_AT_ONCE}, and fewer the more others have; "
        f"the last {limits.CALLBACK_PLACES_FOR_NEWCOMERS} are for owners of whom nothing is under way. "
        f"The admins have {limits.CALLBACKS_PER_OWNER_AND_HOST_AT_ONCE} besides."
    ) in said
    assert f"up to {limits.CALLBACKS_AT_ONCE} calls under way" in said
