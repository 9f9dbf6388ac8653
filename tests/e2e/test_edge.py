"""What every request meets first and every answer carries, whichever layer gives it: over real sockets."""

import contextlib
import json
import socket
from collections.abc import Iterator
from http.client import HTTPResponse
from typing import NamedTuple

import httpx
import pytest

from deploy.local import resp
from tests.support import cargo
from tests.support.promised import insist_on_promise
from tests.support.service import Service
from tests.support.system import JOBS, System
from tests.support.waiting import PATIENCE_SECONDS, until

APP = "https://app.example.org"
OTHER = "https://other.example.org"
SETTINGS = {
    "WAYBILL_CORS_ORIGINS": f"{APP}, http://localhost:3000",
    "WAYBILL_HOSTS": "downloads.example.org",
    "WAYBILL_TRUSTED_PROXIES": "127.0.0.1 10.0.0.0/8",
    "WAYBILL_HSTS_SECONDS": "31536000",
}
UNKNOWN = "00000000-0000-8000-8000-000000000000"


class Answer(NamedTuple):
    """The head of an answer, names in small letters, and its body; a stream's first piece."""

    status: int
    headers: dict[str, str]
    body: bytes


@pytest.fixture(scope="module")
def behind_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system with all settings of the edge, and nobody who runs its jobs."""
    with System(tmp_path_factory.mktemp("edge"), processors=0, settings=SETTINGS) as running:
        yield running


@pytest.fixture(scope="module")
def queued(behind_proxy: System) -> str:
    """The path of a job that waits for ever."""
    return behind_proxy.create_job(*cargo.MIXED)


def ask(gateway: Service, method: str, path: str, *lines: str, host: str = "localhost", body: bytes = b"") -> Answer:
    """Send one request, with these header lines, on a connection of its own."""
    head = "\r\n".join([f"{method} {path} HTTP/1.1", f"Host: {host}", *lines, "", ""]).encode()
    return answer_to(gateway, head + body, method)


def answer_to(gateway: Service, request: bytes, method: str = "GET") -> Answer:
    """Send bytes; give the answer."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE_SECONDS) as peer:
        with contextlib.suppress(ConnectionError):
            peer.sendall(request)
        response = HTTPResponse(peer, method=method)
        response.begin()
        body = response.read1(65_536) if "event-stream" in response.headers.get("content-type", "") else response.read()
        headers = {name.lower(): value for name, value in response.headers.items()}
        assert len(headers) == len(response.headers), "a header comes twice"
        _insist_on_promise(request, response.status, headers, body)
        return Answer(response.status, headers, body)


def _insist_on_promise(request: bytes, status: int, headers: dict[str, str], body: bytes) -> None:
    method, address = request.decode().split(" ")[:2]
    asked = httpx.Request(method, f"http://gateway{address}")
    insist_on_promise(httpx.Response(status, headers=headers, content=body, request=asked))


# ── every answer ──────────────────────────────────────────────────────────────────────────────────────────────────────

KINDS = {
    "a record": ("GET", "{job}", ()),
    "not modified": ("GET", "{job}", ("If-None-Match: *",)),
    "head": ("HEAD", "{job}", ()),
    "a listing": ("GET", JOBS, ()),
    "events": ("GET", "{job}/events", ()),
    "a stream": ("GET", "{job}/stream", ("Accept: text/event-stream",)),
    "options": ("OPTIONS", JOBS, ()),
    "no such address": ("GET", "/nothing", ()),
    "no such job": ("GET", f"{JOBS}/{UNKNOWN}", ()),
    "wrong method": ("PATCH", JOBS, ()),
    "no archive yet": ("GET", "{job}/file", ()),
    "no JSON": ("POST", JOBS, ("Content-Type: text/plain", "Content-Length: 0")),
    "too large a body": ("POST", JOBS, ("Content-Type: application/json", "Content-Length: 70000")),
    "another host": ("GET", JOBS, ("Host: b",)),
    "no UTF-8": ("GET", "/%FF", ()),
    "too long an address": ("GET", "/" + "a" * 9_000, ()),
    "too large a head": ("GET", "/", ("Cookie: " + "a" * 40_000,)),
    "no HTTP": ("GET", "/", ("Content-Length: many",)),
}
"""Answers of all layers: the app, the framework, the edge, the protocol."""


