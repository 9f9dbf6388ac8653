"""A job's stream as a WebSocket: the same messages, the same promise, and a code for every end."""

import contextlib
import itertools
import random
import time
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.sync.client import connect

from deploy.local.resp import ask
from shared.jobs import make_job_id
from shared.ticket import Ticket, TicketSecret, write_ticket
from tests.support import cargo
from tests.support.harbour import Harbour
from tests.support.local_http import local_client, strict_client
from tests.support.many_reader import MADE, many_stream
from tests.support.proxy import Fault, FaultProxy
from tests.support.raw_socket import HANDSHAKE, everything_from, upgraded
from tests.support.servers import frozen
from tests.support.service import Service
from tests.support.socket_reader import SocketReader, closed_at_once, open_socket
from tests.support.system import JOBS, System
from tests.support.waiting import until

APP = "https://app.example.org"
SECRET = TicketSecret("k1", b"s" * 32)
UNKNOWN = f"{JOBS}/{make_job_id(0, 1)}"
CLOSE_OF_DRAIN = b"\x88\x07\x03\xf4drain"
MAX_BYTES_BEFORE_CUT = 900
"""The head and about three messages: cuts fall into the handshake, into frames, and between them."""


def events_of(reader: SocketReader) -> list[dict[str, Any]]:
    """Give what was told of the log, in the form of /events."""
    return [message for message in reader.messages if message["type"] not in MADE]


# ── what it tells ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_job_is_followed_to_its_end_with_the_ids_of_its_log(system: System) -> None:
    accepted = system.post_job(*cargo.MIXED).json()

    with open_socket(f"{system.url}{accepted['websocket_url']}?last_event_id=0-0") as reader:
        close = reader.to_the_end()

    assert close == (1000, "")
    assert events_of(reader) == system.log(f"{JOBS}/{accepted['job_id']}")


def test_without_a_cursor_the_job_is_shown_first_and_its_id_goes_on(system: System) -> None:
    path = system.create_job(*cargo.LONG[:2])  # a job that is over by then is shown without an id
    with open_socket(f"{system.url}{path}/stream") as reader:
        shown = reader.next()
    assert shown is not None

    with open_socket(f"{system.url}{path}/stream?last_event_id={shown['id']}") as resumed:
        resumed.to_the_end()

    assert shown["type"] == "snapshot"
    log = system.log(path)
    assert events_of(resumed) == log[[event["id"] for event in log].index(shown["id"]) + 1 :]


def test_a_cursor_at_the_end_of_an_ended_job_is_closed_without_a_word(system: System) -> None:
    path = system.create_job(*cargo.MIXED)
    system.wait_for_end(path)
    last_id = system.log(path)[-1]["id"]

    with open_socket(f"{system.url}{path}/stream?last_event_id={last_id}") as reader:
        assert reader.to_the_end() == (1000, "")

    assert reader.messages == []


def test_what_is_cut_anywhere_is_resumed_without_hole_or_duplicate(system: System) -> None:
    path = system.create_job(*cargo.LONG[:2])
    chance, seen, cursor = random.Random("socket"), list[dict[str, Any]](), "0-0"
    is_over, connections = False, itertools.count()
    with FaultProxy(
        system.gateways[0].port,
        deal=lambda _: Fault(cut_after_reply_bytes=chance.randint(1, MAX_BYTES_BEFORE_CUT)),
    ).in_thread() as line:
        while not is_over:
            next(connections)
            with (
                contextlib.suppress(InvalidHandshake, OSError, EOFError),
                open_socket(f"http://127.0.0.1:{line.port}{path}/stream?last_event_id={cursor}") as reader,
            ):
                is_over = reader.to_the_end() == (1000, "") and not reader.messages
                seen += events_of(reader)
                cursor = reader.last_id or cursor

    assert seen == system.log(path)
    assert next(connections) > 5, "it was not cut"


def test_a_head_that_comes_byte_by_byte_is_taken_all_the_same(system: System) -> None:
    path = system.create_job(*cargo.MIXED)
    with (
        FaultProxy(system.gateways[0].port, deal=lambda _: Fault(piece_bytes=1)).in_thread() as line,
        open_socket(f"http://127.0.0.1:{line.port}{path}/stream?last_event_id=0-0") as reader,
    ):
        close = reader.to_the_end()

    assert close == (1000, "")
    assert events_of(reader) == system.log(path)


