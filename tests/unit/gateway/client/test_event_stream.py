"""The decoder of event streams: WHATWG HTML §9.2.6, however the bytes are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.client.errors import NotWaybill
from gateway.client.event_stream import EventStream, Frame
from shared import limits

STREAM = (
    "\ufeff: a comment\n\n"
    "retry: 700\ndata: one\nid: 1-1\n\n"
    "data:two\r\ndata\r\ndata: lines: ü — 航\r\nunknown: x\r\n\r\n"
    "event: heartbeat\rdata: {}\r\r"
    "id: 1-2\n\n"
    "retry: soon\nid: a\0b\ndata: three\n\n"
    "data: unfinished"
).encode()
FRAMES = [
    Frame("1-1", "message", "one", 700),
    Frame(None, "message", "two\n\nlines: ü — 航", None),
    Frame(None, "heartbeat", "{}", None),
    Frame(None, "message", "three", None),
]


def decode(*pieces: bytes) -> list[Frame]:
    stream = EventStream()
    return [frame for piece in pieces for frame in stream.feed(piece)]


def test_a_stream_is_read_as_the_standard_says() -> None:
    assert decode(STREAM) == FRAMES


@pytest.mark.parametrize("at", range(1, len(STREAM)))
def test_a_cut_anywhere_changes_nothing(at: int) -> None:
    assert decode(STREAM[:at], STREAM[at:]) == FRAMES


@given(st.lists(st.integers(1, 7), min_size=1))
def test_pieces_of_any_length_change_nothing(lengths: list[int]) -> None:
    pieces, rest = [], STREAM
    while rest:
        for length in lengths:
            pieces.append(rest[:length])
            rest = rest[length:]

    assert decode(*pieces) == FRAMES


@given(st.binary(max_size=200))
def test_no_bytes_are_an_error(noise: bytes) -> None:
    decode(noise)


@pytest.mark.parametrize("piece", [b"x" * 65_536, b"data: " + b"x" * 65_529 + b"\n"], ids=["a line", "an event"])
def test_what_has_no_end_is_refused(piece: bytes) -> None:
    pieces = [piece] * (limits.CLIENT_MAX_FRAME_BYTES // len(piece) + 2)

    with pytest.raises(NotWaybill):
        decode(*pieces)
