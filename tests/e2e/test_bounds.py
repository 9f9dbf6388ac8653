"""What one peer may cost: heads, bodies, waiting, reading. Others never notice, and each refusal is counted."""

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import cargo
from tests.support.local_http import strict_client
from tests.support.service import Service
from tests.support.sse_reader import FrameReader
from tests.support.system import JOBS, System
from tests.support.viewer import BackgroundViewer
from tests.support.waiting import PATIENCE_SECONDS, until

WITHIN = 0.5
PATIENT = {"REQUEST_HEAD_WITHIN_SECONDS": WITHIN, "REQUEST_BODY_WITHIN_SECONDS": WITHIN}
MAX_HEAD_BYTES = 32 * 1024


@pytest.fixture(scope="module")
def strict(system: System) -> Iterator[Service]:
    """A gateway that gives a peer half a second, in place of ten."""
    started = system.start("gateway", PATIENT)
    started.wait_until_ready()
    yield started
    started.close()


@contextlib.contextmanager
def connected(gateway: Service) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", int(gateway.settings["WAYBILL_PORT"]))) as peer:
        peer.settimeout(PATIENCE_SECONDS)
        yield peer


def everything_from(peer: socket.socket) -> bytes:
    """Read until the other side closes."""
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := peer.recv(65_536):
            found += piece
    return found


def read_problem(answer: bytes) -> tuple[int, dict[str, Any]]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head
    assert b"connection: close" in head
    return int(head.split(b" ")[1]), json.loads(body)


def refusals(gateway: Service, reason: str) -> float:
    return gateway.metric("http_refusals_total", reason=reason)


def send_all(peer: socket.socket, data: bytes) -> None:
    """Send as much as the other side takes: it may close in the midst of it."""
    with contextlib.suppress(ConnectionError):
        peer.sendall(data)


# ── heads ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("one long header", b"GET / HTTP/1.1\r\nHost: localhost\r\nCookie: " + b"a" * 40_000 + b"\r\n\r\n"),
        ("many short headers", b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"a: b\r\n" * 10_000 + b"\r\n"),
        ("an endless query", b"GET /v1/download/jobs/x?" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        ("a header that never ends", b"GET / HTTP/1.1\r\nHost: localhost\r\nCookie: " + b"a" * 400_000),
        ("an address that never ends", b"GET /" + b"a" * 400_000),
    ],
)
@pytest.mark.parametrize("pieces", ["in one piece", "in pieces"])
def test_head_that_is_too_large_is_refused_with_431(system: System, name: str, head: bytes, pieces: str) -> None:
    patient = system.gateways[0]  # it must not be the time that refuses them
    before = refusals(patient, "head_size")

    with connected(patient) as peer:
        step = len(head) if pieces == "in one piece" else 1_000
        for at in range(0, len(head), step):
            send_all(peer, head[at : at + step])
        answer = everything_from(peer)

    # A peer that is still sending when it is refused may get a reset before it reads the answer.
    if answer or name == "one long header":
        status, problem = read_problem(answer)
        assert (status, problem["code"]) == (431, "HEAD_TOO_LARGE")
        assert "32,768" in problem["detail"]
    assert refusals(patient, "head_size") == before + 1


def test_trailers_behind_a_chunked_body_count_like_a_head(system: System) -> None:
    gateway = system.gateways[0]
    before = refusals(gateway, "head_size")

    with connected(gateway) as peer:
        peer.sendall(
            b"POST %b HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n" % JOBS.encode()
        )
        send_all(peer, b"a: b\r\n" * 10_000)
        everything_from(peer)

    assert refusals(gateway, "head_size") == before + 1