@pytest.mark.parametrize(("method", "path", "lines"), KINDS.values(), ids=KINDS)
def test_every_answer_carries_what_protects_browsers_and_may_be_read_by_named_pages(
    behind_proxy: System, queued: str, method: str, path: str, lines: tuple[str, ...]
) -> None:
    answer = ask(
        behind_proxy.gateways[0], method, path.format(job=queued), f"Origin: {APP}", "X-Request-Id: call-7",
        "X-Forwarded-Proto: https", *lines,
    )  # fmt: skip

    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    assert answer.headers["x-request-id"] == "call-7"
    assert answer.headers["access-control-allow-origin"] == APP
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert "Idempotency-Key-Expires" in answer.headers["access-control-expose-headers"]
    assert "Origin" in answer.headers["vary"]
    assert "server" not in answer.headers
    if answer.status >= 400 and method != "HEAD":
        assert answer.headers["content-type"] == "application/problem+json"
        assert json.loads(answer.body)["request_id"] == "call-7"


def test_slow_request_is_refused_with_the_same_headers(behind_proxy: System) -> None:
    strict = behind_proxy.start("gateway", {"REQUEST_HEAD_WITHIN_SECONDS": 0.3})
    strict.wait_until_ready()

    answer = answer_to(
        strict, f"GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: {APP}\r\nX-Request-Id: slow\r\nX: ".encode()
    )

    assert answer.status == 408
    assert answer.headers["access-control-allow-origin"] == APP
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert json.loads(answer.body)["request_id"] == answer.headers["x-request-id"] == "slow"


def test_page_of_another_origin_is_told_nothing_that_lets_it_read(behind_proxy: System, queued: str) -> None:
    for path in (queued, f"{queued}/stream", "/nothing"):
        for origin in (OTHER, "null", f"{APP}.evil.example", APP.upper()):
            answer = ask(behind_proxy.gateways[0], "GET", path, f"Origin: {origin}")

            assert not [name for name in answer.headers if name.startswith("access-control-")]
            assert "Origin" in answer.headers["vary"]


def test_preflight_is_answered_before_anybody_asks_who_calls(behind_proxy: System) -> None:
    keyed = behind_proxy.start("gateway", WAYBILL_AUTH="keys")
    keyed.wait_until_ready()
    lines = (f"Origin: {APP}", "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: idempotency-key")

    answer = ask(keyed, "OPTIONS", JOBS, *lines, host="downloads.example.org")

    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == APP
    assert "Idempotency-Key" in answer.headers["access-control-allow-headers"]
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-max-age"] == "7200"
    assert ask(keyed, "GET", JOBS, host="downloads.example.org").status == 401


def test_preflight_of_another_origin_is_an_options_call_like_any(behind_proxy: System) -> None:
    lines = (f"Origin: {OTHER}", "Access-Control-Request-Method: POST")

    answer = ask(behind_proxy.gateways[0], "OPTIONS", JOBS, *lines)

    assert (answer.status, answer.headers["allow"]) == (204, "GET, HEAD, OPTIONS, POST")
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("path", [JOBS, "/" + "a" * 9_000], ids=["app", "protocol"])
def test_hsts_is_said_only_where_the_proxy_took_the_request_with_tls(behind_proxy: System, path: str) -> None:
    for line, is_said in (("X-Forwarded-Proto: http", False), ("X-Forwarded-Proto: https", True), ("X: y", False)):
        answer = ask(behind_proxy.gateways[0], "GET", path, line)

        assert ("strict-transport-security" in answer.headers) is is_said


def test_gateway_without_these_settings_lets_no_other_page_read(system: System) -> None:
    answer = ask(system.gateways[0], "GET", JOBS, f"Origin: {APP}")

    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert "strict-transport-security" not in answer.headers


