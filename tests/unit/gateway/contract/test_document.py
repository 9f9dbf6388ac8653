"""The document is valid, and says all there is: each route, each error, each message, each member."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import Enum
from functools import partial
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from gateway.access import job_not_found
from gateway.app import ROUTES
from gateway.contract import examples, refusals
from gateway.contract.call import Body, Call
from gateway.contract.calls import CALLS
from gateway.contract.document import openapi
from gateway.contract.event_calls import STREAM_JOB, STREAM_JOBS
from gateway.contract.members import MEMBERS
from gateway.contract.schemas import MESSAGES, all_schemas, tag_of
from gateway.contract.webhooks import WEBHOOKS
from gateway.representation import Snapshot
from gateway.routes.page import show_asset, show_icon, show_page
from processor.callbacks.outcome import Delivered, GiveUp, Reception, TryAgain, after_try
from processor.callbacks.signature import signed_headers
from shared import events
from shared.callbacks.signing_secret import SigningSecret
from shared.errors import RecordUnreadable, RequestError, UnavailableError, WaybillError
from shared.jobs import JobState
from shared.limit_errors import LimitReached
from tests.support.promised import Promised
from tests.support.sse_reader import read_frames

DOCUMENT = openapi("0")
PROMISED = Promised(DOCUMENT)
OF_THE_PAGE = (show_page, show_icon, show_asset)
"""For people, and no part of the API: what it is made of may be another with each release."""


def below(error: type[WaybillError]) -> Iterator[type[WaybillError]]:
    """Give all errors below one in the tree."""
    for each in error.__subclasses__():
        yield each
        yield from below(each)


TOLD = [
    error for error in (*below(RequestError), *below(UnavailableError), RecordUnreadable) if error is not LimitReached
]
"""Errors that callers are told; LimitReached is what the three of its kind have in common."""


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Give method, path and operation of each call in the document."""
    for path, found in DOCUMENT["paths"].items():
        for method, operation in found.items():
            yield method.upper(), path, operation


def test_the_document_is_valid_openapi_3_1() -> None:
    validate(DOCUMENT)


def test_a_document_that_is_not_valid_would_be_seen() -> None:
    with pytest.raises(Exception, match=r"responses|description"):
        validate(DOCUMENT | {"paths": {"/x": {"get": {"responses": {"200": {}}}}}})


def test_links_of_the_document_lead_to_the_page() -> None:
    text = json.dumps(DOCUMENT)

    assert "](/docs#" in text
    assert "](#" not in text


def test_routes_and_document_name_the_same_calls() -> None:
    served = {
        (method.value if isinstance(method, Enum) else method, path.replace(":str}", "}"))
        for route in ROUTES
        if route not in OF_THE_PAGE
        for path in route.paths
        for method in route.http_methods
    }

    assert served == {(method, path) for method, path, _ in operations()}


def test_what_a_receiver_is_sent_and_document_name_the_same_types_and_headers() -> None:
    sent = signed_headers("msg_1", b"", [SigningSecret(b"k" * 32)], sent_at=datetime.now(UTC))
    job_ended = DOCUMENT["webhooks"]["jobEnded"]["post"]

    assert set(DOCUMENT["webhooks"]) == {webhook.name for webhook in WEBHOOKS}
    assert set(sent) == {each["name"] for each in job_ended["parameters"]} - {"traceparent"}
    assert set(DOCUMENT["components"]["schemas"]["CallbackType"]["enum"]) == {
        f"download.{state}" for state in JobState if state.is_terminal
    }


def test_what_is_said_of_a_receivers_answer_is_what_follows_from_it() -> None:
    replies = DOCUMENT["webhooks"]["jobEnded"]["post"]["responses"]
    follow = partial(after_try, tries=1, schedule_seconds=(0, 5), random_ratio=0.0, now_ms=0)

    verdicts = {status: follow(Reception(status)) for status in (200, 299, 301, 400, 410, 503)}

    assert set(replies) == {"2XX", "410", "default"}
    assert verdicts[200] == verdicts[299] == Delivered()
    assert isinstance(verdicts[410], GiveUp)
    assert {type(verdicts[status]) for status in (301, 400, 503)} == {TryAgain}
    assert set(replies["default"]["headers"]) == {"Retry-After"}
    assert follow(Reception(503, retry_after="120")) == TryAgain(120_000)


def test_the_example_of_a_callback_is_what_its_schema_says() -> None:
    for webhook in WEBHOOKS:
        assert PROMISED.breaches_of_body(webhook.request.schema["$ref"], webhook.request.example) == []


@pytest.mark.parametrize("error", TOLD)
def test_each_error_that_callers_are_told_has_its_code_under_its_status_in_some_call(error: type[WaybillError]) -> None:
    codes = {
        code
        for _, _, operation in operations()
        for code in operation["responses"]
        .get(str(error.status), {})
        .get("content", {})
        .get("application/problem+json", {})
        .get("examples", {})
    }

    assert error.code in codes


def test_each_code_of_a_call_is_explained_once_in_the_table_of_problems() -> None:
    explained = [refusal.code for refusal in refusals.ALL]

    assert len(set(explained)) == len(explained)
    used = {refusals.refusal_by(cause).code for call in CALLS for cause in call.refusals}
    assert used | {refusals.refusal_by(cause).code for cause in refusals.EVERYWHERE} <= set(explained)


def test_each_type_of_event_is_among_the_messages() -> None:
    declared = {tag_of(message) for message in MESSAGES}

    assert declared == {tag_of(message) for message in events.Event.__args__} | {tag_of(Snapshot)}


def test_each_member_has_a_sentence_and_no_sentence_is_left_over() -> None:
    """A member of which nothing is said would have been a KeyError already."""
    named = {f"{name}.{member}" for name, schema in all_schemas().items() for member in schema.get("properties", ())}

    assert {name for name in MEMBERS if "." in name} <= named
    assert {name for name in MEMBERS if "." not in name} <= {name.partition(".")[2] for name in named}


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.call_id)
def test_examples_of_bodies_are_what_their_schemas_say(call: Any) -> None:
    bodies = [call.request, *(answer.body for answer in call.answers)]
    json_bodies = [body for body in bodies if isinstance(body, Body) and isinstance(body.example, dict)]

    for body in json_bodies:
        kinds = [kind["$ref"] for kind in body.schema.get("anyOf", [body.schema])]
        assert len(body.all_examples) == len(kinds)
        for kind, example in zip(kinds, body.all_examples, strict=True):
            assert PROMISED.breaches_of_body(kind, example) == []


def test_what_examples_say_of_an_unknown_job_is_what_is_said_of_one() -> None:
    assert job_not_found().message == examples.NO_SUCH_JOB


@pytest.mark.parametrize(
    ("call", "types", "id_schema"),
    [(STREAM_JOB, ["started", "heartbeat"], "Frame"), (STREAM_JOBS, ["started", "error"], "FrameOfMany")],
    ids=["one job", "many jobs"],
)
def test_the_example_of_a_stream_is_frames_with_promised_messages(call: Call, types: list[str], id_schema: str) -> None:
    [example] = [answer.body.example for answer in call.answers if answer.body is not None]
    pattern = DOCUMENT["components"]["schemas"][id_schema]["properties"]["id"]["pattern"]

    frames = read_frames(str(example).encode())

    assert [frame.type for frame in frames] == types
    assert [breach for frame in frames for breach in PROMISED.breaches_of_message(frame.data)] == []
    assert [frame.id for frame in frames if frame.id is not None and not re.search(pattern, frame.id)] == []


def test_schemas_are_valid_json_schemas() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
