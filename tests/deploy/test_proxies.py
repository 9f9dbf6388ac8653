"""What callers see through the proxies of deploy/proxies that can be had here, HAProxy and Caddy, as we ship them.

Of Envoy, Traefik and the clouds the files are read (test_edge.py); what they did on one machine is in docs/proxies.md.
"""

import re
import socket
from collections.abc import Iterator
from typing import NamedTuple

import httpx
import pytest

from shared import limits
from tests.support import cargo
from tests.support.curl import CurlViewer
from tests.support.gateway_headers import gateway_headers
from tests.support.holding_handler import LET_GO, SILENT
from tests.support.ports import free_ports
from tests.support.scripted_backend import ScriptedBackend
from tests.support.service import Service
from tests.support.shipped_proxies import Behind, ShippedCaddy, ShippedHaproxy, ShippedProxy, changed
from tests.support.socket_reader import open_socket
from tests.support.sse_reader import read_frames
from tests.support.system import JOBS, System
from tests.support.waiting import PATIENCE_SECONDS, until

KINDS: dict[str, type[ShippedProxy]] = {"haproxy": ShippedHaproxy, "caddy": ShippedCaddy}
SILENCE_SECONDS = 2.0
"""The patience of the proxies with silence where it matters, in place of a minute,"""
HEARTBEAT_SECONDS = 0.4
"""and the heartbeats, scaled as it is: fifteen seconds of sixty would be half a second."""
STREAM = "/v1/download/jobs/7f0c6a5e/stream"
NAMED = "https://app.example.org"
EVENT_SOURCE = {"Accept": "text/event-stream"}
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENT = CHUNKED + b'10\r\ndata: {"id": 1}\n\r\n'


class Front(NamedTuple):
    """A proxy, and the options with which curl speaks to it."""

    proxy: ShippedProxy
    options: tuple[str, ...]


def behind(gateway: Service) -> Behind:
    """Give the ports of a gateway."""
    return Behind(gateway.port, int(gateway.admin_url.rpartition(":")[2]))


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A processor that holds every job, a gateway as it is, and one whose heartbeats are scaled."""
    home = tmp_path_factory.mktemp("held")
    holding = {"WAYBILL_HANDLER": "tests.support.holding_handler:handle", LET_GO: str(home / "never")}
    with System(home, settings=holding | {"WAYBILL_SLOTS": "64"}) as running:
        running.gateways.append(running.start("gateway", {"HEARTBEAT_EVERY_SECONDS": HEARTBEAT_SECONDS}))
        running.gateways[1].wait_until_ready()
        yield running


@pytest.fixture(scope="module", params=KINDS)
def patient(
    request: pytest.FixtureRequest, held: System, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ShippedProxy]:
    """Each proxy as we ship it, before the gateway as it is."""
    with KINDS[request.param](tmp_path_factory.mktemp(request.param), [behind(held.gateways[0])]) as proxy:
        yield proxy


@pytest.fixture(params=["http1", "http2"])
def front(request: pytest.FixtureRequest, patient: ShippedProxy) -> Front:
    """Each way to reach Waybill through each of them."""
    return Front(patient, (*patient.options, "--http2" if request.param == "http2" else "--http1.1"))


def viewer(front: Front, path: str, *options: str) -> CurlViewer:
    """Make a viewer of a job's stream; it is opened by `with`."""
    return CurlViewer(f"{front.proxy.url}{path}/stream", *front.options, *options)


def test_small_events_arrive_while_their_job_is_still_running(held: System, front: Front) -> None:
    path = held.create_job(*cargo.MIXED)

    with viewer(front, path, "-H", "Last-Event-ID: 0-0") as stream:
        frames = [stream.next_event() for _ in range(4)]

    # The job runs for ever: what was shown cannot have come with its end.
    assert [frame.id for frame in frames] == ["0-1", "1-2", "1-3", "1-4"]


def test_last_event_id_goes_through(held: System, front: Front) -> None:
    path = held.create_job(*cargo.MIXED)
    until(lambda: len(held.log(path)) >= 3, "the job has made progress")

    with viewer(front, path, "-H", "Last-Event-ID: 1-2") as stream:
        first = stream.next_frame()

    assert (first.id, first.type) == ("1-3", "progress")


