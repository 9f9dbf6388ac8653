"""The CRC-32 of a source: as its store knows it, or read, and computed in threads where zlib frees the interpreter.

A store's own word is enough for the plan: copying computes the CRC again, and ends the run when it is another one.
"""

import zlib
from collections.abc import Callable

from shared.objects.info import ObjectInfo
from shared.objects.store import ObjectStore
from shared.objects.threads import in_thread

BUFFER_BYTES = 4 * 1024 * 1024  # a millisecond of CRC: ten times the cost of a thread hop
SMALL_BYTES = 64 * 1024  # 20 µs of CRC: a fifth of the cost of a thread hop


async def crc32_of(store: ObjectStore, info: ObjectInfo, watch: Callable[[int], None]) -> int:
    """Give the CRC-32 of an object; holds at most BUFFER_BYTES of it. `watch` is told how many more bytes are done.

    Raises ObjectMissing or ObjectChanged when the object is not the one of `info` any more.
    """
    if info.crc32 is not None:
        watch(info.size_bytes)
        return info.crc32
    crc32, start = 0, 0
    buffer = memoryview(bytearray(min(BUFFER_BYTES, info.size_bytes)))
    while start < info.size_bytes:
        view = buffer[: info.size_bytes - start]
        await store.read_into(info.key, view, etag=info.etag, start_byte=start)
        is_small = len(view) <= SMALL_BYTES
        crc32 = zlib.crc32(view, crc32) if is_small else await in_thread(zlib.crc32, view, crc32)
        start += len(view)
        watch(len(view))
    return crc32
