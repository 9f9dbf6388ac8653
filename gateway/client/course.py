"""Which way a job is followed, and from where: by a stream, or by asking while streams are mute. Pure: sans I/O.

stream ──2 mute opens, or 3 failed tries in a minute──▶ polling ──30 s, 60 s … 300 s──▶ one stream is tried
   ▲                                                       ▲                                  │    │
   └──────────────────── its first frame ──────────────────┼──────────────────────────────────┘    │
                                                           └────────────── mute again ─────────────┘
"""

from gateway.client.record import Message
from shared import limits
from shared.event_id import EventId

FAILED_OPENS = 3
FAILED_OPENS_WITHIN_MS = 60_000


class Course:
    """The cursor of one reader, and what it has met. `cursor` is None before anything came."""

    def __init__(self, cursor: str | None) -> None:
        self.cursor = cursor
        self._mute_opens = 0
        self._failed_at_ms: list[int] = []
        self._probe_seconds = limits.CLIENT_PROBE_FIRST_SECONDS
        self._probe_at_ms: int | None = None

    def takes(self, message: Message) -> bool:
        """Move on to a message; False for one that was there before. A gap's snapshot is always taken."""
        if message.id is None:
            return True
        new = EventId.parse(message.id)
        old = EventId.parse(self.cursor) if self.cursor is not None else None
        if new is not None and old is not None and new <= old and not message.body.get("gap"):
            return False
        self.cursor = message.id
        return True

    @property
    def is_polling(self) -> bool:
        """Tell whether streams are of no use at this moment."""
        return self._probe_at_ms is not None

    def wants_stream(self, now_ms: int) -> bool:
        """Tell whether a stream is to be opened now."""
        return self._probe_at_ms is None or now_ms >= self._probe_at_ms

    def spoke(self) -> None:
        """Note a frame on a stream: streams work."""
        self._mute_opens = 0
        self._failed_at_ms = []
        self._probe_at_ms = None
        self._probe_seconds = limits.CLIENT_PROBE_FIRST_SECONDS

    def was_mute(self, now_ms: int) -> None:
        """Note a stream whose head came and whose first frame did not: something on the way keeps it back."""
        self._mute_opens += 1
        self._failed(now_ms, gives_up=self._mute_opens >= limits.CLIENT_MUTE_OPENS)

    def failed(self, now_ms: int) -> None:
        """Note a stream that could not be opened, or ended before its first frame."""
        recent = [at_ms for at_ms in self._failed_at_ms if now_ms - at_ms < FAILED_OPENS_WITHIN_MS]
        self._failed_at_ms = [*recent, now_ms]
        self._failed(now_ms, gives_up=len(self._failed_at_ms) >= FAILED_OPENS)

    def _failed(self, now_ms: int, *, gives_up: bool) -> None:
        if gives_up or self.is_polling:
            self._probe_at_ms = now_ms + int(self._probe_seconds * 1000)
            self._probe_seconds = min(limits.CLIENT_PROBE_CAP_SECONDS, self._probe_seconds * 2)
