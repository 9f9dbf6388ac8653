"""What nginx says itself, in the form in which a gateway would: nobody is there, too much is sent, not by HTTPS."""

import json
import re
from collections.abc import Iterator

import httpx
import pytest

from shared import limits
from tests.support.gateway_headers import EXPOSED, gateway_headers
from tests.support.nginx import SHIPPED, ShippedNginx
from tests.support.ports import free_ports
from tests.support.sse_reader import Frame, read_frames
from tests.support.waiting import until

STREAMS = ("/v1/download/jobs/7f0c6a5e/stream", "/v1/download/stream?job=7f0c6a5e")
EVENT_SOURCE = {"Accept": "text/event-stream"}
TICKET = "a-ticket-that-opens-a-job"
NAMED = "https://app.example.org"


@pytest.fixture(scope="module")
def deserted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShippedNginx]:
    """An nginx before two gateways that are not there."""
    gateways = [f"127.0.0.1:{port}" for port in free_ports(2)]
    with ShippedNginx(tmp_path_factory.mktemp("deserted"), gateways) as nginx:
        yield nginx


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShippedNginx]:
    """The same, with an origin that may read its answers."""
    home = tmp_path_factory.mktemp("named")
    nginx = ShippedNginx(home, [f"127.0.0.1:{port}" for port in free_ports(1)])
    origins = home / "waybill" / "yours-origins.conf"
    origins.write_text(origins.read_text().replace('# "https://app', '"https://app'))
    with nginx:
        yield nginx


@pytest.fixture
def http(deserted: ShippedNginx) -> Iterator[httpx.Client]:
    """A client that believes its certificate, and follows no redirect."""
    with httpx.Client(base_url=deserted.url, trust_env=False, verify=deserted.trust()) as client:
        yield client


def test_the_files_that_we_ship_are_accepted_without_a_warning(deserted: ShippedNginx) -> None:
    assert "[warn]" not in deserted.check()


# ── nobody is there ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", STREAMS)
def test_an_event_source_is_told_to_come_back_while_no_gateway_listens(http: httpx.Client, path: str) -> None:
    response = http.get(path, headers={"Accept": "text/event-stream, */*;q=0.1"})

    [frame] = read_frames(response.content)
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/event-stream"
    assert response.headers["cache-control"] == "no-store, no-transform"
    assert (frame.type, frame.data["reason"], frame.id) == ("busy", "gateway", None)
    assert re.fullmatch(r"[0-9-]{10}T[0-9:]{8}[+-][0-9:]{5}", frame.data["at"])


def test_viewers_are_told_different_times_as_a_gateway_would_draw_them(http: httpx.Client) -> None:
    def busy() -> Frame:
        [frame] = read_frames(http.get(STREAMS[0], headers=EVENT_SOURCE).content)
        return frame

    retries_ms = {busy().retry_ms for _ in range(60)}

    assert all(limits.MIN_SSE_RETRY_MS <= (told or 0) <= limits.MAX_SSE_RETRY_MS for told in retries_ms)
    assert len(retries_ms) > 20


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", STREAMS[0], {}),
        ("GET", STREAMS[1], {"Accept": "application/json"}),
        ("POST", STREAMS[0], EVENT_SOURCE),
        ("GET", "/v1/download/jobs/7f0c6a5e", EVENT_SOURCE),
        ("GET", "/v1/download/jobs/7f0c6a5e/file", {}),
        ("POST", "/v1/download/jobs", {}),
    ],
)
def test_everybody_else_is_told_the_truth_and_when_to_come_back(
    http: httpx.Client, method: str, path: str, headers: dict[str, str]
) -> None:
    response = http.request(method, path, headers=headers)

    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"
    assert int(response.headers["retry-after"]) >= 1
    assert response.headers["cache-control"] == "no-store"
    assert (response.json()["status"], response.json()["code"]) == (503, "GATEWAY_UNAVAILABLE")


# ── too much is sent ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_body_may_be_as_large_as_a_gateway_takes_and_no_larger(http: httpx.Client) -> None:
    largest, larger = [
        http.post("/v1/download/jobs", content=b"x" * size_bytes)
        for size_bytes in (limits.MAX_BODY_BYTES, limits.MAX_BODY_BYTES + 1)
    ]

    assert largest.json()["code"] == "GATEWAY_UNAVAILABLE"  # it got as far as to where a gateway would be
    assert (larger.status_code, larger.json()["code"]) == (413, "BODY_TOO_LARGE")
    assert larger.headers["content-type"] == "application/problem+json"
    assert f"{limits.MAX_BODY_BYTES:,} bytes" in larger.json()["detail"]


# ── HTTPS ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_plain_http_leads_to_https_and_keeps_method_path_and_query(deserted: ShippedNginx) -> None:
    response = httpx.post(f"{deserted.plain_url}/v1/download/jobs?a=b", trust_env=False)

    assert (response.status_code, response.headers["location"]) == (308, "https://127.0.0.1/v1/download/jobs?a=b")


