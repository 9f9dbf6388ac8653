"""Archives made in memory from a plan and made-up contents."""

import random
import zlib
from collections.abc import Sequence

from processor.bundle.plan import BundlePlan, FilePiece, Part, SourceFile, Span

MODIFIED_AT_MS = 1_700_000_000_000


def source(file_id: int, name: str, content: bytes, modified_at_ms: int = MODIFIED_AT_MS) -> SourceFile:
    """Describe a file with this content."""
    return fake_source(file_id, name, len(content), crc32=zlib.crc32(content), modified_at_ms=modified_at_ms)


def fake_source(
    file_id: int, name: str, size_bytes: int, *, crc32: int = 0, modified_at_ms: int = MODIFIED_AT_MS
) -> SourceFile:
    """Describe a file of any size that does not exist."""
    return SourceFile(
        file_id=file_id,
        key=f"files/{file_id}",
        name=name,
        size_bytes=size_bytes,
        etag=f"etag-{file_id}",
        modified_at_ms=modified_at_ms,
        crc32=crc32 if size_bytes else 0,
    )


def fill(spans: Sequence[Span], contents: dict[int, bytes]) -> bytes:
    """Give the bytes that these spans stand for; `contents` by file id."""
    return b"".join(
        contents[span.file.source.file_id][span.start_byte : span.start_byte + span.length_bytes]
        if isinstance(span, FilePiece)
        else span.content
        for span in spans
    )


def build(plan: BundlePlan, contents: dict[int, bytes]) -> bytes:
    """Give the whole archive."""
    return fill(tuple(plan.spans()), contents)


def build_part(part: Part, contents: dict[int, bytes]) -> memoryview:
    """Give the bytes of one part."""
    return memoryview(fill(part.spans, contents))


def noise(size_bytes: int, seed: int = 1) -> bytes:
    """Give bytes in which a shift or a swap shows."""
    return random.Random(seed).randbytes(size_bytes)
