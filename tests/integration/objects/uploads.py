"""What tests do with a store again and again."""

from contextlib import aclosing

from shared import limits
from shared.objects.store import ObjectStore

PART_BYTES = 5 * 1024 * 1024  # S3 takes no smaller part, but for the last


async def put(store: ObjectStore, key: str, content: bytes, part_bytes: int = limits.PART_BYTES) -> None:
    """Upload an object in parts."""
    upload = await store.create_upload(key, part_bytes=part_bytes)
    pieces = [content[start : start + part_bytes] for start in range(0, len(content), part_bytes)]
    parts = [await store.upload_part(upload, number, piece) for number, piece in enumerate(pieces, start=1)]
    await store.complete(upload, parts)


async def read_range(store: ObjectStore, key: str, etag: str, start: int, length: int) -> bytes:
    """Read a range in chunks."""
    async with aclosing(store.read(key, etag=etag, start_byte=start, length_bytes=length)) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def read_all(store: ObjectStore, key: str) -> bytes:
    """Read an object into a buffer."""
    info = await store.head(key)
    buffer = bytearray(info.size_bytes)
    await store.read_into(key, memoryview(buffer), etag=info.etag)
    return bytes(buffer)
