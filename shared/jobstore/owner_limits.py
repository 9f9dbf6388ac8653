"""What an owner may do, counted in Redis so that all gateways agree: creates in a minute, and streams at once.

    creates   a sorted set for each owner: one member for each create of the last minute
    streams   a hash for each owner: how many each gateway has open, under a lease that it renews

Outside job state: both keys are in slots of their own, and gone when nothing is counted in them. The jobs in flight are
counted with the jobs (in_flight.py).
"""

import hashlib
from typing import NamedTuple, cast

from shared import limits
from shared.jobstore import keys, script
from shared.jobstore.access import Commands
from shared.jobstore.record import as_words


class Pace(NamedTuple):
    """Whether a create was counted, how many more there is room for now, and how long until for one more (ms)."""

    is_counted: bool
    left: int
    next_ms: int


class OwnerLimits:
    """The counts of all owners. Raises as the job store does, and may be repeated as its operations may."""

    def __init__(self, connection: Commands) -> None:
        self._connection = connection

    async def count_create(self, owner: str, name: str, *, most: int) -> Pace:
        """Count a create, if there were fewer than `most` in the last minute; a `name` that was counted is none."""
        word, (*left, next_ms) = as_words(
            await self._connection.run_script(
                script.COUNT_CREATE, [_creates_of(owner)], name, most, limits.CREATES_WINDOW_MS
            )
        )
        return Pace(word == "OK", left[0] if left else 0, next_ms)

    async def uncount_create(self, owner: str, name: str) -> None:
        """Forget a create that came to nothing."""
        await self._connection.execute("ZREM", _creates_of(owner), name)

    async def hold_streams(self, owner: str, gateway: str, streams: int, *, most: int | None = None) -> bool:
        """Note how many streams of an owner a gateway has open; False, and nothing is noted, when they are too many.

        `most` is for those of all gateways together, None: they are open, and noted in any case. What is noted counts
        for STREAMS_LEASE_MS.
        """
        reply = await self._connection.run_script(
            script.HOLD_STREAMS,
            [keys.owner_streams(_digest(owner))],
            gateway,
            streams,
            limits.STREAMS_LEASE_MS,
            "" if most is None else most,
        )
        return cast("list[bytes]", reply)[0] == b"OK"


def _creates_of(owner: str) -> str:
    return keys.owner_creates(_digest(owner))


def _digest(owner: str) -> str:
    # An owner may have braces in older versions' records, which would choose the slot.
    return hashlib.sha256(owner.encode()).hexdigest()
