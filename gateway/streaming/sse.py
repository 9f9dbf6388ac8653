"""Frames of Server-Sent Events (WHATWG HTML §9.2.6). Pure.

`retry:`? `data:` `id:`?, a blank line. The id stands last: some readers (@microsoft/fetch-event-source) come back with
an id as soon as they have read its line, and a cut between an id and its data would lose the event in silence.

No `event:` line but for the heartbeat (so plain onmessage gets everything else, and a message of type `error` does not
fire EventSource's own onerror). Every blank line ends a frame that has data: a comment block becomes an empty message
in some parsers. Never an empty `id:`, which would reset the cursor.
"""

from typing import NamedTuple

from shared.event_id import EventId
from shared.events import is_terminal_message


class Message(NamedTuple):
    """One message on its way to viewers: encoded once, shared by all of a job's viewers. No id: it moves no cursor.

    `written_at_ms` is its writer's time (since 1970) for a live message, None for what comes from the log.
    """

    event_id: EventId | None
    frame: bytes
    is_terminal: bool = False
    written_at_ms: float | None = None


def event_message(event_id: EventId, encoded: bytes, *, written_at_ms: float | None = None) -> Message:
    """Frame an event of the log."""
    frame = b"data: %b\nid: %d-%d\n\n" % (encoded, event_id.epoch, event_id.seq)
    return Message(event_id, frame, is_terminal_message(encoded), written_at_ms)


def snapshot_message(event_id: EventId | None, encoded: bytes) -> Message:
    """Frame a snapshot; without an id when a terminal message follows it."""
    identifier = b"id: %b\n" % event_id.encode() if event_id else b""
    return Message(event_id, b"data: %b\n%b\n" % (encoded, identifier))


def heartbeat_frame(encoded: bytes) -> bytes:
    """Frame a heartbeat: invisible to onmessage, visible to a watchdog."""
    return b"event: heartbeat\ndata: %b\n\n" % encoded


def with_retry(frame: bytes, retry_ms: int) -> bytes:
    """Put the reconnection time (milliseconds) into a data frame; never a frame of its own."""
    return b"retry: %d\n%b" % (retry_ms, frame)


def busy_frame(encoded: bytes, retry_ms: int) -> bytes:
    """Frame the goodbye of a stream that ends before its job does."""
    return with_retry(b"data: %b\n\n" % encoded, retry_ms)