def test_many_jobs_are_told_on_one_socket_with_the_vector_as_id(system: System) -> None:
    paths = [system.create_job(*cargo.MIXED) for _ in range(3)]
    with open_socket(f"{system.url}{many_stream(paths, last_event_id='0-0.0-0.0-0')}") as reader:
        close = reader.to_the_end()

    assert close == (1000, "")
    for number, path in enumerate(paths):
        told = [message for message in events_of(reader) if message["job_id"] == path.rpartition("/")[2]]
        own = [
            {**{k: v for k, v in each.items() if k != "job_id"}, "id": each["id"].split(".")[number]} for each in told
        ]
        assert own == system.log(path)
    assert closed_at_once(f"{system.url}{many_stream(paths, last_event_id=str(reader.last_id))}") == (1000, "")


# ── who may ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def harbour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harbour]:
    """A system that asks who calls, gives tickets, and lets an owner have two streams."""
    settings = {
        "WAYBILL_AUTH": "keys",
        "WAYBILL_TICKET_SECRETS": f"{SECRET.key_id}:{SECRET.secret.decode()}",
        "WAYBILL_OWNER_STREAMS": "2",
        "WAYBILL_CORS_ORIGINS": APP,
        "WAYBILL_HOSTS": "127.0.0.1",
    }
    with System(tmp_path_factory.mktemp("sockets"), settings=settings) as system, local_client() as http:
        yield Harbour(system, http)


@pytest.fixture(scope="module")
def held(harbour: Harbour) -> str:
    """A job of Anna's that goes on for a while."""
    path: str = harbour.create(harbour.anna, *cargo.LONG).headers["location"]
    return path


def ticket(path: str, *, lives_ms: int = 60_000) -> str:
    """Write a ticket of Anna's for one job."""
    expires_at_ms = int(time.time() * 1000) + lives_ms
    return write_ticket(Ticket(owner="anna", job_ids=(path.rpartition("/")[2],), expires_at_ms=expires_at_ms), SECRET)


def test_who_is_not_let_in_is_told_so_by_a_code_and_counted(harbour: Harbour, held: str) -> None:
    url, gateway = f"{harbour.system.url}{held}/stream", harbour.system.gateways[0]
    deleted = harbour.completed(harbour.anna)
    harbour.call("DELETE", deleted, harbour.anna)
    anonymous = gateway.metric("auth_refusals_total", reason="anonymous")

    closes = {
        "nobody": closed_at_once(url),
        "a bad key": closed_at_once(url, {"Authorization": "Bearer wb_x"}),
        "a bad ticket": closed_at_once(f"{url}?ticket=wt1_x"),
        "a late ticket": closed_at_once(f"{url}?ticket={ticket(held, lives_ms=-1)}"),
        "somebody else": closed_at_once(url, harbour.bert.headers),
        "an unknown job": closed_at_once(f"{harbour.system.url}{UNKNOWN}/stream", harbour.anna.headers),
        "a deleted job": closed_at_once(f"{harbour.system.url}{deleted}/stream", harbour.anna.headers),
        "two cursors": closed_at_once(f"{url}?last_event_id=0-0&last_event_id=1-1", harbour.anna.headers),
    }

    assert closes == {
        "nobody": (4401, "UNAUTHENTICATED"),
        "a bad key": (4401, "UNAUTHENTICATED"),
        "a bad ticket": (4401, "TICKET_REFUSED"),
        "a late ticket": (4401, "TICKET_EXPIRED"),
        "somebody else": (4404, "NOT_FOUND"),
        "an unknown job": (4404, "NOT_FOUND"),
        "a deleted job": (4410, "GONE"),
        "two cursors": (4400, "REPEATED_PARAMETER"),
    }
    assert gateway.metric("auth_refusals_total", reason="anonymous") == anonymous + 1
    assert gateway.metric("websocket_connections_active") == 0


def test_an_owner_has_as_many_sockets_as_streams_and_refused_ones_take_no_place(harbour: Harbour, held: str) -> None:
    url, anna = f"{harbour.system.url}{held}/stream", harbour.anna.headers
    with open_socket(url, anna) as one, open_socket(url, anna) as two:
        assert one.next()
        assert two.next()
        assert harbour.system.gateways[0].metric("websocket_connections_active") == 2

        with open_socket(url, anna) as third:
            close = third.to_the_end()

    assert close == (4429, "LIMIT_STREAMS")
    assert [(message["type"], message["reason"]) for message in third.messages] == [("busy", "limit")]
    until(
        lambda: harbour.call("GET", f"{held}/stream?last_event_id=x", harbour.anna).status_code == 200,
        "a place is free",
    )