def test_request_behind_an_open_stream_does_not_hide_that_its_viewer_leaves(system: System) -> None:
    gateway = system.gateways[0]
    path = system.create_job(*cargo.LONG[:2])
    before = gateway.metric("sse_streams_ended_total", reason="left")

    with connected(gateway) as peer:
        peer.sendall(
            b"".join(f"GET {path}{below} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() for below in ("/stream", ""))
        )
        until(lambda: b"data:" in peer.recv(65_536), "the stream is open")

    until(lambda: gateway.metric("sse_streams_ended_total", reason="left") == before + 1, "the viewer is seen to leave")
    system.call("DELETE", path)


def test_pipelined_requests_get_the_first_answer_and_a_closed_connection(system: System) -> None:
    with connected(system.gateways[0]) as peer:
        peer.sendall(b"GET /v1/a HTTP/1.1\r\nHost: localhost\r\n\r\n" * 500)
        answer = everything_from(peer)

    assert answer.count(b"HTTP/1.1 404") == 1
    assert b"connection: close" in answer.lower()


def test_offer_of_http_2_is_ignored_and_the_body_read(system: System) -> None:
    body = json.dumps({"file_ids": cargo.ids_of(cargo.MIXED[0])}).encode()
    head = (
        f"POST {JOBS} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        f"HTTP2-Settings: AAMAAABk\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )

    with connected(system.gateways[0]) as peer:
        peer.sendall(head.encode() + body)
        answer = peer.recv(65_536)

    assert answer.startswith(b"HTTP/1.1 202"), answer


def test_space_behind_the_value_of_a_header_is_none_of_it(system: System) -> None:
    path = system.create_job(cargo.MIXED[0])
    system.wait_for_end(path)

    with connected(system.gateways[0]) as peer:
        request = f"GET {path}/stream HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: 0-1 \t\r\nConnection: close\r\n\r\n"
        peer.sendall(request.encode())
        answer = everything_from(peer)

    assert b"id: 1-2" in answer
    assert b"snapshot" not in answer


@pytest.mark.parametrize("hosts", ["", "Host: a\r\nHost: b\r\n"])
def test_request_without_one_host_is_refused(system: System, hosts: str) -> None:
    with connected(system.gateways[0]) as peer:
        peer.sendall(f"GET /v1/nothing HTTP/1.1\r\n{hosts}\r\n".encode())
        status, problem = read_problem(everything_from(peer))

    assert (status, problem["code"]) == (400, "MALFORMED_REQUEST")


@pytest.mark.parametrize("sent", [b"Transfer-Encoding: gzip\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"])
def test_body_that_is_no_http_is_refused_with_a_problem(system: System, sent: bytes) -> None:
    gateway = system.gateways[0]
    with connected(gateway) as peer:
        peer.sendall(f"POST {JOBS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n".encode() + sent)
        status, problem = read_problem(everything_from(peer))

    assert (status, problem["code"]) == (400, "MALFORMED_REQUEST")
    assert [line for line in gateway.log_lines() if line["level"] == "error"] == []


def test_body_that_stays_away_after_an_early_answer_gets_no_second_one(strict: Service) -> None:
    with connected(strict) as peer:
        peer.sendall(b"POST /v1/nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 400\r\n\r\n{")
        answer = everything_from(peer)

    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.startswith(b"HTTP/1.1 404")


def test_head_just_below_the_bound_is_served(strict: Service) -> None:
    with strict_client() as client:
        response = client.get(f"{strict.url}/v1/nothing", headers={"x-long": "a" * (MAX_HEAD_BYTES - 500)})

    assert response.status_code == 404


def test_a_large_body_behind_a_small_head_is_no_large_head(strict: Service) -> None:
    body = json.dumps({"file_ids": cargo.ids_of(cargo.MIXED[0]), "archive_name": "a" * 60_000}).encode()
    request = b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n" % (
        JOBS.encode(),
        len(body),
    )

    with connected(strict) as peer:
        peer.sendall(request + b"Connection: close\r\n\r\n" + body)
        answer = everything_from(peer)

    assert answer.startswith(b"HTTP/1.1 422"), answer


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nCookie: " + b"a" * 32_760 + b"\r\n\r\n", 431),
    ],
)
def test_second_head_of_a_connection_is_refused_with_an_answer_of_its_own(
    system: System, head: bytes, status: int
) -> None:
    with connected(system.gateways[0]) as peer:
        peer.sendall(b"GET /v1/nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")
        first = b""
        while not first.endswith(b"}\n"):
            first += peer.recv(65_536)
        peer.sendall(head)
        answered, _ = read_problem(everything_from(peer))

    assert (first[:13], answered) == (b"HTTP/1.1 404 ", status)


