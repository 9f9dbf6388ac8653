"""Which processors live: each says so every few seconds. Outside job state: nothing of a job depends on it.

A processor that dies falls silent, and is forgotten after SIGN_COUNTS_MS; with the last one the keys go.
"""

from typing import Any, NamedTuple, cast

import msgspec

from shared import limits
from shared.jobstore import keys, script
from shared.jobstore.access import Commands
from shared.jobstore.record import encode_json


class Sign(msgspec.Struct, frozen=True):
    """What a processor says of itself: its job slots, and how many of them it would fill now.

    The latter is 0 while its stores cannot be used, and once it stops.
    """

    slots: int
    open_slots: int


class LivingProcessor(NamedTuple):
    """A processor that lives, and how long ago it last said so."""

    name: str
    slots: int
    open_slots: int
    silent_ms: int


class Fleet:
    """All processors. Every method raises RedisUnavailable when Redis does not answer in time."""

    def __init__(self, connection: Commands) -> None:
        self._connection = connection

    async def say(self, processor: str, sign: Sign) -> None:
        """Note that a processor lives."""
        names = [keys.SIGNS_OF_LIFE, keys.SIGNS_SAY]
        arguments = (processor, encode_json(sign), limits.SIGN_COUNTS_MS)
        await self._connection.run_script(script.SIGN_OF_LIFE, names, *arguments)

    async def leave(self, processor: str) -> None:
        """Forget a processor that ends."""
        await self._connection.execute("ZREM", keys.SIGNS_OF_LIFE, processor)
        await self._connection.execute("HDEL", keys.SIGNS_SAY, processor)

    async def processors(self) -> list[LivingProcessor]:
        """List the processors that live, those that have been silent for longest first; at most 10,000 of them."""
        names = [keys.SIGNS_OF_LIFE, keys.SIGNS_SAY]
        arguments = (limits.SIGN_COUNTS_MS, limits.MAX_LIVING_PROCESSORS)
        reply = await self._connection.run_script(script.PROCESSORS, names, *arguments)
        found = [_read(*entry) for entry in cast("list[Any]", reply)]
        return [processor for processor in found if processor is not None]


def _read(name: bytes, said: bytes, silent_ms: int) -> LivingProcessor | None:
    """Read a sign of life; one of another version, or of a stranger, counts as none."""
    try:
        sign = msgspec.json.decode(said, type=Sign)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return LivingProcessor(name.decode(errors="replace"), sign.slots, sign.open_slots, silent_ms)
