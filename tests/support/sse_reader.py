"""Reads Server-Sent Events byte by byte, and insists on the house's rules for frames and on the promised messages.

Whole frames only: what a cut leaves behind an unfinished frame is no event (WHATWG HTML §9.2.6).
"""

import json
from functools import lru_cache
from typing import Any, NamedTuple

from tests.support.promised import promised


class Frame(NamedTuple):
    """One frame. None: it had no such line."""

    id: str | None
    event: str | None
    retry_ms: int | None
    data: dict[str, Any]

    @property
    def type(self) -> str:
        """The type of its message; `heartbeat` for a heartbeat."""
        return self.event or str(self.data["type"])


class FrameReader:
    """Takes the bytes of a stream in any pieces and gives the frames that have ended."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> list[Frame]:
        """Give the frames that this piece ends."""
        *blocks, self._rest = (self._rest + piece).split(b"\n\n")
        return [read_frame(block.decode()) for block in blocks]


def read_frames(text: bytes) -> list[Frame]:
    """Read a whole stream; fails when it does not end with a frame."""
    reader = FrameReader()
    frames = reader.feed(text)
    assert not reader._rest, f"the stream ended within a frame: {reader._rest!r}"
    return frames


def read_frame(block: str) -> Frame:
    """Read one frame; fails when it breaks a rule: each has one data line, and at most one of each other kind."""
    fields: dict[str, str] = {}
    for line in block.split("\n"):
        name, colon, text = line.partition(": ")
        assert colon, f"not a field: {line!r}"
        assert name in ("retry", "id", "event", "data"), f"unexpected field: {line!r}"
        assert name not in fields, f"twice: {line!r}"
        fields[name] = text
    assert "data" in fields, f"a frame without data is an empty message in some parsers: {block!r}"
    assert fields.get("id") != "", "an empty id resets the cursor"
    assert fields.get("event") in (None, "heartbeat"), f"an event line hides the message: {block!r}"
    retry_ms = int(fields["retry"]) if "retry" in fields else None
    assert retry_ms is None or retry_ms >= 500, f"viewers would come back too soon: {block!r}"
    assert not (breaches := _breaches_of(fields["data"])), breaches
    return Frame(fields.get("id"), fields.get("event"), retry_ms, json.loads(fields["data"]))


@lru_cache(maxsize=1_000)  # thousands of viewers are shown the same messages
def _breaches_of(encoded: str) -> list[str]:
    return promised().breaches_of_message(json.loads(encoded))