# ── names ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "host", ["attacker.example", "attacker.example:8080", "10.0.0.1", "localhost.attacker.example"]
)
def test_page_that_let_its_name_lead_here_is_refused(behind_proxy: System, host: str) -> None:
    before = behind_proxy.count_in_redis()
    body = json.dumps({"file_ids": [cargo.MIXED[0].file_id]}).encode()

    answer = ask(
        behind_proxy.gateways[0], "POST", JOBS, "Content-Type: application/json", f"Content-Length: {len(body)}",
        host=host, body=body,
    )  # fmt: skip

    assert (answer.status, json.loads(answer.body)["code"]) == (421, "MISDIRECTED")
    assert behind_proxy.gateways[0].metric("auth_refusals_total", reason="misdirected") > 0
    assert "WAYBILL_HOSTS" in json.loads(answer.body)["detail"]
    assert behind_proxy.count_in_redis() == before


@pytest.mark.parametrize("line", [f"Origin: {OTHER}", "Origin: null", "Sec-Fetch-Site: cross-site"])
def test_page_of_a_stranger_can_cancel_nothing_where_nobody_is_asked_who_calls(
    behind_proxy: System, queued: str, line: str
) -> None:
    gateway = behind_proxy.gateways[0]
    before = gateway.metric("auth_refusals_total", reason="origin_refused")

    for method, path in (("POST", f"{queued}/cancel"), ("POST", f"{queued}/retry"), ("DELETE", queued)):
        answer = ask(gateway, method, path, line)

        assert (answer.status, json.loads(answer.body)["code"]) == (403, "ORIGIN_REFUSED")
    assert behind_proxy.get(queued).json()["status"] == "queued"
    assert gateway.metric("auth_refusals_total", reason="origin_refused") == before + 3


@pytest.mark.parametrize(
    "host", ["localhost:80", "127.0.0.1", "[::1]:8080", "waybill.localhost", "Downloads.example.org"]
)
def test_names_of_this_machine_and_named_ones_are_served(behind_proxy: System, host: str) -> None:
    assert ask(behind_proxy.gateways[0], "GET", JOBS, host=host).status == 200


# ── who, what, from where ─────────────────────────────────────────────────────────────────────────────────────────────


def test_what_was_done_is_one_line_each_with_the_id_of_the_request_and_the_client(behind_proxy: System) -> None:
    gateway = behind_proxy.gateways[0]
    forwarded = "X-Forwarded-For: 6.6.6.6, 192.0.2.7, 10.1.2.3"
    body = json.dumps({"file_ids": [cargo.MIXED[0].file_id]}).encode()
    json_lines = ("Content-Type: application/json", f"Content-Length: {len(body)}")

    created = ask(gateway, "POST", JOBS, forwarded, "X-Request-Id: c", *json_lines, body=body)
    path = created.headers["location"]
    ask(gateway, "POST", f"{path}/cancel", forwarded, "X-Request-Id: x")
    ask(gateway, "DELETE", path, forwarded, "X-Request-Id: d")

    job_id = path.rpartition("/")[2]
    lines = [line for line in gateway.log_lines() if line.get("job_id") == job_id]
    assert [(line["event"], line["request_id"], line["client"], line["owner"]) for line in lines] == [
        ("job created", "c", "192.0.2.7", "local"),
        ("cancel requested", "x", "192.0.2.7", "local"),
        ("job deleted", "d", "192.0.2.7", "local"),
    ]


def test_download_is_one_line_with_the_client(system: System) -> None:
    path = system.create_job(cargo.MIXED[0])
    system.wait_for_end(path)

    answer = ask(system.gateways[0], "GET", f"{path}/file", "X-Forwarded-For: 192.0.2.7", "X-Request-Id: f")

    assert answer.status == 200
    job_id = path.rpartition("/")[2]
    [line] = [line for line in system.gateways[0].log_lines() if line.get("request_id") == "f"]
    assert (line["event"], line["job_id"]) == ("archive sent", job_id)
    assert line["client"] == "127.0.0.1"  # nobody has named a proxy here, so that nobody's word counts


