"""Which node of a cluster serves which slot, as CLUSTER SLOTS tells it. Pure."""

from bisect import bisect_right
from collections.abc import Iterable
from typing import Any, NamedTuple, cast

from redis.crc import key_slot

from shared.jobstore.location import Address


class SlotRange(NamedTuple):
    """Slots from `first` to `last`, both included, and their master."""

    first: int
    last: int
    master: Address


class SlotMap:
    """All slots that are served."""

    def __init__(self, ranges: Iterable[SlotRange] = ()) -> None:
        self._ranges = sorted(ranges)
        self.masters = frozenset(slots.master for slots in self._ranges)

    def master_of(self, slot: int) -> Address | None:
        """Give the master of a slot; None when nobody serves it."""
        place = bisect_right(self._ranges, slot, key=lambda slots: slots.first) - 1
        if place < 0 or slot > self._ranges[place].last:
            return None
        return self._ranges[place].master


def slot_of(key: str) -> int:
    """Give the slot of a key or channel: CRC16 of what stands in its braces (Redis Cluster specification)."""
    return key_slot(key.encode())


def parse_slots(reply: object, *, asked: Address) -> SlotMap:
    """Read the reply of CLUSTER SLOTS. A node that does not know its own name leaves it out: it is the one `asked`."""
    ranges = []
    for first, last, master, *_replicas in cast("list[Any]", reply):
        host, port = master[0], master[1]
        ranges.append(SlotRange(first, last, Address(host.decode() if host else asked.host, port)))
    return SlotMap(ranges)