def test_a_viewer_that_leaves_ends_its_stream_at_the_gateway(held: System, front: Front) -> None:
    [gateway, _] = held.gateways
    path = held.create_job(*cargo.MIXED, archive_name=SILENT)
    until(lambda: gateway.metric("sse_connections_active") == 0, "nobody watches any more")
    with viewer(front, path) as stream:
        stream.next_frame()
        watched = gateway.metric("sse_connections_active")

    # Not by writing to somebody who is gone: the next thing to be written is a heartbeat.
    soon_seconds = 0.5 * limits.HEARTBEAT_EVERY_SECONDS
    until(lambda: gateway.metric("sse_connections_active") == 0, "it knows that they left", within_seconds=soon_seconds)
    assert watched == 1


def test_a_websocket_of_our_own_page_goes_through(held: System, patient: ShippedProxy) -> None:
    path = held.create_job(*cargo.MIXED)

    with open_socket(
        f"{patient.url}{path}/stream?last_event_id=0-0", origin=patient.url, ssl=patient.trust()
    ) as reader:
        told = [reader.next() for _ in range(3)]

    assert [message["type"] for message in told if message] == ["queued", "started", "progress"]


def test_a_job_is_created_and_read(held: System, patient: ShippedProxy) -> None:
    with httpx.Client(base_url=patient.url, trust_env=False, verify=patient.trust()) as http:
        created = http.post(JOBS, json={"file_ids": cargo.ids_of(*cargo.MIXED)})
        record = http.get(created.headers["location"])

    assert (created.status_code, record.json()["job_id"]) == (202, created.json()["job_id"])
    assert record.headers.get_list("x-content-type-options") == ["nosniff"]
    assert record.headers["strict-transport-security"] == "max-age=31536000"


