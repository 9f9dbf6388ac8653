"""Frames of Server-Sent Events (WHATWG HTML §9.2.6). Pure.

`retry:`? `data:` `id:`?, a blank line. The id stands last: some readers (@microsoft/fetch-event-source) come back with
an id as soon as they have read its line, and a cut between an id and its data would lose the event in silence.

No `event:` line but for the heartbeat (so plain onmessage gets everything else, and a message of type `error` does not
fire EventSource's own onerror). Every blank line ends a frame that has data: a comment block becomes an empty message
in some parsers. Never an empty `id:`, which would reset the cursor.
"""

from gateway.streaming.socket_frames import text_frame, with_id
from shared.event_id import EventId
from shared.events import is_terminal_message


class Message:
    """One message on its way to viewers: made once, shared by all of a job's viewers, whatever stream they have.

    No id: it moves no cursor. `encoded` is its JSON, `frame` what a stream of one job sends of it. `names_job`: the
    JSON says whose message it is. `written_at_ms` is its writer's time (since 1970) for a live message, None for what
    comes from the log.
    """

    __slots__ = (
        "_data_line", "_names_job", "_socket_frame", "encoded", "event_id", "frame", "is_terminal", "written_at_ms",
    )  # fmt: skip

    def __init__(
        self,
        event_id: EventId | None,
        encoded: bytes,
        *,
        is_terminal: bool = False,
        names_job: bool = False,
        written_at_ms: float | None = None,
    ) -> None:
        self.event_id = event_id
        self.encoded = encoded
        self.is_terminal = is_terminal
        self.written_at_ms = written_at_ms
        self.frame = b"data: %b\nid: %d-%d\n\n" % (encoded, *event_id) if event_id else b"data: %b\n\n" % encoded
        self._names_job = names_job
        self._data_line: bytes | None = None
        self._socket_frame: bytes | None = None

    @property
    def socket_frame(self) -> bytes:
        """Its frame in WebSockets of one job: made for the first such viewer, shared by the others."""
        if self._socket_frame is None:
            encoded = with_id(self.encoded, self.event_id.encode()) if self.event_id else self.encoded
            self._socket_frame = text_frame(encoded)
        return self._socket_frame

    def data_line_of(self, job_id: str) -> bytes:
        """Give the data of its frame in streams of many jobs: made for the first such viewer, shared by the others."""
        if self._data_line is None:
            encoded = self.encoded if self._names_job else b'{"job_id":"%b",%b' % (job_id.encode(), self.encoded[1:])
            self._data_line = b"data: %b\n" % encoded
        return self._data_line


def event_message(event_id: EventId, encoded: bytes, *, written_at_ms: float | None = None) -> Message:
    """Make a message of an event of the log."""
    return Message(event_id, encoded, is_terminal=is_terminal_message(encoded), written_at_ms=written_at_ms)


def snapshot_message(event_id: EventId | None, encoded: bytes) -> Message:
    """Make a message of a snapshot; without an id when a terminal message follows it."""
    return Message(event_id, encoded, names_job=True)


def frame_in_many(message: Message, job_id: str, vector: bytes | None) -> bytes:
    """Frame a message in a stream of many jobs, as frame_of_many() does."""
    return frame_of_many(message.data_line_of(job_id), vector)


def socket_frame_in_many(message: Message, job_id: str, vector: bytes | None) -> bytes:
    """Frame a message in a WebSocket of many jobs; its id is the vector, as in a stream."""
    encoded = message.data_line_of(job_id)[len(b"data: ") : -1]
    return text_frame(encoded if vector is None else with_id(encoded, vector))


def frame_of_many(data_line: bytes, vector: bytes | None) -> bytes:
    """Frame a message in a stream of many jobs; its id is the whole vector of cursors, None when it moves none."""
    return b"%b\n" % data_line if vector is None else b"%bid: %b\n\n" % (data_line, vector)


def heartbeat_frame(encoded: bytes) -> bytes:
    """Frame a heartbeat: invisible to onmessage, visible to a watchdog."""
    return b"event: heartbeat\ndata: %b\n\n" % encoded


def with_retry(frame: bytes, retry_ms: int) -> bytes:
    """Put the reconnection time (milliseconds) into a data frame; never a frame of its own."""
    return b"retry: %d\n%b" % (retry_ms, frame)


def busy_frame(encoded: bytes, retry_ms: int) -> bytes:
    """Frame the goodbye of a stream that ends before its job does."""
    return with_retry(b"data: %b\n\n" % encoded, retry_ms)
