"""The files that we ship, before a server that writes down what it was asked."""

import socket
from pathlib import Path

import pytest

from tests.support.curl import CurlViewer
from tests.support.nginx import ShippedNginx
from tests.support.scripted_backend import ScriptedBackend
from tests.support.waiting import PATIENCE_SECONDS

STREAM = "/v1/download/jobs/7f0c6a5e/stream"
WITHOUT_LENGTH = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
"""Of what has no length and comes in no chunks nginx' defaults show nothing before it has ended, or fills a buffer."""
EVENT = b'id: 1-2\ndata: {"type":"started","attempt":1,"at":"2026-11-27T10:00:00.000Z"}\n\n'
NOTHING = b"HTTP/1.1 204 No Content\r\n\r\n"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"


def ask(nginx: ShippedNginx, *lines: str) -> socket.socket:
    """Send a request for a stream, word for word; give the connection."""
    connection = nginx.trust().wrap_socket(
        socket.create_connection(("127.0.0.1", nginx.port), PATIENCE_SECONDS), server_hostname="127.0.0.1"
    )
    connection.sendall("\r\n".join([f"GET {STREAM} HTTP/1.1", "Host: waybill.test", *lines, "", ""]).encode())
    return connection


def told(backend: ScriptedBackend) -> dict[str, str]:
    """Give the headers of the one request that has come, by their names in lower case."""
    [head] = backend.heads
    request_line, *lines = head.rstrip().split("\r\n")
    assert request_line == f"GET {STREAM} HTTP/1.1"
    return {name.lower(): text for name, text in (line.split(": ", 1) for line in lines)}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A place for nginx."""
    return tmp_path / "nginx"


def test_an_event_is_not_held_even_where_nothing_in_the_answer_asks_for_it(home: Path) -> None:
    with (
        ScriptedBackend(WITHOUT_LENGTH + EVENT) as backend,
        ShippedNginx(home, [backend.address]) as nginx,
        CurlViewer(nginx.url + STREAM, "--cacert", str(nginx.ca_file)) as viewer,
    ):
        frame = viewer.next_frame()  # the answer never ends

    assert (frame.id, frame.type) == ("1-2", "started")


def test_a_gateway_is_told_who_asks_and_how_whatever_a_client_says_of_itself(home: Path) -> None:
    lies = (
        "X-Forwarded-For: 203.0.113.7",
        "X-Forwarded-Proto: http",
        "Forwarded: for=203.0.113.7",
        "Connection: close",
    )

    with (
        ScriptedBackend(NOTHING) as backend,
        ShippedNginx(home, [backend.address]) as nginx,
        ask(nginx, *lies, "Last-Event-ID: 1-2", "Accept: text/event-stream") as connection,
    ):
        answer = connection.recv(100)

    headers = told(backend)
    assert answer.startswith(b"HTTP/1.1 204 ")
    assert headers["host"] == "waybill.test"
    assert (headers["x-forwarded-for"], headers["x-forwarded-proto"]) == ("127.0.0.1", "https")
    assert (headers["last-event-id"], headers["accept"]) == ("1-2", "text/event-stream")
    assert "forwarded" not in headers
    assert "connection" not in headers  # it is kept for the next request


def test_a_websocket_is_switched_to_and_carries_bytes_both_ways(home: Path) -> None:
    with (
        ScriptedBackend(SWITCHED) as backend,
        ShippedNginx(home, [backend.address]) as nginx,
        ask(nginx, "Upgrade: WebSocket", "Connection: keep-alive, Upgrade") as connection,
    ):
        head = connection.recv(1000)
        connection.sendall(b"ping")
        echo = connection.recv(100)

    assert head.startswith(b"HTTP/1.1 101 ")
    assert echo == b"ping"
    assert (told(backend)["upgrade"], told(backend)["connection"]) == ("websocket", "upgrade")


def test_no_other_protocol_is_switched_to(home: Path) -> None:
    with (
        ScriptedBackend(NOTHING) as backend,
        ShippedNginx(home, [backend.address]) as nginx,
        ask(nginx, "Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABk") as connection,
    ):
        answer = connection.recv(100)

    assert answer.startswith(b"HTTP/1.1 204 ")
    assert {"upgrade", "connection"}.isdisjoint(told(backend))