@pytest.mark.parametrize("path", ["/", STREAMS[0], "/v1/download/jobs"])
def test_every_answer_by_https_asks_for_https_from_now_on(http: httpx.Client, path: str) -> None:
    answers = [http.get(path), http.get(path, headers=EVENT_SOURCE), http.post(path, content=b"x" * 100_000)]

    assert {answer.headers.get("strict-transport-security") for answer in answers} == {"max-age=31536000"}


# ── what a gateway's answers carry besides ──


OWN_ANSWERS: tuple[tuple[str, str, dict[str, str], bytes], ...] = (
    ("GET", STREAMS[0], EVENT_SOURCE, b""),
    ("GET", STREAMS[0], {}, b""),
    ("POST", "/v1/download/jobs", {}, b"x" * 100_000),
)


@pytest.mark.parametrize(("method", "path", "headers", "body"), OWN_ANSWERS)
def test_own_answers_carry_what_a_gateway_adds_to_its_own(
    http: httpx.Client, method: str, path: str, headers: dict[str, str], body: bytes
) -> None:
    asked = headers | {"X-Request-Id": "asked-for", "Origin": NAMED}

    answer = http.request(method, path, headers=asked, content=body)

    expected = gateway_headers(request_id="asked-for", origin=NAMED)
    assert {name: answer.headers.get_list(name) for name in expected} == {name: [at] for name, at in expected.items()}
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_an_id_that_is_none_is_not_taken_over_and_the_log_has_what_was_said(
    deserted: ShippedNginx, http: httpx.Client
) -> None:
    answer = http.get("/v1/download/jobs/identified", headers={"X-Request-Id": 'no" id'})

    said = answer.headers["x-request-id"]
    until(lambda: "/identified" in deserted.access_log.read_text(), "the request is logged")
    [line] = [line for line in deserted.access_log.read_text().splitlines() if "/identified" in line]
    assert re.fullmatch("[0-9a-f]{32}", said)
    assert json.loads(line)["request_id"] == said


@pytest.mark.parametrize(("method", "path", "headers", "body"), OWN_ANSWERS)
def test_pages_of_named_origins_may_read_own_answers_and_no_others_may(
    named: ShippedNginx, method: str, path: str, headers: dict[str, str], body: bytes
) -> None:
    with httpx.Client(base_url=named.url, trust_env=False, verify=named.trust()) as http:
        theirs, stranger = [
            http.request(method, path, headers=headers | {"X-Request-Id": "asked-for", "Origin": origin}, content=body)
            for origin in (NAMED, "https://elsewhere.example.org")
        ]

    expected = gateway_headers(NAMED, request_id="asked-for", origin=NAMED)
    assert {name: theirs.headers.get(name) for name in expected} == expected
    assert "x-request-id" in theirs.headers[EXPOSED].lower()
    assert not [name for name in stranger.headers if name.startswith("access-control-")]


# ── what is logged ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_tickets_are_in_no_log_whatever_becomes_of_their_requests(deserted: ShippedNginx, http: httpx.Client) -> None:
    query, referer = f"?ticket={TICKET}", {"Referer": f"https://127.0.0.1/?ticket={TICKET}"}
    http.get(STREAMS[0] + query, headers=EVENT_SOURCE | referer)
    http.get("/v1/download/jobs/ticketed/file" + query, headers=referer)
    http.post("/v1/download/jobs" + query, content=b"x" * 100_000)
    httpx.get(deserted.plain_url + "/plain" + query, trust_env=False)
    until(lambda: '"/plain"' in deserted.access_log.read_text(), "the last request is logged")

    logs = "".join(log.read_text() for log in deserted.logs())
    lines = [json.loads(line) for line in deserted.access_log.read_text().splitlines()]
    [fetched] = [line for line in lines if line["path"] == "/v1/download/jobs/ticketed/file"]
    assert TICKET not in logs
    # In place of what the log of errors would say.
    assert (fetched["status"], fetched["gateway_status"].split(", ")[0]) == ("503", "502")


# ── what depends on the gateway ───────────────────────────────────────────────────────────────────────────────────────


def seconds_in(place: str, directive: str) -> float:
    """Read a time of the shipped file, in a location (its pattern's end) or block."""
    text = SHIPPED.joinpath("conf.d/waybill.conf").read_text()
    found = re.search(rf"{re.escape(place)} {{[^}}]*?\n\s*{directive} (\d+)s;", text)
    assert found, f"{place} has no {directive}"
    return float(found[1])


def test_quiet_streams_and_archives_are_waited_for_longer_than_a_gateway_is_silent() -> None:
    latest_heartbeat_seconds = 1.2 * limits.HEARTBEAT_EVERY_SECONDS

    assert seconds_in("stream$", "proxy_read_timeout") > 3 * latest_heartbeat_seconds
    assert seconds_in("stream$", "send_timeout") == limits.STREAM_SEND_WITHIN_SECONDS
    assert seconds_in("/file$", "proxy_read_timeout") > limits.STORE_PATIENCE_SECONDS


def test_nginx_lets_go_of_an_idle_gateway_before_the_gateway_does() -> None:
    assert seconds_in("upstream waybill", "keepalive_timeout") < limits.KEEP_ALIVE_SECONDS
