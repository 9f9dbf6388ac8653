"""Frames, byte by byte, and through an independent parser."""

import httpx_sse
import msgspec

from gateway.streaming.sse import (
    busy_frame,
    event_message,
    frame_of_many,
    heartbeat_frame,
    snapshot_message,
    with_retry,
)
from shared.event_id import EventId


def parse(stream: bytes) -> list[httpx_sse.ServerSentEvent]:
    decoder = httpx_sse._decoders.SSEDecoder()
    found = [decoder.decode(line) for line in stream.decode().split("\n")]
    return [event for event in found if event is not None]


def test_event_has_its_id_and_one_line_of_data() -> None:
    message = event_message(EventId(2, 7), b'{"type":"progress"}')

    assert message.frame == b'data: {"type":"progress"}\nid: 2-7\n\n'
    assert not message.is_terminal


def test_terminal_messages_are_recognised_by_their_type_alone() -> None:
    for name in (b"completed", b"error", b"cancelled"):
        assert event_message(EventId(1, 1), b'{"type":"%b","at":"x"}' % name).is_terminal
    assert not event_message(EventId(1, 1), b'{"type":"retrying","error":{"code":"completed"}}').is_terminal


def test_snapshot_before_a_terminal_message_moves_no_cursor() -> None:
    assert snapshot_message(None, b"{}").frame == b"data: {}\n\n"
    assert snapshot_message(EventId(1, 2), b"{}").frame == b"data: {}\nid: 1-2\n\n"


def test_heartbeat_is_invisible_to_onmessage() -> None:
    [event] = parse(heartbeat_frame(b'{"type":"heartbeat"}'))

    assert (event.event, event.id, event.data) == ("heartbeat", "", '{"type":"heartbeat"}')


def test_retry_rides_in_a_data_frame() -> None:
    [event] = parse(busy_frame(b'{"type":"busy"}', 700))

    assert (event.event, event.retry, msgspec.json.decode(event.data)) == ("message", 700, {"type": "busy"})


def test_every_blank_line_ends_a_frame_that_has_data() -> None:
    frames = [
        with_retry(event_message(EventId(1, 1), b"{}").frame, 500),
        snapshot_message(EventId(1, 2), b"{}").frame,
        heartbeat_frame(b"{}"),
        busy_frame(b"{}", 500),
    ]

    blocks = b"".join(frames).decode().removesuffix("\n\n").split("\n\n")

    assert len(blocks) == len(frames)
    assert all("\ndata: " in "\n" + block for block in blocks)


def test_message_in_a_stream_of_many_names_its_job_once_and_has_the_vector_as_its_id() -> None:
    message = event_message(EventId(1, 3), b'{"type":"progress"}')
    shown = snapshot_message(None, b'{"type":"snapshot","job_id":"a"}')

    assert frame_of_many(message.data_line_of("a"), b"1-3.-") == (
        b'data: {"job_id":"a","type":"progress"}\nid: 1-3.-\n\n'
    )
    assert frame_of_many(shown.data_line_of("a"), None) == b'data: {"type":"snapshot","job_id":"a"}\n\n'


def test_data_of_a_message_is_made_once_for_all_streams_of_many() -> None:
    message = event_message(EventId(1, 3), b'{"type":"progress"}')

    assert message.data_line_of("a") is message.data_line_of("a")
