"""The place of a stream of many jobs: a cursor for each of them, in the order of the query. Pure.

    1-5.0-1.-.x        the id of every frame that moves one of them, and what a viewer comes back with

`1-5` is the id of the last event that the viewer has been given of that job. `-`: none yet, so that it is shown as it
is. `x`: the viewer was told that the job cannot be had (unknown, another owner's, deleted, damaged); a stream that is
opened with it does not say so again. Should such a job be there after all, it is shown as one without a cursor.
"""

from collections.abc import Iterable, Sequence
from enum import Enum

from gateway.streaming.subscription import Cursor, Unreadable
from shared.event_id import PATTERN as EVENT_ID_PATTERN
from shared.event_id import EventId

_PART = f"({EVENT_ID_PATTERN[1:-1]}|-|x)"
PATTERN = rf"^{_PART}(\.{_PART})*$"
"""The one form of a vector, for readers of the API too."""


class Refused(Enum):
    """Instead of a cursor: the viewer knows that this job cannot be had."""

    TOLD = "x"


Spot = Cursor | Refused


def read_vector(header: str | None, query: str | None, jobs: int) -> Sequence[Spot]:
    """Find the cursors of a request for so many jobs; the Last-Event-ID header wins, an empty one is none.

    A vector of another length, or with a part that is none, places nobody: all are Unreadable.
    """
    text = header or query
    if not text:
        return [None] * jobs
    parts = text.split(".", jobs)
    spots = [_read(part) for part in parts]
    if len(parts) != jobs or Unreadable.CURSOR in spots:
        return [Unreadable.CURSOR] * jobs
    return spots


def _read(part: str) -> Spot:
    match part:
        case "-":
            return None
        case "x":
            return Refused.TOLD
        case _:
            return EventId.parse(part) or Unreadable.CURSOR


class Vector:
    """What one viewer has been given of each job."""

    __slots__ = ("_parts",)

    def __init__(self, spots: Iterable[Spot]) -> None:
        self._parts = [_write(spot) for spot in spots]

    def move(self, number: int, event_id: EventId) -> None:
        """Note that the viewer is given this event of the job at `number` (from 0)."""
        self._parts[number] = event_id.encode()

    def refuse(self, number: int) -> None:
        """Note that the viewer is told that the job at `number` cannot be had."""
        self._parts[number] = _write(Refused.TOLD)

    def encode(self) -> bytes:
        """Give the id of a frame."""
        return b".".join(self._parts)


def _write(spot: Spot) -> bytes:
    match spot:
        case EventId():
            return spot.encode()
        case Refused.TOLD:
            return b"x"
        case _:
            return b"-"