def test_connection_that_says_nothing_more_is_closed_in_the_end(system: System) -> None:
    gateway = system.start("gateway", {"KEEP_ALIVE_SECONDS": WITHIN})
    gateway.wait_until_ready()

    with connected(gateway) as peer:
        peer.sendall(b"GET /v1/nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = everything_from(peer)

    gateway.close()
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"connection: close" not in answer.lower()


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: localhost\r\nCookie: a"])
def test_head_that_does_not_arrive_is_refused_with_408(strict: Service, sent: bytes) -> None:
    before = refusals(strict, "head_time")

    with connected(strict) as peer:
        peer.sendall(sent)
        status, problem = read_problem(everything_from(peer))

    assert (status, problem["code"]) == (408, "REQUEST_TIMEOUT")
    assert refusals(strict, "head_time") == before + 1


def test_slowloris_is_cut_although_it_never_stops_sending(strict: Service) -> None:
    before = refusals(strict, "head_time")

    with connected(strict) as peer:
        peer.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        started = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() < started + PATIENCE_SECONDS:
                peer.sendall(b"a: b\r\n")
                time.sleep(WITHIN / 10)

    assert refusals(strict, "head_time") == before + 1


def test_second_request_of_a_connection_is_given_no_more_time_than_the_first(strict: Service) -> None:
    before = refusals(strict, "head_time")

    with connected(strict) as peer:
        peer.sendall(b"GET /v1/nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")
        until(lambda: b"NOT_FOUND" in peer.recv(4096), "the first answer")
        peer.sendall(b"GET / HTTP/1.1\r\nHo")
        status, _ = read_problem(everything_from(peer))

    assert status == 408
    assert refusals(strict, "head_time") == before + 1


def test_connection_that_rests_between_two_requests_is_no_refusal(strict: Service) -> None:
    before = refusals(strict, "head_time")

    with connected(strict) as peer:
        peer.sendall(b"GET /v1/nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")
        until(lambda: b"NOT_FOUND" in peer.recv(4096), "the first answer")
        time.sleep(2 * WITHIN)  # the time itself is what is tested
        peer.sendall(b"GET /v1/nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = everything_from(peer)

    assert answer.startswith(b"HTTP/1.1 404")
    assert refusals(strict, "head_time") == before


def test_body_that_does_not_arrive_is_refused_with_408_and_creates_nothing(system: System, strict: Service) -> None:
    before, jobs = refusals(strict, "body_time"), system.count_in_redis()

    with connected(strict) as peer:
        peer.sendall(
            b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 400\r\n\r\n{"
            % JOBS.encode()
        )
        status, problem = read_problem(everything_from(peer))

    assert (status, problem["code"]) == (408, "REQUEST_TIMEOUT")
    assert refusals(strict, "body_time") == before + 1
    assert system.count_in_redis() == jobs


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x02\x00\x01\x00\x01", b"NONSENSE\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"])
def test_what_is_no_http_is_refused_with_a_problem(strict: Service, sent: bytes) -> None:
    before = refusals(strict, "malformed")

    with connected(strict) as peer:
        peer.sendall(sent)
        status, problem = read_problem(everything_from(peer))

    assert (status, problem["code"]) == (400, "MALFORMED_REQUEST")
    assert refusals(strict, "malformed") == before + 1


def test_slow_head_is_refused_while_a_stream_beside_it_goes_on(system: System, strict: Service) -> None:
    path = system.create_job(*cargo.LONG[:1])
    viewer = BackgroundViewer(f"{strict.url}{path}/stream")

    with connected(strict) as peer:
        peer.sendall(b"GET /")
        everything_from(peer)

    assert viewer.wait_for_end()[-1].type == "completed"


# ── streams ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def small(system: System) -> Iterator[Service]:
    """A gateway that holds two streams."""
    started = system.start("gateway", WAYBILL_MAX_STREAMS="2")
    started.wait_until_ready()
    yield started
    started.close()


def test_one_stream_too_many_gets_a_busy_frame_or_503_and_may_come_back(system: System, small: Service) -> None:
    path = system.create_job(*cargo.LONG[:1])
    url = f"{small.url}{path}/stream"
    first, second = BackgroundViewer(url), BackgroundViewer(url)

    with strict_client() as client:
        polite = client.get(url, headers={"Accept": "text/event-stream"})
        plain = client.get(url)
        while_full = client.get(small.url + path)
    (frame,) = FrameReader().feed(polite.content)

    assert (frame.type, frame.data["reason"], frame.id) == ("busy", "overload", None)
    assert frame.retry_ms is not None
    assert (plain.status_code, plain.json()["code"]) == (503, "TOO_MANY_STREAMS")
    assert plain.headers["retry-after"]
    assert while_full.status_code == 200
    assert [viewer.wait_for_end()[-1].type for viewer in (first, second)] == ["completed", "completed"]
    until(lambda: small.metric("sse_connections_active") == 0, "both streams are counted out")
    assert BackgroundViewer(url).wait_for_end()[-1].type == "completed"
    assert small.metric("sse_refusals_total", reason="overload") == 1
    assert small.metric("sse_streams_ended_total", reason="terminal") == 3
