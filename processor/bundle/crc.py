"""The CRC-32 of a source: as its store knows it, or read, and computed in threads where zlib frees the interpreter.

A store's own word is enough for the plan: copying computes the CRC again, and ends the run when it is another one.
"""

import zlib
from collections.abc import Callable, Sequence

from shared.objects.info import ObjectInfo, Reading
from shared.objects.store import ObjectStore
from shared.objects.threads import in_thread

BUFFER_BYTES = 4 * 1024 * 1024  # a millisecond of CRC: ten times the cost of a thread hop


async def crc32s_of(store: ObjectStore, infos: Sequence[ObjectInfo], watch: Callable[[int], None]) -> list[int]:
    """Give the CRC-32 of one object, or of several that have BUFFER_BYTES together at most; holds no more of them.

    `watch` is told how many more bytes are done. Raises ObjectMissing or ObjectChanged when an object is not the one of
    its `info` any more.
    """
    unread = [info for info in infos if info.crc32 is None and info.size_bytes]
    if unread and unread[0].size_bytes > BUFFER_BYTES:
        crcs = {unread[0].key: await _crc32_of_large(store, unread[0], watch)}
    else:
        crcs = await _crc32s_of_small(store, unread)
        watch(sum(info.size_bytes for info in infos))
    return [info.crc32 if info.crc32 is not None else crcs.get(info.key, 0) for info in infos]


async def _crc32s_of_small(store: ObjectStore, infos: Sequence[ObjectInfo]) -> dict[str, int]:
    """Read objects side by side in one buffer."""
    buffer = memoryview(bytearray(sum(info.size_bytes for info in infos)))
    readings: list[Reading] = []
    for info in infos:
        readings.append(Reading(info.key, info.etag, buffer[: info.size_bytes]))
        buffer = buffer[info.size_bytes :]
    await store.read_many_into(readings)
    return await in_thread(lambda: {reading.key: zlib.crc32(reading.view) for reading in readings})


async def _crc32_of_large(store: ObjectStore, info: ObjectInfo, watch: Callable[[int], None]) -> int:
    crc32, start = 0, 0
    buffer = memoryview(bytearray(BUFFER_BYTES))
    while start < info.size_bytes:
        view = buffer[: info.size_bytes - start]
        await store.read_into(info.key, view, etag=info.etag, start_byte=start)
        crc32 = await in_thread(zlib.crc32, view, crc32)
        start += len(view)
        watch(len(view))
    return crc32
