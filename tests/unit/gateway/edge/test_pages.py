"""Whose page may change something where nobody is asked who calls."""

import pytest

from gateway.edge.cors import Cors
from gateway.edge.pages import PageRule
from shared.caller_errors import OriginRefused

NAMED = "https://app.example.org"
OPEN = PageRule(Cors([NAMED]), is_open=True)
HOST = {b"host": b"localhost:8080"}

FOREIGN = [
    {b"origin": b"https://evil.example"},
    {b"origin": b"http://localhost:3000"},  # another server of the same machine
    {b"origin": b"http://localhost"},
    {b"origin": b"null"},
    {b"origin": b"file:///x"},
    {b"sec-fetch-site": b"cross-site"},
    {b"origin": b"null", b"sec-fetch-site": b"same-site"},
    {b"origin": b"http://localhost:8080", b"sec-fetch-site": b"cross-site"},
]
OURS = [
    {},
    {b"origin": b"http://localhost:8080"},
    {b"origin": b"http://LOCALHOST:8080", b"sec-fetch-site": b"same-origin"},
    {b"origin": b"null", b"sec-fetch-site": b"same-origin"},
    {b"origin": NAMED.encode(), b"sec-fetch-site": b"cross-site"},
    {b"sec-fetch-site": b"none"},
]


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT"])
@pytest.mark.parametrize("given", FOREIGN)
def test_page_of_another_server_may_change_nothing(method: str, given: dict[bytes, bytes]) -> None:
    with pytest.raises(OriginRefused, match="WAYBILL_CORS_ORIGINS"):
        OPEN.insist(method, HOST | given)


@pytest.mark.parametrize("given", OURS)
def test_our_own_pages_named_ones_and_what_is_no_page_may(given: dict[bytes, bytes]) -> None:
    OPEN.insist("POST", HOST | given)


def test_default_port_is_said_or_not() -> None:
    OPEN.insist("POST", {b"host": b"waybill.localhost", b"origin": b"https://waybill.localhost"})
    OPEN.insist("POST", {b"host": b"waybill.localhost:443", b"origin": b"https://waybill.localhost"})


@pytest.mark.parametrize("given", FOREIGN)
def test_what_changes_nothing_is_taken_and_so_is_all_where_callers_are_asked_who_they_are(
    given: dict[bytes, bytes],
) -> None:
    for method in ("GET", "HEAD", "OPTIONS"):
        OPEN.insist(method, HOST | given)
    PageRule(Cors([]), is_open=False).insist("POST", HOST | given)