# ── silence ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", KINDS)
def test_heartbeats_alone_keep_a_silent_stream_for_longer_than_the_proxy_s_patience(
    held: System, kind: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = held.create_job(*cargo.MIXED, archive_name=SILENT)
    home, quick = tmp_path_factory.mktemp(kind), behind(held.gateways[1])
    enough = round(3 * SILENCE_SECONDS / (0.8 * HEARTBEAT_SECONDS))

    with (
        KINDS[kind](home, [quick], silence_seconds=SILENCE_SECONDS) as proxy,
        CurlViewer(f"{proxy.url}{path}/stream", *proxy.options) as stream,
    ):
        first = stream.next_frame()
        types = [stream.next_frame().type for _ in range(enough)]

    assert first.type == "snapshot"
    assert set(types) <= {"started", "heartbeat"}


def test_what_is_silent_for_longer_is_cut_by_haproxy(tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("silent")
    with (
        ScriptedBackend(EVENT) as backend,
        ShippedHaproxy(home, [at(backend)], silence_seconds=SILENCE_SECONDS) as proxy,
        httpx.Client(base_url=proxy.url, trust_env=False, verify=proxy.trust(), timeout=PATIENCE_SECONDS) as http,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        http.get(STREAM)


# ── what the proxy says itself, and of its clients ────────────────────────────────────────────────────────────────────


def at(backend: ScriptedBackend) -> Behind:
    """Give the port of a server that is no gateway."""
    return Behind(int(backend.address.rpartition(":")[2]))


@pytest.fixture(scope="module", params=["haproxy", "haproxy that does not know it yet", "caddy"])
def deserted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a proxy before gateways that are not there; pages of one other origin may read its answers."""
    kind = KINDS[request.param.partition(" ")[0]]
    one, its_admin, another, another_admin = free_ports(4)
    gateways = [Behind(one, its_admin), Behind(another, another_admin)]
    if request.param != "haproxy":  # unchecked, as a gateway between its death and the check that fails
        gateways = [Behind(one), Behind(another)]
    proxy = kind(tmp_path_factory.mktemp("deserted"), gateways)
    text, lines = re.subn(r"(?m)^(\s+)#(?=\S)", r"\1", proxy.configuration.read_text())  # what an operator may take
    assert lines
    proxy.configuration.write_text(text)
    with (
        proxy,
        httpx.Client(base_url=proxy.url, trust_env=False, verify=proxy.trust(), timeout=PATIENCE_SECONDS) as http,
    ):
        if request.param == "haproxy":
            until(lambda: "backend 'event_sources' has no server" in proxy.log(), "it knows that nobody is there")
        yield http


def test_an_event_source_is_told_to_come_back_while_no_gateway_is_there(deserted: httpx.Client) -> None:
    answers = [deserted.get(STREAM, headers=EVENT_SOURCE) for _ in range(30)]

    frames = [frame for answer in answers for frame in read_frames(answer.content)]
    assert {(answer.status_code, answer.headers["content-type"]) for answer in answers} == {(200, "text/event-stream")}
    assert {(frame.type, frame.data["reason"]) for frame in frames} == {("busy", "gateway")}
    assert all(limits.MIN_SSE_RETRY_MS <= (frame.retry_ms or 0) <= limits.MAX_SSE_RETRY_MS for frame in frames)
    assert len({frame.retry_ms for frame in frames}) > 10


@pytest.mark.parametrize(("method", "path", "headers"), [("GET", STREAM, {}), ("POST", JOBS, EVENT_SOURCE)])
def test_everybody_else_is_told_the_truth(
    deserted: httpx.Client, method: str, path: str, headers: dict[str, str]
) -> None:
    answer = deserted.request(method, path, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (503, "GATEWAY_UNAVAILABLE")
    assert (answer.headers["content-type"], answer.headers["retry-after"]) == ("application/problem+json", "2")


@pytest.mark.parametrize("origin", [NAMED, "https://elsewhere.example.org"])
@pytest.mark.parametrize("headers", [{}, EVENT_SOURCE])
def test_own_answers_carry_what_a_gateway_adds_to_its_own(
    deserted: httpx.Client, headers: dict[str, str], origin: str
) -> None:
    answer = deserted.get(STREAM, headers=headers | {"X-Request-Id": "asked-for", "Origin": origin})

    expected = gateway_headers(NAMED, request_id="asked-for", origin=origin)
    if origin != NAMED:  # to strangers it may say so, or that only our own pages may
        del expected["cross-origin-resource-policy"]
    assert {name: answer.headers.get_list(name) for name in expected} == {name: [at] for name, at in expected.items()}
    assert ("access-control-allow-origin" in answer.headers) == (origin == NAMED)


def test_an_id_that_is_none_is_not_taken_over(deserted: httpx.Client) -> None:
    answer = deserted.get(STREAM, headers={"X-Request-Id": 'no" id'})

    assert re.fullmatch("[0-9a-f-]{36}", answer.headers["x-request-id"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_gateway_is_told_who_asks_whatever_a_client_says_of_itself(
    kind: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    lies = "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: http\r\nForwarded: for=203.0.113.7"
    request = f"GET {STREAM}?ticket=secret HTTP/1.1\r\nHost: 127.0.0.1:8443\r\n{lies}\r\n\r\n"

    with (
        ScriptedBackend(b"HTTP/1.1 204 No Content\r\n\r\n") as backend,
        KINDS[kind](tmp_path_factory.mktemp(kind), [at(backend)]) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port), PATIENCE_SECONDS) as plain,
        proxy.trust().wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        connection.sendall(request.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 204 ")
        [head] = backend.heads
        log = proxy.log()

    told = {name.lower(): text for name, text in (line.split(": ", 1) for line in head.rstrip().split("\r\n")[1:])}
    assert (told["x-forwarded-for"], told["x-forwarded-proto"]) == ("127.0.0.1", "https")
    assert told["host"] == "127.0.0.1:8443"
    assert "forwarded" not in told
    assert "ticket" not in log


@pytest.mark.parametrize("kind", KINDS)
def test_no_log_has_a_ticket_when_nobody_is_there(kind: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    proxy = KINDS[kind](tmp_path_factory.mktemp(kind), [Behind(port) for port in free_ports(2)])
    if kind == "caddy":  # otherwise it is silent on what its handle_errors has answered
        proxy.configuration.write_text(
            changed(proxy.configuration.read_text(), {"\tadmin off\n": "\tadmin off\n\tdebug\n"})
        )

    with (
        proxy,
        httpx.Client(base_url=proxy.url, trust_env=False, verify=proxy.trust(), timeout=PATIENCE_SECONDS) as http,
    ):
        http.get(f"{STREAM}?ticket=SECRET")
        written = {"haproxy": f"GET {STREAM}", "caddy": "http.log.error"}[kind]
        until(lambda: written in proxy.log(), "it has written of the request")

    assert "SECRET" not in proxy.log()
