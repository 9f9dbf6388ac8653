"""Frames of a WebSocket, byte by byte, and the codes that close one."""

import json

import pytest

from gateway.metrics import ENDS
from gateway.streaming.socket_frames import CLOSES, PING, close_of, text_frame, with_id
from gateway.streaming.sse import event_message, snapshot_message, socket_frame_in_many
from shared.caller_errors import OwnerRefused, Unauthenticated
from shared.errors import (
    Draining,
    JobGone,
    JobNotFound,
    RecordUnreadable,
    RedisUnavailable,
    TooManyStreams,
    WaybillError,
)
from shared.event_id import EventId
from shared.limit_errors import TooManyOwnerStreams

SILENT = {"left", "slow", "refused", "error"}


@pytest.mark.parametrize(
    ("length", "head"),
    [(2, b"\x81\x02"), (125, b"\x81\x7d"), (126, b"\x81\x7e\x00\x7e"), (65_536, b"\x81\x7f" + b"\0\0\0\0\0\1\0\0")],
)
def test_a_text_is_one_frame_without_mask(length: int, head: bytes) -> None:
    assert text_frame(b"a" * length) == head + b"a" * length


def test_a_ping_carries_nothing() -> None:
    assert PING == b"\x89\x00"


def test_the_id_is_the_first_member() -> None:
    assert with_id(b'{"type":"started","attempt":1}', b"1-2") == b'{"id":"1-2","type":"started","attempt":1}'


def test_all_viewers_of_a_job_share_one_frame() -> None:
    message = event_message(EventId(1, 2), b'{"type":"started"}')

    assert message.socket_frame is message.socket_frame
    assert message.socket_frame == text_frame(b'{"id":"1-2","type":"started"}')


def test_a_snapshot_that_moves_no_cursor_has_no_id() -> None:
    assert snapshot_message(None, b'{"type":"snapshot"}').socket_frame == text_frame(b'{"type":"snapshot"}')


def test_among_many_jobs_the_job_is_named_and_the_id_is_the_vector() -> None:
    message = event_message(EventId(1, 2), b'{"type":"started"}')

    moved, unmoved = (socket_frame_in_many(message, "a", vector) for vector in (b"1-2.-", None))

    assert json.loads(moved[2:]) == {"id": "1-2.-", "job_id": "a", "type": "started"}
    assert json.loads(unmoved[2:]) == {"job_id": "a", "type": "started"}


def test_every_end_that_is_told_has_a_close_code() -> None:
    assert set(ENDS) - SILENT <= set(CLOSES)


@pytest.mark.parametrize(
    ("error", "close"),
    [
        (Unauthenticated("x"), (4401, "UNAUTHENTICATED")),
        (OwnerRefused("x"), (4403, "OWNER_REFUSED")),
        (JobNotFound("x"), (4404, "NOT_FOUND")),
        (JobGone("x"), (4410, "GONE")),
        (TooManyOwnerStreams("x", retry_after_seconds=1), (4429, "LIMIT_STREAMS")),
        (Draining("x"), (1012, "DRAINING")),
        (TooManyStreams("x"), (1013, "TOO_MANY_STREAMS")),
        (RedisUnavailable("x"), (1013, "REDIS_UNAVAILABLE")),
        (RecordUnreadable("x"), (1011, "RECORD_UNREADABLE")),
    ],
)
def test_a_refusal_is_the_status_of_http_or_a_word_about_when_to_come_back(
    error: WaybillError, close: tuple[int, str]
) -> None:
    assert close_of(error) == close
