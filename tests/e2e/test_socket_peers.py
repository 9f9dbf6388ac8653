"""What the peer of a WebSocket may do to a gateway: send what it likes, read nothing, or be gone without a word."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from shared import limits
from shared.jobstore.operations import Run
from shared.jobstore.store import JobStore
from tests.support import cargo, jobs
from tests.support.raw_socket import everything_from, frame, upgraded
from tests.support.service import Service
from tests.support.socket_reader import SocketReader, open_socket
from tests.support.stores import running_store
from tests.support.system import JOBS, System
from tests.support.waiting import until, until_so

TEXT, CONTINUATION, BINARY, PING, PONG, CLOSE, FIN = 0x1, 0x0, 0x2, 0x9, 0xA, 0x8, 0x80
MOST_BYTES = limits.MAX_SOCKET_MESSAGE_BYTES
LONG_MESSAGE = "a" * 4_000
EVENTS = 60


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A gateway and nobody who works: a job waits for as long as a test likes."""
    with System(tmp_path_factory.mktemp("peers"), processors=0) as running:
        yield running


@pytest.fixture(scope="module")
def path(idle: System) -> str:
    """The stream of a job that waits."""
    return f"{idle.create_job(*cargo.MIXED)}/stream"


class Attack(NamedTuple):
    """What a peer sends, and the code with which it is closed."""

    sent: bytes
    code: int


