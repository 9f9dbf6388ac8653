"""The id of an event, `<epoch>-<seq>`: the stream id in Redis, the SSE id on the wire, the viewer's cursor.

`seq` counts 1, 2, 3 … over the whole life of a job, whatever happens to it; `epoch` is the generation of the claim that
wrote the event. So ids rise in both parts together, and a hole between two events is arithmetic.
"""

import re
from typing import NamedTuple, Self

PATTERN = "^(0|[1-9][0-9]{0,9})-(0|[1-9][0-9]{0,14})$"
"""The one form of an id, for readers of the API too."""
_FORM = re.compile(PATTERN, re.ASCII)


class EventId(NamedTuple):
    """A place in a job's event log; compares in log order."""

    epoch: int
    seq: int

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read `text` as an id; None when it is not in the one canonical form (at most 10 and 15 digits)."""
        match = _FORM.fullmatch(text)
        return cls(int(match[1]), int(match[2])) if match else None

    def __str__(self) -> str:
        return f"{self.epoch}-{self.seq}"

    def encode(self) -> bytes:
        """Give the id as Redis and SSE frames carry it."""
        return b"%d-%d" % self

    def is_followed_by(self, other: "EventId") -> bool:
        """Tell whether `other` is the very next event: nothing is missing between the two."""
        return other.seq == self.seq + 1 and other.epoch >= self.epoch


START = EventId(0, 0)
"""The cursor before every event: `0-0` asks for the whole log."""
