"""Callbacks as text: whom they are for."""

import json

import msgspec

from processor.commands.callback_pages import dead_json, job_page
from shared.jobs import make_job_id
from shared.jobstore.callback import CallbackName, CallbackRecord, CallbackState, DeadCallback, DeliveryOutcome


def test_a_dead_callback_is_to_admins_by_its_id_and_not_for_want_of_a_host() -> None:
    job_id = make_job_id(0, 1)
    dead = [
        DeadCallback(
            dead_id="1-0",
            callback_id=name.text,
            job_id=job_id,
            owner="anna",
            url="https://[::",
            attempts=1,
            reason="",
            status=None,
        )
        for name in (CallbackName(job_id, 1), CallbackName(job_id, 1, is_for_admins=True))
    ]
    without_url = msgspec.structs.replace(dead[0], url="")

    assert [json.loads(dead_json(each))["to"] for each in (*dead, without_url)] == ["?", "admins", "?"]


def test_what_happened_before_and_after_a_wish_to_be_told_anew_is_shown_in_its_order() -> None:
    callback = CallbackRecord(
        name=CallbackName(make_job_id(0, 1), 1),
        state=CallbackState.DELIVERED,
        url="https://hooks.example.org/hunter2",
        attempt=1,
        tries=(DeliveryOutcome(1_000, 20, status=503), DeliveryOutcome(61_000, 20, status=204)),
        next_try_at_ms=None,
        asked_at_ms=60_000,
    )

    _, *happened = job_page([callback])

    assert [line.split("  ")[-1] for line in happened] == [
        "The receiver answered 503. (0.0 s)",
        "Somebody wanted it told anew.",
        "The receiver answered 204. (0.0 s)",
    ]
