"""What a job's log tells, in words: one line for each thing that happened. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import msgspec

from processor.commands.wording import count, size, spoken
from shared import limits
from shared.event_id import EventId

Event = tuple[EventId, bytes]
"""One event of a log: its id, and the message as its writer encoded it."""


class Happened(NamedTuple):
    """A line of the history: the id and the time (RFC 3339) of the event, "" where there is none, and what it was."""

    event_id: str
    at: str
    words: str


def history(events: Sequence[Event], *, is_whole: bool) -> list[Happened]:
    """Tell a log in words; what is missing between two events, or at the end unless `is_whole`, is told too."""
    told: list[Happened] = []
    last_seq = 0
    for is_progress, group in groupby(events, key=lambda event: read(event[1]).get("type") == "progress"):
        for part in _unbroken(list(group)):
            if part[0][0].seq > last_seq + 1:
                told.append(_hole(last_seq + 1, part[0][0].seq - 1))
            last_seq = part[-1][0].seq
            told += [_progress(part)] if is_progress and len(part) > 1 else map(_single, part)
    return (
        told
        if is_whole
        else [*told, Happened("", "", f"and more: {count(len(events), 'event was', 'events were')} read")]
    )


def read(message: bytes) -> dict[str, Any]:
    """Read a message; one that cannot be read is an empty one."""
    try:
        return msgspec.json.decode(message, type=dict[str, Any])
    except msgspec.MsgspecError:
        return {}


def _unbroken(events: Sequence[Event]) -> Iterator[list[Event]]:
    part: list[Event] = []
    for event in events:
        if part and event[0].seq != part[-1][0].seq + 1:
            yield part
            part = []
        part.append(event)
    yield part


def _hole(first: int, last: int) -> Happened:
    which = f"event {first} is" if first == last else f"events {first} to {last} are"
    return Happened("", "", f"{which} not here any more: ended jobs keep their last events only")


def _progress(events: Sequence[Event]) -> Happened:
    first, last = read(events[0][1]), read(events[-1][1])
    words = f"{len(events)} times progress, from {_percent(first)} to {_progress_words(last)}"
    return Happened(str(events[-1][0]), _text(last, "at"), words)


def _single(event: Event) -> Happened:
    event_id, encoded = event
    message = read(encoded)
    try:
        words = _WORDS[message["type"]](message)
    except (KeyError, TypeError, ValueError, AttributeError):
        # Of another version, or of somebody else: shown as it is.
        words = encoded.decode(errors="replace")[: limits.MAX_ERROR_CHARS]
    return Happened(str(event_id), _text(message, "at"), words)


def _text(message: Mapping[str, Any], name: str) -> str:
    found = message.get(name)
    return found if isinstance(found, str) else ""


def _percent(message: Mapping[str, Any]) -> str:
    ratio = message.get("progress")
    return f"{ratio * 100:.0f} %" if isinstance(ratio, int | float) else "?"


def _progress_words(message: Mapping[str, Any]) -> str:
    total = message.get("total_bytes")
    of_bytes = f" of {size(total)}" if total is not None else ""
    return (
        f"{_percent(message)}: {message['files_processed']:,} of {message['total_files']:,} files, "
        f"{size(message['bytes_processed'])}{of_bytes}, {message['message']}"
    )


def error_words(error: Mapping[str, Any]) -> str:
    """Write an error as its code and its sentence."""
    return f"{error['code']}: {error['message']}"


def _queued(message: Mapping[str, Any]) -> str:
    return f"queued: {message['message']}" if message.get("message") else "queued"


def _retrying(message: Mapping[str, Any]) -> str:
    after = spoken(message["retry_in_seconds"] * 1000)
    return (
        f"attempt {message['attempt']} failed, the next one after {after} "
        f"(at most {message['max_attempts']} fail): {error_words(message['error'])}"
    )


_WORDS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "queued": _queued,
    "started": lambda message: f"started, attempt {message['attempt']}",
    "progress": _progress_words,
    "retrying": _retrying,
    "completed": lambda message: f"completed: {count(message['files'], 'file')}, {size(message['archive_bytes'])}",
    "error": lambda message: f"failed for good: {error_words(message['error'])}",
    "cancelled": lambda message: f"cancelled: {message['reason']}",
}