ATTACKS = {
    "a frame without a mask": Attack(frame(FIN | TEXT, b"hello", is_masked=False), 1002),
    "a reserved opcode": Attack(frame(FIN | 0x3, b""), 1002),
    "a reserved bit, as of a compressed frame": Attack(frame(FIN | 0x40 | TEXT, b""), 1002),
    "a control frame in fragments": Attack(frame(PING, b""), 1002),
    "a long control frame": Attack(frame(FIN | PING, b"a" * 126), 1002),
    "a continuation of nothing": Attack(frame(FIN | CONTINUATION, b""), 1002),
    "a close frame of one byte": Attack(frame(FIN | CLOSE, b"a"), 1002),
    "a message that is too long": Attack(frame(FIN | TEXT, b"a" * (MOST_BYTES + 1)), 1009),
    "a message that claims to be of 8 EiB": Attack(frame(FIN | BINARY, b"", claims_bytes=2**62), 1009),
    "fragments that are too long together": Attack(
        frame(TEXT, b"a" * MOST_BYTES) + frame(FIN | CONTINUATION, b"a"), 1009
    ),
    "too many messages": Attack(frame(FIN | TEXT, b"{}") * 31, 1008),
    "too many pings": Attack(frame(FIN | PING, b"") * 31, 1008),
    "too many pongs": Attack(frame(FIN | PONG, b"") * 31, 1008),
    "too many empty fragments": Attack(frame(TEXT, b"") + frame(CONTINUATION, b"") * 30, 1008),
    "a flood": Attack(frame(FIN | PING, b"a" * 125) * 20_000, 1008),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_who_says_what_no_client_says_is_closed_and_let_go(idle: System, path: str, name: str) -> None:
    gateway, attack = idle.gateways[0], ATTACKS[name]
    before = gateway.metric("sse_streams_ended_total", reason="refused")
    with upgraded(gateway, path) as peer:
        with contextlib.suppress(ConnectionError):
            peer.sendall(attack.sent)
        answer = everything_from(peer)

    assert attack.code.to_bytes(2, "big") in answer
    assert answer.count(bytes([FIN | PONG])) <= limits.SOCKET_FRAMES_PER_MINUTE + MOST_BYTES // 6
    until(lambda: gateway.metric("sse_streams_ended_total", reason="refused") == before + 1, "it is counted")
    assert gateway.metric("websocket_connections_active") == 0


def test_a_few_words_and_pings_are_taken_and_dropped(idle: System, path: str) -> None:
    with open_socket(idle.url + path) as reader:
        assert reader.next()
        for _ in range(5):
            reader.connection.send("hello")
            reader.connection.send([b"in", b"pieces"])
            assert reader.connection.ping().wait(20)

        assert idle.gateways[0].metric("websocket_connections_active") == 1


def test_who_closes_is_answered_and_counted_out(idle: System, path: str) -> None:
    gateway = idle.gateways[0]
    with upgraded(gateway, path) as peer:
        until(lambda: gateway.metric("websocket_connections_active") == 1, "it is open")
        peer.sendall(frame(FIN | CLOSE, b"\x03\xe8bye"))
        answer = everything_from(peer)

    assert answer.endswith(b"\x88\x05\x03\xe8bye")
    until(lambda: gateway.metric("websocket_connections_active") == 0, "it is counted out")


def test_who_breaks_off_in_the_midst_of_a_frame_is_counted_out(idle: System, path: str) -> None:
    gateway = idle.gateways[0]
    with upgraded(gateway, path) as peer:
        until(lambda: gateway.metric("websocket_connections_active") == 1, "it is open")
        peer.sendall(frame(FIN | TEXT, b"half", claims_bytes=100))

    until(lambda: gateway.metric("websocket_connections_active") == 0, "it is counted out")


def test_who_goes_on_talking_after_the_goodbye_is_cut(idle: System, path: str) -> None:
    gateway = idle.start("gateway", {"SOCKET_CLOSE_WITHIN_SECONDS": 0.5, "STREAM_MAX_AGE_SECONDS": 0.2})
    gateway.wait_until_ready()
    with upgraded(gateway, path) as peer:
        until(lambda: is_cut_while_talking(peer), "it is cut")
    gateway.close()


def is_cut_while_talking(peer: socket.socket) -> bool:
    """Say one more word, read nothing, and tell whether nobody is there any more."""
    try:
        peer.sendall(frame(FIN | TEXT, b"."))
    except ConnectionError:
        return True
    return False


# ── who is gone, and who reads nothing ────────────────────────────────────────────────────────────────────────────────


def test_who_answers_no_ping_is_taken_for_gone_and_others_stay(idle: System, path: str) -> None:
    gateway = idle.start("gateway", {"HEARTBEAT_EVERY_SECONDS": 0.3})
    gateway.wait_until_ready()
    with open_socket(gateway.url + path) as honest, upgraded(gateway, path) as mute:
        answer = everything_from(mute)
        for _ in range(2 * limits.SOCKET_PINGS_UNANSWERED):
            honest.until(lambda message: message["type"] == "heartbeat")

        assert gateway.metric("websocket_connections_active") == 1

    assert answer.count(b'"type":"heartbeat"') >= limits.SOCKET_PINGS_UNANSWERED
    assert answer.count(b"\x89\x00") == limits.SOCKET_PINGS_UNANSWERED
    gateway.close()


async def append(store: JobStore, run: Run, number: int) -> None:
    """Append one long event."""
    message = jobs.progress((number + 1) / (EVENTS + 1), LONG_MESSAGE)
    await jobs.insist(lambda: store.append_progress(run, seq=run.record.seq + 1 + number, message=message))


async def test_who_never_reads_is_cut_and_others_get_everything(idle: System) -> None:
    gateway = idle.start("gateway", {"STREAM_SEND_WITHIN_SECONDS": 1})
    await asyncio.to_thread(gateway.wait_until_ready)
    async with running_store(idle.redis.url, partitions=1) as store:
        run = await jobs.start(store)
        stream = f"{JOBS}/{run.job_id}/stream"
        with open_socket(gateway.url + stream) as honest, mute_reader(gateway, stream):
            assert honest.next()
            reading = asyncio.create_task(asyncio.to_thread(honest.to_the_end))
            for number in range(EVENTS):
                await append(store, run, number)
            await until_so(lambda: gateway.metric("sse_streams_ended_total", reason="slow") == 1, "the mute one is cut")
            await jobs.insist(lambda: store.finish(run, jobs.completion()))
            close = await reading

    assert close == (1000, "")
    assert ids_of(honest)[-EVENTS - 1 :] == [f"1-{run.record.seq + 1 + number}" for number in range(EVENTS + 1)]
    gateway.close()


def mute_reader(gateway: Service, stream: str) -> contextlib.AbstractContextManager[socket.socket]:
    """Ask for a WebSocket and read nothing of it."""
    return upgraded(gateway, stream, receive_buffer_bytes=2_048)


def ids_of(reader: SocketReader) -> list[str]:
    """Give the ids of what came, oldest first."""
    return [message["id"] for message in reader.messages if "id" in message]
