"""What stands in a partition's command stream, and in whose hands, as operators are shown it. Pure."""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

PARKED = "parked"
"""The consumer of entries that wait for their next try."""
READY = "ready"
"""The consumer of entries that are to be taken up again."""


class Holder(NamedTuple):
    """A processor as Redis knows it: how many entries it holds, and how long ago it was heard of (milliseconds)."""

    name: str
    entries: int
    idle_ms: int


class Waiting(NamedTuple):
    """An entry that waits for a processor; `since_ms` is when it was written (milliseconds since 1970)."""

    job_id: str
    since_ms: int


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """One partition, at `at_ms` on Redis' clock (milliseconds since 1970).

    `unfinished` counts all entries, `pending` those that were handed out: running, `parked` or `ready`. `holders` are
    the processors that hold entries or were heard of lately, `others` counts the names of those that were not. `unread`
    and `to_take_up` are the first entries that wait, the oldest first.
    """

    partition: int
    at_ms: int
    unfinished: int = 0
    dead_letters: int = 0
    has_group: bool = False
    pending: int = 0
    parked: int = 0
    ready: int = 0
    others: int = 0
    holders: tuple[Holder, ...] = ()
    unread: tuple[Waiting, ...] = ()
    to_take_up: tuple[Waiting, ...] = ()

    @property
    def waiting(self) -> int:
        """Entries that no processor has read yet."""
        return self.unfinished - self.pending

    @property
    def running(self) -> int:
        """Entries in processors' hands."""
        return self.pending - self.parked - self.ready

    @property
    def oldest_waiting_ms(self) -> int:
        """How long the oldest entry has waited to be read; 0 when none waits."""
        return max(0, self.at_ms - self.unread[0].since_ms) if self.unread else 0


class Hold(NamedTuple):
    """Where a job's own entry stands: `holder` is a consumer, None while nobody has read it."""

    entry_id: str
    holder: str | None = None
    idle_ms: int = 0


def together(queues: Iterable[Queue]) -> list[Holder]:
    """Give the processors of several partitions, those that were heard of last first."""
    found: dict[str, Holder] = {}
    for holder in (holder for queue in queues for holder in queue.holders):
        known = found.get(holder.name, Holder(holder.name, 0, holder.idle_ms))
        found[holder.name] = Holder(holder.name, known.entries + holder.entries, min(known.idle_ms, holder.idle_ms))
    return sorted(found.values(), key=lambda holder: (holder.idle_ms, holder.name))
