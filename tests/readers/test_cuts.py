"""What other people's readers make of a bad line, over real sockets: every event once, wherever it splits or cuts.

The readers decide for themselves when to come back, with which id, and when to stop; only the line and the gateways are
ours.
"""

import socket
from collections.abc import Iterable

import pytest

from tests.readers.author import AWKWARD, Author
from tests.readers.followed import READERS, Follow, stream_of
from tests.support.proxy import NO_FAULT, Fault, FaultProxy
from tests.support.system import System

LONGEST_EVENT_BYTES = 1_000
"""One event of this file; what is longer is not cut."""
CUTS_OF_THE_HEAD_BYTES = (*range(40), *range(40, 224, 16))
SEES_ALL_CUTS = [name for name in READERS if name != "fetch_event_source"]
"""The other one loses the event whose last byte is cut off, and no other: test_frames.py."""
CLOSED_BY_A_CUT_HEAD = "Chromium takes what it has of a head for all of it, and a stream without its type for a refusal"
WITH_CHROMIUM_CLOSED = [
    *(name for name in READERS if name != "chromium"),
    pytest.param("chromium", marks=pytest.mark.xfail(strict=True, reason=CLOSED_BY_A_CUT_HEAD)),
]


def head_of(system: System, path: str, *, origin: str | None) -> bytes:
    """Give the head of a stream's answer, as it comes over the line; it is longer for a page of that origin."""
    line = f"Origin: {origin}\r\n" if origin else ""
    with socket.create_connection(("127.0.0.1", system.gateways[0].port)) as connection:
        connection.sendall(f"GET {path}/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n{line}\r\n".encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += connection.recv(4_096)
    return answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"


def deal_cuts(line: FaultProxy, places_bytes: Iterable[int]) -> None:
    """Let the next connections pass so many bytes of a reply each, and those after them everything."""
    cuts = dict(enumerate(places_bytes, start=line.connections))
    line.deal = lambda number: Fault(cut_after_reply_bytes=cuts[number]) if number in cuts else NO_FAULT


def test_each_reader_sees_every_event_once_with_its_id_in_order_and_stops_at_the_end(
    system: System, line: FaultProxy, follow: Follow
) -> None:
    job = Author(system)
    job.write(AWKWARD, "second")

    with follow(stream_of(job.path, line)) as followed:
        followed.wait_for("two", lambda told: len(told.messages("progress")) == 2)
        job.write("third", AWKWARD)
        job.end()
        stop = followed.wait_for_stop()

    assert followed.events() == system.log(job.path)
    assert stop.status in (204, None)


def test_readers_without_a_cursor_begin_with_a_snapshot_and_miss_nothing_after_it(
    system: System, line: FaultProxy, follow: Follow
) -> None:
    job = Author(system)
    job.write("before")

    with follow(stream_of(job.path, line, query="")) as followed:
        followed.wait_for_message("snapshot")
        job.write(AWKWARD)
        job.end()
        followed.wait_for_stop()

    before, after = system.log(job.path)[:3], system.log(job.path)[3:]
    assert followed.events() == after
    assert followed.of_kind("message")[0].id == before[-1]["id"]


def test_a_stream_that_arrives_byte_by_byte_is_read_as_the_same_messages(
    system: System, line: FaultProxy, follow: Follow
) -> None:
    line.deal = lambda _: Fault(piece_bytes=1)
    job = Author(system)
    job.write(AWKWARD, AWKWARD)
    job.end()

    with follow(stream_of(job.path, line)) as followed:
        followed.wait_for_stop()

    assert followed.events() == system.log(job.path)


@pytest.mark.parametrize("reader", SEES_ALL_CUTS)
def test_a_stream_that_is_cut_after_each_byte_of_a_frame_loses_and_doubles_nothing(
    system: System, line: FaultProxy, follow: Follow, reader: str, page: str
) -> None:
    job = Author(system)
    job.write("first")

    with follow(stream_of(job.path, line)) as followed:
        followed.wait_for_message("progress")
        head_bytes = len(head_of(system, job.path, origin=page if reader == "chromium" else None))
        deal_cuts(line, range(head_bytes, head_bytes + LONGEST_EVENT_BYTES))
        line.cut()
        job.write(AWKWARD, "last")
        job.end()
        followed.wait_for_stop()

    assert followed.events() == system.log(job.path)
    assert line.cuts > 300


@pytest.mark.parametrize("reader", WITH_CHROMIUM_CLOSED)
def test_an_answer_that_is_cut_within_its_head_brings_every_reader_back(
    system: System, line: FaultProxy, follow: Follow
) -> None:
    job = Author(system)

    with follow(stream_of(job.path, line)) as followed:
        followed.wait_for_message("started")
        deal_cuts(line, CUTS_OF_THE_HEAD_BYTES)
        line.cut()
        followed.wait_for("all cuts, or a stop", lambda told: line.cuts >= 50 or told.of_kind("stopped"))
        job.end()
        followed.wait_for_stop()

    assert followed.events() == system.log(job.path)


def test_heartbeats_are_told_apart_from_messages_and_move_no_cursor(
    system: System, line: FaultProxy, follow: Follow
) -> None:
    job = Author(system)

    with follow(stream_of(job.path, line)) as followed:
        followed.wait_for("two heartbeats", lambda told: len(told.messages("heartbeat")) >= 2)
        line.cut()
        followed.wait_for("it is back", lambda told: len(told.of_kind("open")) >= 2)
        job.end()
        followed.wait_for_stop()

    assert followed.events() == system.log(job.path)
    for told in followed.of_kind("message"):
        assert told.type == ("heartbeat" if told.message["type"] == "heartbeat" else "message")
