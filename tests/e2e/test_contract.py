"""Every answer that the document promises is one that a gateway gives, and the document is what it serves."""

import re
from collections.abc import Iterator
from importlib.metadata import version
from typing import NamedTuple

import pytest

from gateway.contract.calls import CALLS, FETCH_ARCHIVE, GIVE_TICKET, LIST_FILES
from gateway.contract.document import openapi
from gateway.contract.event_calls import STREAM_JOB, STREAM_JOBS
from tests.support import cargo
from tests.support.local_http import strict_client
from tests.support.many_reader import many_stream
from tests.support.system import JOBS, System

MET_ELSEWHERE = {
    ("GET", FETCH_ARCHIVE.path, 307): "needs a store that signs: tests/e2e/test_checkpoint.py",
    ("GET", STREAM_JOB.path, 101): "a WebSocket: tests/e2e/test_sockets.py",
    ("GET", STREAM_JOBS.path, 101): "the same",
}
TICKETS = GIVE_TICKET.path
NOBODY = "http://127.0.0.1/nobody-listens-here"
FILES = LIST_FILES.path
JOB_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Met(NamedTuple):
    """An answer that was given: of which call, and its status."""

    method: str
    path: str
    status: int


@pytest.fixture(scope="module")
def telling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system of this module's own, which lists its files, and lacks the last of them."""
    settings = {
        "WAYBILL_LIST_FILES": "true",
        "WAYBILL_CALLBACK_HTTP": "true",
    }
    with System(tmp_path_factory.mktemp("telling"), settings=settings) as running:
        (running.sources_dir / cargo.LONG[-1].key).unlink()
        yield running


def test_each_promised_answer_is_given(telling: System) -> None:
    system = telling
    ended, failed, deleted, running = [
        system.create_job(*files) for files in (cargo.MIXED, cargo.LONG[-1:], cargo.MIXED, cargo.LONG[:-1])
    ]
    told = system.create_job(*cargo.MIXED, callback_url=NOBODY)
    for path in (ended, failed, told):
        system.wait_for_end(path)
    etag = system.get(f"{ended}/file").headers["etag"]
    last_id = system.log(ended)[-1]["id"]
    read_etag = system.get(ended).headers["etag"]
    batch = f"{JOBS}?job={ended.rpartition('/')[2]}"
    batch_etag = system.get(batch).headers["etag"]
    asked = [
        ("GET", JOBS, {}),
        ("GET", ended, {}),
        ("GET", ended, {"If-None-Match": read_etag}),
        ("GET", batch, {}),
        ("GET", batch, {"If-None-Match": batch_etag}),
        ("HEAD", JOBS, {}),
        ("HEAD", batch, {"If-None-Match": batch_etag}),
        ("HEAD", ended, {}),
        ("HEAD", ended, {"If-None-Match": read_etag}),
        ("GET", f"{ended}/stream", {}),
        ("GET", f"{ended}/stream", {"Last-Event-ID": last_id}),
        ("GET", many_stream([ended]), {}),
        ("GET", many_stream([ended]), {"Last-Event-ID": last_id}),
        ("GET", f"{ended}/events", {}),
        ("HEAD", f"{ended}/events", {}),
        ("POST", f"{running}/cancel", {}),
        ("POST", f"{ended}/cancel", {}),
        ("POST", f"{failed}/retry", {}),
        ("GET", f"{told}/deliveries", {}),
        ("HEAD", f"{told}/deliveries", {}),
        ("POST", f"{told}/redeliver", {}),
        ("DELETE", deleted, {}),
        ("GET", FILES, {}),
        ("HEAD", FILES, {}),
        *(
            (method, f"{ended}/file", headers)
            for method in ("GET", "HEAD")
            for headers in ({}, {"Range": "bytes=0-9"}, {"If-None-Match": etag})
        ),
        *((method, path, {}) for method in ("GET", "HEAD") for path in ("/openapi.json", "/docs", "/version")),
        *((method, path, {"If-None-Match": "*"}) for method in ("GET", "HEAD") for path in ("/openapi.json", "/docs")),
    ]

    met = {met_by(system, *each) for each in asked}
    met |= {
        Met("POST", JOBS, system.post_job(*cargo.MIXED, headers=headers).status_code)
        for headers in ({}, {"Prefer": "wait=20"})
    }

    with strict_client() as client:
        ticket = client.post(f"{system.url}{TICKETS}", json={"job_ids": [ended.rpartition("/")[2]]})
    met.add(Met("POST", TICKETS, ticket.status_code))

    promised = {Met(call.method, call.path, answer.status) for call in CALLS for answer in call.answers}
    assert promised - met == set(MET_ELSEWHERE)


def met_by(system: System, method: str, path: str, headers: dict[str, str]) -> Met:
    """Ask once, strictly; say which promise the answer keeps."""
    with strict_client() as client:
        response = client.request(method, system.url + path, headers=headers)
    return Met(method, JOB_ID.sub("{job_id}", path.partition("?")[0]), response.status_code)


@pytest.fixture(scope="module")
def release() -> str:
    """The installed release."""
    return version("waybill")


def test_the_served_document_is_that_of_the_release(system: System, release: str) -> None:
    response = system.get("/openapi.json")

    assert response.json() == openapi(release)
    assert response.headers["cache-control"] == "public, max-age=300"
    assert system.get("/openapi.json", gateway=1).headers["etag"] == response.headers["etag"]


def test_version_says_release_and_api(system: System, release: str) -> None:
    assert system.get("/version").json() == {"name": "waybill", "version": release, "api": "v1"}


PICKING = {"listJobs", "listFiles", "readEvents"}


def test_calls_that_pick_out_of_many_refuse_what_they_do_not_know_and_the_others_ignore_it(telling: System) -> None:
    ended = telling.create_job(*cargo.MIXED, callback_url=NOBODY)
    telling.wait_for_end(ended)
    job_id = ended.rpartition("/")[2]

    for call in [call for call in CALLS if call.method == "GET"]:
        named = f"job={job_id}&" if call is STREAM_JOBS else ""
        answer = telling.get(f"{call.path.format(job_id=job_id)}?{named}statsu=failed")

        assert answer.status_code == (400 if call.call_id in PICKING else 200), call.call_id
        if call.call_id in PICKING:
            known = {parameter.name for parameter in call.parameters if parameter.place == "query"}
            told = re.fullmatch("'statsu' is not known here; there is (.*)\\.", answer.json()["detail"])
            assert told is not None
            assert set(re.split(", | and ", told[1])) == known | ({"ticket"} if call.takes_ticket else set())
