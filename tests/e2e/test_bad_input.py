"""Whatever is sent, the answer is a problem with a stable code that says what to change, and nothing is created."""

import json
import socket
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest

from tests.support import cargo
from tests.support.local_http import strict_client
from tests.support.sse_reader import FrameReader
from tests.support.system import JOBS, System
from tests.support.waiting import PATIENCE_SECONDS

JSON = {"Content-Type": "application/json"}
MAX_BODY_BYTES = 65_536
MAX_FILES = 1_000
KNOWN = cargo.MIXED[0].file_id
UNKNOWN_JOBS = {
    "well-formed": "00000000-0000-8000-8000-000000000000",
    "of a partition that is not there": "00000000-0000-8fff-8000-000000000000",
    "another version": "00000000-0000-4000-8000-000000000000",
    "upper case": "ABCDEF00-0000-8000-8000-000000000000",
    "without dashes": "00000000000080008000000000000000",
    "in braces": "%7B00000000-0000-8000-8000-000000000000%7D",
    "no UUID": "nonsense",
    "a number": "1",
    "with a NUL": "00000000-0000-8000-8000-00000000000%00",
    "with a line break": "00000000-0000-8000-8000-000000000000%0D%0A",
    "with a slash": "..%2F..%2Fetc%2Fpasswd",
    "other digits": "%D9%A0%D9%A0%D9%A0%D9%A0%D9%A0%D9%A0%D9%A0%D9%A0-0000-8000-8000-000000000000",
    "a wildcard": "*",
    "very long": "a" * 3_000,
}


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A gateway without a processor: what is created by mistake stays in the backlog for ever."""
    with System(tmp_path_factory.mktemp("idle"), processors=0) as running:
        yield running


@pytest.fixture
def gateway(idle: System) -> Iterator[System]:
    """The gateway; afterwards the backlog must be what it was."""
    before = idle.count_in_redis()
    yield idle
    assert idle.count_in_redis() == before, "something was created"


@pytest.fixture(scope="module")
def queued(idle: System) -> str:
    """The path of a job that waits for ever."""
    return idle.create_job(*cargo.MIXED)


def assert_problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Check an answer by RFC 9457; give its body."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    body: dict[str, Any] = response.json()
    assert body["status"] == status
    assert body["code"] == code
    assert body["title"]
    assert len(body["detail"]) > 15
    assert "Traceback" not in response.text
    return body


def post(system: System, content: bytes | Iterator[bytes], headers: dict[str, str]) -> httpx.Response:
    """Send a body as it is."""
    with strict_client() as client:
        return client.post(system.url + JOBS, content=content, headers=headers)


# ── bodies ────────────────────────────────────────────────────────────────────────────────────────────────────────────

MALFORMED = {
    "empty": b"",
    "blank": b"  \n ",
    "a word": b"hello",
    "cut off": b'{"file_ids": [70000',
    "two of them": b'{"file_ids": [70000]}{"file_ids": [70000]}',
    "a comma too many": b'{"file_ids": [70000,]}',
    "no UTF-8": b'{"file_ids": [70000], "archive_name": "\xff\xfe"}',
    "half a surrogate pair": b'{"file_ids": [70000], "archive_name": "\\ud800"}',
    "UTF-16": '{"file_ids": [70000]}'.encode("utf-16"),
    "not a number": b'{"file_ids": [NaN]}',
    "a form": b"file_ids=70000",
    "deeply nested arrays": b"[" * 30_000 + b"]" * 30_000,
    "deeply nested objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "deeply nested and cut off": b'{"file_ids":' + b"[" * 60_000,
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_body_that_is_not_json_is_refused(gateway: System, body: bytes) -> None:
    response = post(gateway, body, JSON)

    assert_problem(response, 400, "MALFORMED_BODY")


class Wrong(NamedTuple):
    """A request that is JSON and no valid request; `named`: what its refusal must name."""

    body: object
    named: str = ""


INVALID = {
    "null": Wrong(None),
    "a list": Wrong([KNOWN]),
    "a text": Wrong("file_ids"),
    "no members": Wrong({}, "file_ids"),
    "an unknown member": Wrong({"file_ids": [KNOWN], "callback": "x"}, "callback"),
    "a misspelt member": Wrong({"fileIds": [KNOWN]}, "fileIds"),
    "ids: null": Wrong({"file_ids": None}, "file_ids"),
    "ids: a number": Wrong({"file_ids": KNOWN}, "file_ids"),
    "ids: a text": Wrong({"file_ids": "70000"}, "file_ids"),
    "ids: an object": Wrong({"file_ids": {"0": KNOWN}}, "file_ids"),
    "no ids": Wrong({"file_ids": []}, "file_ids"),
    "an id twice": Wrong({"file_ids": [KNOWN, 70_001, KNOWN]}, str(KNOWN)),
    "an unknown id twice": Wrong({"file_ids": [5, 5]}, "5"),
    "too many ids": Wrong({"file_ids": list(range(1, MAX_FILES + 2))}, "1,000"),
    "too many ids of a wrong type": Wrong({"file_ids": ["x"] * (MAX_FILES + 1)}, "1,000"),
    "id: a text": Wrong({"file_ids": ["70000"]}, "file_ids[0]"),
    "id: null": Wrong({"file_ids": [KNOWN, None]}, "file_ids[1]"),
    "id: true": Wrong({"file_ids": [True]}, "file_ids[0]"),
    "id: a list": Wrong({"file_ids": [[KNOWN]]}, "file_ids[0]"),
    "id: an object": Wrong({"file_ids": [{}]}, "file_ids[0]"),
    "id: a fraction": Wrong({"file_ids": [70000.5]}, "file_ids[0]"),
    "id: zero": Wrong({"file_ids": [0]}, "file_ids[0]"),
    "id: negative": Wrong({"file_ids": [-70000]}, "file_ids[0]"),
    "id: above what JSON keeps exactly": Wrong({"file_ids": [2**53]}, "file_ids[0]"),
    "id: beyond 64 bits": Wrong({"file_ids": [2**64]}, "file_ids[0]"),
    "id: a thousand digits": Wrong({"file_ids": [10**1000]}),
    "name: a number": Wrong({"file_ids": [KNOWN], "archive_name": 1}, "archive_name"),
    "name: empty": Wrong({"file_ids": [KNOWN], "archive_name": ""}, "archive_name"),
    "name: too long": Wrong({"file_ids": [KNOWN], "archive_name": "n" * 151}, "archive_name"),
}


@pytest.mark.parametrize("wrong", INVALID.values(), ids=INVALID)
def test_json_that_is_no_valid_request_is_refused_with_what_is_wrong(gateway: System, wrong: Wrong) -> None:
    response = post(gateway, json.dumps(wrong.body).encode(), JSON)

    body = assert_problem(response, 422, "INVALID_REQUEST")
    assert wrong.named in body["detail"]


def test_unknown_file_ids_are_named(gateway: System) -> None:
    response = post(gateway, json.dumps({"file_ids": [KNOWN, 5, 70_001, 6]}).encode(), JSON)

    body = assert_problem(response, 422, "UNKNOWN_FILES")
    assert body["file_ids"] == [5, 6]
    assert "5, 6" in body["detail"]


@pytest.mark.parametrize(
    "media_type",
    [None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application",
     "application/xml", "application/jsonx", "application/problem+json", "application/json; charset=latin-1",
     "application/json; q=1", "application/json; charset=utf-8; boundary=x", "application/json, application/json"],
)  # fmt: skip
def test_body_of_another_media_type_is_refused(gateway: System, media_type: str | None) -> None:
    headers = {} if media_type is None else {"Content-Type": media_type}

    response = post(gateway, b'{"file_ids": [70000]}', headers)

    assert_problem(response, 415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip", "GZIP", "x"])
def test_body_that_is_encoded_once_more_is_refused(gateway: System, encoding: str) -> None:
    response = post(gateway, b'{"file_ids": [70000]}', JSON | {"Content-Encoding": encoding})

    assert_problem(response, 415, "UNSUPPORTED_MEDIA_TYPE")
    assert "Content-Encoding" in response.text


def test_two_content_types_are_none(gateway: System) -> None:
    with strict_client() as client:
        headers = [("Content-Type", "application/json"), ("Content-Type", "application/json")]
        response = client.post(gateway.url + JOBS, content=b'{"file_ids": [70000]}', headers=headers)

    assert_problem(response, 415, "UNSUPPORTED_MEDIA_TYPE")


def test_second_content_encoding_does_not_hide_behind_the_first(gateway: System) -> None:
    with strict_client() as client:
        headers = [("Content-Type", "application/json"), ("Content-Encoding", "gzip"), ("Content-Encoding", "identity")]
        response = client.post(gateway.url + JOBS, content=b'{"file_ids": [70000]}', headers=headers)

    assert_problem(response, 415, "UNSUPPORTED_MEDIA_TYPE")


def test_media_type_in_any_spelling_and_with_its_one_parameter_is_json(idle: System) -> None:
    for media_type in ("application/json; charset=utf-8", 'application/json;charset="UTF-8"', "Application/JSON"):
        assert post(idle, b'{"file_ids": [70000]}', {"Content-Type": media_type}).status_code == 202


def test_body_of_exactly_the_limit_is_read(idle: System) -> None:
    body = b'{"file_ids": [70000]}'

    assert post(idle, body.ljust(MAX_BODY_BYTES), JSON).status_code == 202


@pytest.mark.parametrize("size_bytes", [MAX_BODY_BYTES + 1, 1_000_000])
def test_body_over_the_limit_is_refused(gateway: System, size_bytes: int) -> None:
    response = post(gateway, b'{"file_ids": [70000]}'.ljust(size_bytes), JSON)

    body = assert_problem(response, 413, "BODY_TOO_LARGE")
    assert "65,536" in body["detail"]


def test_body_over_the_limit_that_does_not_tell_its_length_is_refused(gateway: System) -> None:
    response = post(gateway, (b" " * 1_000 for _ in range(200)), JSON)

    assert_problem(response, 413, "BODY_TOO_LARGE")


def test_announced_length_over_the_limit_is_refused_before_the_body_is_sent(gateway: System) -> None:
    head = (
        f"POST {JOBS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99999999\r\n\r\n"
    )

    answer = exchange(gateway, head.encode())

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"BODY_TOO_LARGE" in answer


@pytest.mark.parametrize(
    "request_text",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        f"POST {JOBS} HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n".encode(),
        f"POST {JOBS} HTTP/1.1\r\nHost: localhost\r\nContent-Length: many\r\n\r\n".encode(),
    ],
)
def test_what_is_no_http_is_refused_with_400(gateway: System, request_text: bytes) -> None:
    assert exchange(gateway, request_text).startswith(b"HTTP/1.1 400 ")


def exchange(system: System, request_text: bytes) -> bytes:
    """Send bytes over a connection of its own; give the answer's first piece that has a body."""
    answer = b""
    address = ("127.0.0.1", int(system.gateways[0].settings["WAYBILL_PORT"]))
    with socket.create_connection(address, timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(request_text)
        while not answer.partition(b"\r\n\r\n")[2]:
            piece = connection.recv(65_536)
            if not piece:
                break
            answer += piece
    return answer


# ── idempotency keys ──────────────────────────────────────────────────────────────────────────────────────────────────

NO_KEYS = {
    "empty": b"",
    "an empty string": b'""',
    "a quote": b'"',
    "a string that does not end": b'"k',
    "something behind the string": b'"k";q=1',
    "two in one header": b'"k","l"',
    "an escape that is none": rb'"\k"',
    "with a blank": b"a b",
    "with a tab": b"a\tb",
    "no ASCII": "schlüssel".encode(),
    "no UTF-8": b"\xff\xfe",
    "too long": b"k" * 256,
    "much too long": b"k" * 8_000,
}


@pytest.mark.parametrize("key", NO_KEYS.values(), ids=NO_KEYS)
def test_idempotency_key_that_is_none_is_refused(gateway: System, key: bytes) -> None:
    with strict_client() as client:
        headers = [(b"Content-Type", b"application/json"), (b"Idempotency-Key", key)]
        response = client.post(gateway.url + JOBS, content=b'{"file_ids": [70000]}', headers=headers)

    body = assert_problem(response, 400, "INVALID_IDEMPOTENCY_KEY")
    assert "1 to 255 visible ASCII characters" in body["detail"]


def test_two_idempotency_keys_are_refused_even_if_they_are_the_same(gateway: System) -> None:
    with strict_client() as client:
        headers = [("Content-Type", "application/json"), ("Idempotency-Key", "k"), ("idempotency-key", "k")]
        response = client.post(gateway.url + JOBS, content=b'{"file_ids": [70000]}', headers=headers)

    body = assert_problem(response, 400, "INVALID_IDEMPOTENCY_KEY")
    assert "Send one" in body["detail"]


def test_another_request_under_a_used_key_is_refused(idle: System) -> None:
    used = JSON | {"Idempotency-Key": "used"}
    assert post(idle, b'{"file_ids": [70000]}', used).status_code == 202
    before = idle.count_in_redis()

    response = post(idle, b'{"file_ids": [70001]}', used)

    assert_problem(response, 422, "IDEMPOTENCY_KEY_REUSED")
    assert idle.count_in_redis() == before


# ── addresses and methods ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("below", ["", "/stream", "/events", "/file"])
@pytest.mark.parametrize("job_id", UNKNOWN_JOBS.values(), ids=UNKNOWN_JOBS)
def test_job_that_is_unknown_is_not_found(gateway: System, job_id: str, below: str) -> None:
    response = gateway.get(f"{JOBS}/{job_id}{below}")

    assert_problem(response, 404, "NOT_FOUND")


def test_unknown_job_is_final_for_an_event_source_too(gateway: System) -> None:
    response = gateway.get(f"{JOBS}/{UNKNOWN_JOBS['well-formed']}/stream", accept="text/event-stream")

    assert_problem(response, 404, "NOT_FOUND")


@pytest.mark.parametrize("path", ["/v1", "/v1/download", "/v2/download/jobs", f"{JOBS}/x/y", "/%00", "/favicon.ico"])
def test_address_that_is_none_is_not_found(gateway: System, path: str) -> None:
    assert_problem(gateway.get(path), 404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("below", "allowed"),
    [
        ("", {"GET", "HEAD", "DELETE"}),
        ("/cancel", {"POST"}),
        ("/stream", {"GET"}),
        ("/events", {"GET", "HEAD"}),
        ("/file", {"GET", "HEAD"}),
    ],
)
def test_wrong_method_on_a_job_is_answered_405_with_the_right_ones(
    gateway: System, queued: str, below: str, allowed: set[str]
) -> None:
    for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"} - allowed:
        response = gateway.call(method, queued + below)

        assert response.status_code == 405, method
        assert allowed <= set(response.headers["allow"].split(", ")), method
        if method != "HEAD":
            assert_problem(response, 405, "METHOD_NOT_ALLOWED")


@pytest.mark.parametrize("below", ["", "?limit=1"])
def test_head_of_a_listing_is_that_of_the_get_without_its_body(gateway: System, below: str) -> None:
    got, head = gateway.get(JOBS + below), gateway.call("HEAD", JOBS + below)

    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-type", "content-length", "cache-control", "vary"):
        assert head.headers[name] == got.headers[name]


def test_head_of_a_page_of_events_is_that_of_the_get_without_its_body(gateway: System, queued: str) -> None:
    got, head = gateway.get(f"{queued}/events"), gateway.call("HEAD", f"{queued}/events")

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"] == str(len(got.content))


@pytest.mark.parametrize(
    ("below", "allowed"),
    [
        (JOBS, "GET, HEAD, OPTIONS, POST"),
        (f"{JOBS}/x", "DELETE, GET, HEAD, OPTIONS"),
        (f"{JOBS}/x/cancel", "OPTIONS, POST"),
        (f"{JOBS}/x/stream", "GET, OPTIONS"),
        (f"{JOBS}/x/events", "GET, HEAD, OPTIONS"),
        (f"{JOBS}/x/file", "GET, HEAD, OPTIONS"),
    ],
)
def test_options_tell_all_methods_of_an_address_as_405_does(gateway: System, below: str, allowed: str) -> None:
    told, refused = gateway.call("OPTIONS", below), gateway.call("PROPFIND", below)

    assert (told.status_code, told.content, told.headers["allow"]) == (204, b"", allowed)
    assert (refused.status_code, refused.headers["allow"]) == (405, allowed)


def test_options_of_an_address_that_is_none_are_not_found(gateway: System) -> None:
    assert_problem(gateway.call("OPTIONS", "/v1/nothing"), 404, "NOT_FOUND")


@pytest.mark.parametrize(
    "path", ["/%", f"{JOBS}/%zz", f"{JOBS}/%FF%FE", f"{JOBS}/%C0%AF", f"{JOBS}?cursor=%FF%FE", f"{JOBS}?x=%"]
)
def test_address_that_cannot_be_decoded_is_refused(gateway: System, path: str) -> None:
    answer = exchange(gateway, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"MALFORMED_ADDRESS" in answer


@pytest.mark.parametrize("target", [f"{JOBS}?limit={'9' * 8_200}", f"{JOBS}/{'a' * 8_200}"])
def test_address_that_is_too_long_is_refused(gateway: System, target: str) -> None:
    answer = exchange(gateway, f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

    assert answer.startswith(b"HTTP/1.1 414 ")
    assert b"ADDRESS_TOO_LONG" in answer


@pytest.mark.parametrize(
    ("below", "name"),
    [("/events?after=0-0&after=0-0", "after"), ("/events?limit=1&limit=2", "limit"),
     ("/stream?last_event_id=0-1&last_event_id=0-1", "last_event_id")],
)  # fmt: skip
def test_parameter_that_has_one_value_and_comes_twice_is_refused(
    gateway: System, queued: str, below: str, name: str
) -> None:
    assert name in assert_problem(gateway.get(queued + below), 400, "REPEATED_PARAMETER")["detail"]


@pytest.mark.parametrize(("method", "below"), [("POST", "/cancel"), ("DELETE", ""), ("GET", "")])
@pytest.mark.parametrize("size_bytes", [10, 100_000, 900_000])
def test_body_that_nobody_asked_for_is_dropped(gateway: System, method: str, below: str, size_bytes: int) -> None:
    """Of a job that is not there: what counts is that the answer comes, and the next one on the same connection."""
    with strict_client() as client:
        url = f"{gateway.url}{JOBS}/{UNKNOWN_JOBS['well-formed']}{below}"
        answers = [client.request(method, url, content=b"x" * size_bytes) for _ in range(2)]

    for answer in answers:
        assert_problem(answer, 404, "NOT_FOUND")


def test_body_that_nobody_asked_for_and_that_does_not_end_costs_a_megabyte_and_the_connection(gateway: System) -> None:
    before = gateway.gateways[0].metric("http_refusals_total", reason="body_size")
    head = f"DELETE {JOBS}/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"

    with socket.create_connection(("127.0.0.1", gateway.gateways[0].port), timeout=PATIENCE_SECONDS) as peer:
        peer.sendall(head.encode())
        answer = peer.recv(65_536)
        sent_bytes = send_until_refused(peer, b"10000\r\n" + b"x" * 65_536 + b"\r\n")

    assert b"404" in answer
    assert sent_bytes < 16_000_000
    assert gateway.gateways[0].metric("http_refusals_total", reason="body_size") == before + 1


def send_until_refused(peer: socket.socket, piece: bytes) -> int:
    """Send the same piece until the other side has closed; give how much it was."""
    sent_bytes = 0
    try:
        while sent_bytes < 64_000_000:
            peer.sendall(piece)
            sent_bytes += len(piece)
    except ConnectionError:
        pass
    return sent_bytes


def test_wrong_method_on_the_jobs_is_answered_405_with_the_right_ones(gateway: System) -> None:
    for method in ("PUT", "PATCH", "DELETE"):
        response = gateway.call(method, JOBS)

        assert_problem(response, 405, "METHOD_NOT_ALLOWED")
        assert {"GET", "POST"} <= set(response.headers["allow"].split(", "))


# ── cursors ───────────────────────────────────────────────────────────────────────────────────────────────────────────

STRANGE_CURSORS = [
    "9999999999-1", "0-2", "7-1", "99999999999999999999-1", "-1", "0-1-2", "1700000000000", "abc", "0-01", "٠-١", "*",
    "$", "+", "(0-1", "💥", "x" * 2_000,
]  # fmt: skip


@pytest.mark.parametrize("cursor", STRANGE_CURSORS)
@pytest.mark.parametrize("place", ["header", "query"])
def test_cursor_that_is_malformed_foreign_or_ahead_gets_the_job_as_it_is_with_a_gap(
    gateway: System, queued: str, cursor: str, place: str
) -> None:
    headers = [(b"Last-Event-ID", cursor.encode())] if place == "header" else []
    query = {"last_event_id": cursor} if place == "query" else {}

    with (
        strict_client() as client,
        client.stream("GET", f"{gateway.url}{queued}/stream", headers=headers, params=query) as response,
    ):
        reader = FrameReader()
        frames = next(found for piece in response.iter_raw() if (found := reader.feed(piece)))

    assert response.status_code == 200
    assert frames[0].type == "snapshot"
    assert frames[0].id == "0-1"
    assert frames[0].data["gap"]["to"] == "0-1"
    assert frames[0].data["status"] == "queued"


@pytest.mark.parametrize("after", ["abc", "1", "0-0-0", "-1", "1-", "99999999999-1", "%00", "0-1%20", "9" * 2_000])
def test_page_after_what_is_no_id_is_refused(gateway: System, queued: str, after: str) -> None:
    assert_problem(gateway.get(f"{queued}/events?after={after}"), 400, "INVALID_CURSOR")


@pytest.mark.parametrize("limit", ["0", "-1", "501", "1.5", "ten", "1e2", "%D9%A1", "9" * 2_000, "+1", "null"])
def test_page_of_a_size_that_is_none_is_refused(gateway: System, queued: str, limit: str) -> None:
    assert_problem(gateway.get(f"{queued}/events?limit={limit}"), 400, "INVALID_LIMIT")


WRONG_LISTINGS = {
    "limit": ["", "0", "-1", "101", "1.5", "ten", "1e1", "%D9%A1", "+1", "null", "9" * 2_000, "1&limit=1"],
    "cursor": ["", "0-0", "abc", "%00", "MQ", "MS4w", "null", "x" * 5_000, "a&cursor=a", "%F0%9F%92%A5"],
    "status": ["", "done", "QUEUED", "queued,failed", "%00", "queued%20", "*", "null", "s" * 5_000, "queued&status=x"],
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in WRONG_LISTINGS.items() for text in texts])
def test_listing_that_asks_for_what_is_none_is_refused(gateway: System, name: str, text: str) -> None:
    body = assert_problem(gateway.get(f"{JOBS}?{name}={text}"), 400, f"INVALID_{name.upper()}")

    assert body["detail"].startswith(f"{name}=")
    assert len(body["detail"]) < 250


def test_page_after_an_id_that_never_was_is_empty_and_tells_the_gap(gateway: System, queued: str) -> None:
    page = gateway.get(f"{queued}/events?after=9-9").json()

    assert (page["events"], page["next_after"], page["has_more"]) == ([], "0-1", False)
    assert page["gap"] == {"from": "9-9", "to": "0-1", "missed": None}


def test_nothing_of_all_this_was_an_error_of_ours(idle: System) -> None:
    assert [line for line in idle.gateways[0].log_lines() if line["level"] in ("error", "critical")] == []
