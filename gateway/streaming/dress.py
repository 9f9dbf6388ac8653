"""How what a stream says is dressed on its way out: as Server-Sent Events, with the clock and the chance in them.

A stream knows what is to be said and when; which bytes that is, and what stands at the beginning and at the end, is
here. Another transport of the same messages has a dress of its own, and a connection of its own.
"""

import random

from gateway.streaming.sse import busy_frame, heartbeat_frame, with_retry
from shared import events, limits
from shared.clock import now_ms

HEADERS = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store, no-transform"),
    (b"x-accel-buffering", b"no"),
    (b"vary", b"Accept, Origin"),
)
"""The head of every stream; without a length, so that HTTP/1.1 sends it chunked (nginx: X-Accel-Buffering)."""


def first(frames: bytes) -> bytes:
    """Say in the first frames how soon to come back after a cut; everybody's time is another one."""
    return frames if frames.startswith(b"retry:") else with_retry(frames, retry_ms())


def heartbeat() -> bytes:
    """Say that nothing happened, and that the connection is alive."""
    return heartbeat_frame(events.encode(events.Heartbeat(at=events.timestamp(now_ms()))))


def goodbye(reason: str) -> bytes:
    """Say that the stream ends before its job does, or does not begin."""
    return busy_frame(events.encode(events.Busy(reason=reason, at=events.timestamp(now_ms()))), retry_ms())


def retry_ms() -> int:
    """Draw a reconnection time, so that viewers who were cut together do not come back together."""
    return random.randint(limits.MIN_SSE_RETRY_MS, limits.MAX_SSE_RETRY_MS)
