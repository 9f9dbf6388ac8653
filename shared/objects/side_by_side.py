"""Calls about many objects, for a store that knows calls about one and is far away: a few of these side by side."""

from collections.abc import Sequence
from contextlib import suppress

from shared import limits
from shared.errors import ObjectMissing
from shared.for_each import for_each
from shared.objects.info import ObjectInfo, Reading
from shared.objects.store import ObjectStore


async def head_each(store: ObjectStore, keys: Sequence[str]) -> list[ObjectInfo | None]:
    """Describe objects in the order of their keys; None is for one that is missing. Raises any other ObjectError."""
    found: list[ObjectInfo | None] = [None] * len(keys)

    async def look(position: int) -> None:
        with suppress(ObjectMissing):
            found[position] = await store.head(keys[position])

    await for_each(range(len(keys)), look, at_once=limits.STORE_LOOK_UPS_AT_ONCE)
    return found


async def read_each_into(store: ObjectStore, readings: Sequence[Reading]) -> None:
    """Fill the views. Raises what the first read raises that fails; the others have ended by then."""

    async def read(reading: Reading) -> None:
        await store.read_into(reading.key, reading.view, etag=reading.etag, start_byte=reading.start_byte)

    await for_each(readings, read, at_once=limits.STORE_READS_AT_ONCE)
