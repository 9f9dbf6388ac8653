"""Callbacks as text: whom they are for."""

import json

import msgspec

from processor.commands.callback_pages import dead_json
from shared.jobs import make_job_id
from shared.jobstore.callback import CallbackName, DeadCallback


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