def test_request_without_an_id_gets_one_that_its_log_lines_have(behind_proxy: System) -> None:
    gateway = behind_proxy.gateways[0]
    body = json.dumps({"file_ids": [cargo.MIXED[0].file_id]}).encode()
    lines = ("Content-Type: application/json", f"Content-Length: {len(body)}", "X-Request-Id: {not one}")

    created = ask(gateway, "POST", JOBS, *lines, body=body)

    drawn = created.headers["x-request-id"]
    assert len(drawn) == 32
    until(lambda: [line for line in gateway.log_lines() if line.get("request_id") == drawn], "it is logged")


def test_end_of_a_stream_is_logged_with_the_id_of_its_request(behind_proxy: System, queued: str) -> None:
    gateway = behind_proxy.gateways[0]

    opened = ask(gateway, "GET", f"{queued}/stream", "X-Request-Id: viewer-3")

    assert opened.status == 200
    until(lambda: [line for line in gateway.log_lines() if line.get("request_id") == "viewer-3"], "it is logged")
    [line] = [line for line in gateway.log_lines() if line.get("request_id") == "viewer-3"]
    assert (line["event"], line["reason"], line["service"]) == ("stream ended", "left", "gateway")


@pytest.mark.parametrize("target", ["{path}/stream", "/v1/download/stream?job={job_id}"], ids=["one job", "many jobs"])
def test_end_of_a_live_stream_is_logged_with_its_viewer_and_not_with_whoever_brought_it(
    behind_proxy: System, target: str
) -> None:
    gateway, path = behind_proxy.gateways[0], behind_proxy.create_job(*cargo.MIXED)
    job_id = path.rpartition("/")[2]
    viewer = {"X-Forwarded-For": "192.0.2.7", "X-Request-Id": f"live-{job_id}", "Accept": "text/event-stream"}

    with (
        httpx.Client(base_url=gateway.url, timeout=PATIENCE_SECONDS) as client,
        client.stream("GET", target.format(path=path, job_id=job_id), headers=viewer) as response,
    ):
        until(lambda: subscribers(behind_proxy, job_id) == "1", "the stream is live")
        ask(gateway, "POST", f"{path}/cancel", "X-Forwarded-For: 192.0.2.8", "X-Request-Id: who-cancels")
        assert b'"cancelled"' in response.read()

    [line] = [line for line in gateway.log_lines() if line.get("request_id") == f"live-{job_id}"]
    assert (line["event"], line["reason"], line["client"]) == ("stream ended", "terminal", "192.0.2.7")


def subscribers(system: System, job_id: str) -> str:
    """Count who listens to a job's live channel."""
    count = "return redis.call('PUBSUB', 'SHARDNUMSUB', ARGV[1])[2]"
    return resp.ask(system.redis.port, "EVAL", count, "0", f"waybill:{{0}}:events:{job_id}")


# ── refused callers ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_refused_callers_are_counted_by_reason_and_logged_once_in_a_while(behind_proxy: System) -> None:
    keyed = behind_proxy.start("gateway", WAYBILL_AUTH="keys", WAYBILL_HOSTS="")
    keyed.wait_until_ready()
    wrong = f"Authorization: Bearer wb_{'0' * 16}_{'1' * 64}"

    for _ in range(5):
        assert ask(keyed, "GET", JOBS).status == 401
        assert ask(keyed, "GET", JOBS, wrong).status == 401

    assert keyed.metric("auth_refusals_total", reason="anonymous") == 5
    assert keyed.metric("auth_refusals_total", reason="unauthenticated") == 5
    assert keyed.metric("auth_refusals_total", reason="scope_missing") == 0
    lines = [line for line in keyed.log_lines() if line["event"] == "caller refused"]
    assert sorted(line["reason"] for line in lines) == ["anonymous", "unauthenticated"]
    assert all(line["client"] == "127.0.0.1" for line in lines)
    assert "1" * 64 not in keyed.log_path.read_text()
