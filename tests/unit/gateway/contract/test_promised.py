"""The look that the system tests take at each answer: what it must see in forged ones."""

import json
from typing import Any

import httpx
import pytest

from gateway.contract import examples
from gateway.contract.call import JOBS
from tests.support.promised import promised

ANY = {
    "x-request-id": "call-7",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
}
HEAD = ANY | {"etag": '"x"', "cache-control": "no-cache", "vary": "Accept", "content-type": "application/json"}
PROBLEM_HEAD = ANY | {"cache-control": "no-store", "content-type": "application/problem+json"}
PROBLEM = {"title": "Not Found", "status": 404, "code": "NOT_FOUND", "detail": "There is no such job."}


def answer(status: int, headers: dict[str, str], body: Any, *, method: str = "GET", below: str = "") -> httpx.Response:
    """Forge an answer about a job."""
    request = httpx.Request(method, f"http://gateway{JOBS}/{examples.JOB_ID}{below}")
    return httpx.Response(status, headers=headers, content=json.dumps(body).encode(), request=request)


def job(**more: object) -> dict[str, Any]:
    """Give a job as it is shown, with changes."""
    shown = examples.running_job()
    assert isinstance(shown, dict)
    return shown | more


def test_answers_that_keep_the_promise_are_left_in_peace() -> None:
    assert promised().breaches_of(answer(200, HEAD, job())) == []
    assert promised().breaches_of(answer(404, PROBLEM_HEAD, PROBLEM)) == []
    assert promised().breaches_of(answer(204, ANY | {"allow": "GET"}, None, method="OPTIONS")) == []


@pytest.mark.parametrize(
    ("response", "word"),
    [
        (answer(200, HEAD | {"x-new": "1"}, job()), "x-new"),
        (answer(200, {name: text for name, text in HEAD.items() if name != "etag"}, job()), "etag"),
        (answer(200, HEAD | {"etag": "x"}, job()), "etag"),
        (answer(200, HEAD | {"x-request-id": "with a space"}, job()), "x-request-id"),
        (answer(200, HEAD | {"content-security-policy": "default-src *"}, job()), "content-security-policy"),
        (answer(200, HEAD | {"allow": "GET"}, None, method="OPTIONS"), "not declared"),
        (answer(204, ANY | {"etag": "x"}, None, method="OPTIONS"), "etag"),
        (answer(200, HEAD | {"content-type": "text/html"}, job()), "text/html"),
        (answer(200, HEAD, job(surprise=1)), "surprise"),
        (answer(200, HEAD, job(progress="0.5")), "progress"),
        (answer(200, HEAD, job(progress=1.5)), "progress"),
        (answer(200, HEAD, job(created_at="yesterday")), "created_at"),
        (answer(200, HEAD, job(status="paused")), "paused"),
        (answer(201, HEAD, job()), "not declared"),
        (answer(404, PROBLEM_HEAD, PROBLEM | {"code": "MISSING"}), "MISSING"),
        (answer(404, PROBLEM_HEAD, PROBLEM | {"status": 400}), "404"),
        (answer(404, PROBLEM_HEAD, PROBLEM | {"trace": "x"}), "trace"),
        (answer(404, PROBLEM_HEAD, {"code": "NOT_FOUND"}), "detail"),
        (answer(503, PROBLEM_HEAD, PROBLEM | {"status": 503, "code": "DRAINING"}, below="/stream"), "retry-after"),
        (answer(405, PROBLEM_HEAD, PROBLEM | {"status": 405, "code": "METHOD_NOT_ALLOWED"}, method="PUT"), "allow"),
    ],
)
def test_an_answer_that_breaks_a_promise_is_seen(response: httpx.Response, word: str) -> None:
    assert word in "\n".join(promised().breaches_of(response))


SENT = {
    "content-type": "application/json",
    "webhook-id": examples.WEBHOOK_ID,
    "webhook-timestamp": "1795773622",
    "webhook-signature": f"v1,{'A' * 43}=",
    "user-agent": "anybody",
}


def callback(**more: object) -> dict[str, Any]:
    """Give what a receiver is sent, with changes in what is told of the job."""
    shown = examples.end_message()
    assert isinstance(shown, dict)
    return shown | {"data": shown["data"] | more}


def test_a_callback_that_keeps_the_promise_is_left_in_peace() -> None:
    assert promised().breaches_of_webhook("jobEnded", SENT, callback()) == []


@pytest.mark.parametrize(
    ("headers", "body", "word"),
    [
        (SENT | {"webhook-key": "x"}, callback(), "webhook-key"),
        (SENT | {"webhook-signature": "v1a,x"}, callback(), "webhook-signature"),
        (SENT | {"webhook-timestamp": "yesterday"}, callback(), "webhook-timestamp"),
        (SENT | {"content-type": "text/plain"}, callback(), "text/plain"),
        ({name: text for name, text in SENT.items() if name != "webhook-id"}, callback(), "webhook-id"),
        (SENT, callback(progress=1.0), "progress"),
        (SENT, callback(finished_at="yesterday"), "finished_at"),
        (SENT, callback() | {"type": "download.paused"}, "download.paused"),
        (SENT, callback() | {"owner": "anna"}, "owner"),
        (SENT, {"type": "download.completed", "timestamp": examples.moment()}, "data"),
    ],
)
def test_a_callback_that_breaks_a_promise_is_seen(headers: dict[str, str], body: dict[str, Any], word: str) -> None:
    assert word in "\n".join(promised().breaches_of_webhook("jobEnded", headers, body))


@pytest.mark.parametrize(
    ("message", "word"),
    [
        ({"type": "paused", "at": examples.moment()}, "paused"),
        ({"type": "started", "at": examples.moment()}, "attempt"),
        ({"type": "started", "at": examples.moment(), "attempt": 1, "epoch": 1}, "epoch"),
        ({"type": "busy", "at": "now", "reason": "drain"}, "now"),
        ({"type": "started", "at": examples.moment(), "job_id": examples.JOB_ID}, "is not valid"),
        ({"type": "started", "at": examples.moment(), "job_id": examples.JOB_ID, "attempt": 1, "epoch": 1}, "epoch"),
        ({"type": "busy", "at": examples.moment(), "reason": "drain", "job_id": examples.JOB_ID}, "job_id"),
    ],
)
def test_a_message_that_breaks_a_promise_is_seen(message: dict[str, Any], word: str) -> None:
    assert word in "\n".join(promised().breaches_of_message(message))
