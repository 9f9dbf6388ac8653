"""Which requests become a WebSocket, and for which pages."""

import pytest

from gateway.edge.cors import Cors
from gateway.edge.handshake import asks_for_websocket, insist_on_origin, read_key
from shared.caller_errors import OriginRefused
from shared.errors import MalformedHandshake

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
NOBODY, EVERYBODY, APP = Cors(()), Cors(("*",)), Cors(("https://app.example.org",))


def test_an_offer_is_found_among_others_in_any_case() -> None:
    assert asks_for_websocket({b"upgrade": b"h2c, WebSocket", b"connection": b"keep-alive , upgrade"})


@pytest.mark.parametrize(
    "given",
    [
        {},
        {b"upgrade": b"websocket"},
        {b"connection": b"upgrade"},
        {b"upgrade": b"h2c", b"connection": b"upgrade"},
        {b"upgrade": b"websockets", b"connection": b"upgrade"},
        {b"upgrade": b"websocket", b"connection": b"keep-alive"},
    ],
)
def test_what_is_half_an_offer_is_none(given: dict[bytes, bytes]) -> None:
    assert not asks_for_websocket(given)


def test_the_key_is_given_as_it_was_sent() -> None:
    given = {b"sec-websocket-version": b"13", b"sec-websocket-key": KEY}

    assert read_key(given, http_version="1.1") == KEY.decode()


@pytest.mark.parametrize(
    ("version", "key", "http_version"),
    [
        (b"13", KEY, "1.0"),
        (b"14", KEY, "1.1"),
        (b"13", KEY[:-1], "1.1"),
        (b"13", b"a" * 24, "1.1"),
        (b"13", b"", "1.1"),
    ],
)
def test_another_handshake_is_malformed(version: bytes, key: bytes, http_version: str) -> None:
    with pytest.raises(MalformedHandshake):
        read_key({b"sec-websocket-version": version, b"sec-websocket-key": key}, http_version=http_version)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (b"https://waybill.example.org", b"waybill.example.org"),
        (b"https://waybill.example.org", b"Waybill.example.org:443"),
        (b"http://waybill.example.org", b"waybill.example.org:80"),
        (b"http://127.0.0.1:8080", b"127.0.0.1:8080"),
        (b"http://[::1]:8080", b"[::1]:8080"),
        (None, b"waybill.example.org"),
    ],
)
def test_our_own_pages_and_what_is_no_page_are_let_in(origin: bytes | None, host: bytes) -> None:
    insist_on_origin({b"host": host} | ({} if origin is None else {b"origin": origin}), NOBODY)


def test_pages_that_may_read_answers_are_let_in() -> None:
    insist_on_origin({b"host": b"a", b"origin": b"https://app.example.org"}, APP)
    insist_on_origin({b"host": b"a", b"origin": b"https://whoever.example.org"}, EVERYBODY)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (b"https://evil.example.org", b"waybill.example.org"),
        (b"https://waybill.example.org.evil.example", b"waybill.example.org"),
        (b"https://waybill.example.org:444", b"waybill.example.org"),
        (b"https://waybill.example.org:80", b"waybill.example.org"),
        (b"http://localhost:3000", b"localhost:8080"),
        (b"null", b"null"),
        (b"file://", b""),
        (b"", b""),
        (b"chrome-extension://waybill.example.org", b"waybill.example.org"),
    ],
)
def test_pages_of_others_are_not(origin: bytes, host: bytes) -> None:
    for cors in (NOBODY, APP):
        with pytest.raises(OriginRefused):
            insist_on_origin({b"host": host, b"origin": origin}, cors)