def test_a_socket_ends_with_its_ticket(harbour: Harbour) -> None:
    path = harbour.create(harbour.anna, *cargo.LONG).headers["location"]

    with open_socket(f"{harbour.system.url}{path}/stream?ticket={ticket(path, lives_ms=1_500)}") as reader:
        close = reader.to_the_end()

    assert close == (4401, "ticket_expired")
    assert reader.messages[-1]["reason"] == "ticket_expired"


@pytest.mark.parametrize("origin", [APP, "own", "OWN"])
def test_pages_of_named_origins_and_our_own_are_let_in(harbour: Harbour, held: str, origin: str) -> None:
    gateway = harbour.system.gateways[0]
    own = {"own": gateway.url, "OWN": gateway.url.upper().replace("HTTP", "http")}

    with open_socket(f"{gateway.url}{held}/stream?ticket={ticket(held)}", origin=own.get(origin, origin)) as reader:
        assert reader.next()


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example.org",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        "null",
        f"{APP}.evil.example.org",
        f"{APP}:444",
        "",
    ],
)
def test_pages_of_other_servers_are_refused_before_anything_is_looked_at(
    harbour: Harbour, held: str, origin: str
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(
            f"ws{harbour.system.url[4:]}{held}/stream?ticket={ticket(held)}",
            additional_headers={"Origin": origin},
            proxy=None,
        )

    response = refused.value.response
    assert response.status_code == 403
    assert b"ORIGIN_REFUSED" in response.body


def test_a_socket_by_another_servers_name_is_none(harbour: Harbour, held: str) -> None:
    port = harbour.system.gateways[0].port
    with strict_client() as http:
        answer = http.get(
            f"http://127.0.0.1:{port}{held}/stream?ticket={ticket(held)}",
            headers=HANDSHAKE | {"Host": f"evil.example.org:{port}", "Origin": f"http://evil.example.org:{port}"},
        )

    assert (answer.status_code, answer.json()["code"]) == (421, "MISDIRECTED")


# ── the handshake ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "sent",
    [
        {"Sec-WebSocket-Version": "8"},
        {"Sec-WebSocket-Version": ""},
        {"Sec-WebSocket-Key": ""},
        {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ"},
        {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZR=="},
        {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZSE="},
    ],
)
def test_a_malformed_handshake_is_refused_with_the_version_that_is_spoken(system: System, sent: dict[str, str]) -> None:
    with strict_client() as http:
        answer = http.get(f"{system.url}{UNKNOWN}/stream", headers=HANDSHAKE | sent)

    assert (answer.status_code, answer.json()["code"]) == (400, "MALFORMED_HANDSHAKE")
    assert answer.headers["sec-websocket-version"] == "13"


@pytest.mark.parametrize(
    "sent", [{"Upgrade": "h2c"}, {"Connection": "keep-alive"}, {"Upgrade": "", "x-upgrade": "websocket"}]
)
def test_what_asks_for_no_websocket_is_answered_as_ever(system: System, sent: dict[str, str]) -> None:
    with strict_client() as http:
        answer = http.get(f"{system.url}{UNKNOWN}/stream", headers=HANDSHAKE | sent)

    assert answer.status_code == 404


def test_other_addresses_ignore_the_offer(system: System) -> None:
    path = system.create_job(*cargo.MIXED)
    with strict_client() as http:
        for _ in range(2):  # the connection goes on
            assert http.get(f"{system.url}{path}", headers=HANDSHAKE | {"Connection": "Upgrade"}).status_code == 200


def test_neither_extension_nor_subprotocol_is_taken(system: System) -> None:
    path = system.create_job(*cargo.MIXED)
    with open_socket(f"{system.url}{path}/stream", compression="deflate") as reader:
        assert reader.next()
        head = reader.connection.response

    assert head is not None
    assert {"sec-websocket-extensions", "sec-websocket-protocol", "transfer-encoding", "content-length"}.isdisjoint(
        name.lower() for name in head.headers
    )
    assert head.headers["x-request-id"]


def test_where_they_are_turned_off_none_is_named_and_the_stream_stays_one(system: System) -> None:
    gateway = system.start("gateway", WAYBILL_WEBSOCKETS="false")
    gateway.wait_until_ready()
    with strict_client() as http:
        accepted = http.post(f"{gateway.url}{JOBS}", json={"file_ids": cargo.ids_of(*cargo.MIXED)}).json()
        answer = http.get(f"{gateway.url}{accepted['stream_url']}", headers=HANDSHAKE)

    assert accepted["websocket_url"] is None
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")
    gateway.close()


# ── when things go away ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A gateway and nobody who works: a job waits for as long as a test likes."""
    with System(tmp_path_factory.mktemp("idle"), processors=0) as running:
        yield running


def test_a_gateway_that_stops_says_so_and_stops(idle: System) -> None:
    path = idle.create_job(*cargo.MIXED)
    gateway = idle.gateways[0]
    with open_socket(f"{gateway.url}{path}/stream") as reader:
        assert reader.next()
        gateway.terminate()
        close = reader.to_the_end()

    assert close == (1012, "drain")
    assert reader.messages[-1]["reason"] == "drain"
    assert gateway.exit_code() == 0


def test_a_peer_that_never_says_goodbye_holds_up_no_drain(idle: System) -> None:
    path = idle.create_job(*cargo.MIXED)
    gateway = idle.gateways[0]
    with upgraded(gateway, f"{path}/stream") as peer:
        gateway.terminate()
        assert gateway.exit_code() == 0

        assert CLOSE_OF_DRAIN in everything_from(peer)


def test_with_redis_away_open_sockets_beat_on_and_new_ones_are_told_to_come_back(idle: System) -> None:
    path = idle.create_job(*cargo.MIXED)
    gateway = idle.start("gateway", {"HEARTBEAT_EVERY_SECONDS": 0.3})
    gateway.wait_until_ready()
    with open_socket(f"{gateway.url}{path}/stream") as reader:
        assert reader.next()
        with frozen(idle.redis):
            with open_socket(f"{gateway.url}{path}/stream") as late:
                close = late.to_the_end()
            for _ in range(3):
                reader.until(lambda message: message["type"] == "heartbeat")
        gateway.wait_until_ready()
        idle.call("POST", f"{path}/cancel")
        end = reader.to_the_end()

    assert close == (1013, "REDIS_UNAVAILABLE")
    assert [message["reason"] for message in late.messages] == ["redis"]
    assert (end, reader.types[-1]) == ((1000, ""), "cancelled")


def test_one_socket_too_many_for_the_gateway_is_told_to_come_back(idle: System) -> None:
    path = idle.create_job(*cargo.MIXED)
    gateway = idle.start("gateway", WAYBILL_MAX_STREAMS="1")
    gateway.wait_until_ready()
    with open_socket(f"{gateway.url}{path}/stream") as reader:
        assert reader.next()

        assert closed_at_once(f"{gateway.url}{path}/stream") == (1013, "TOO_MANY_STREAMS")

    assert gateway.metric("sse_refusals_total", reason="overload") == 1


def test_a_socket_of_age_comes_back_elsewhere(idle: System) -> None:
    path = idle.create_job(*cargo.MIXED)
    gateway = idle.start("gateway", {"STREAM_MAX_AGE_SECONDS": 0.5})
    gateway.wait_until_ready()

    assert closed_at_once(f"{gateway.url}{path}/stream") == (1012, "max_age")


def test_a_job_whose_record_is_damaged_is_our_mistake(idle: System) -> None:
    path = idle.create_job(*cargo.MIXED)
    ask(idle.redis.port, "HSET", f"waybill:{{0}}:job:{path.rpartition('/')[2]}", "epoch", "many")

    assert closed_at_once(f"{idle.url}{path}/stream") == (1011, "RECORD_UNREADABLE")


def test_sockets_are_counted_apart_from_event_streams(idle: System) -> None:
    path, gateway = idle.create_job(*cargo.MIXED), idle.gateways[0]
    with open_socket(f"{idle.url}{path}/stream") as reader:
        assert reader.next()
        counted = [gateway.metric(f"{name}_connections_active") for name in ("websocket", "sse")]

    assert counted == [1, 0]
    until(lambda: left(gateway) == 1, "it is counted out")
    assert gateway.metric("websocket_connections_active") == 0
    [line] = [line for line in gateway.log_lines() if line["event"] == "stream ended"]
    assert (line["transport"], line["reason"]) == ("websocket", "left")


def left(gateway: Service) -> float:
    """Count the streams whose peers have left."""
    return gateway.metric("sse_streams_ended_total", reason="left")
