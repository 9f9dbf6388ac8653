"""The proof that what was copied is what was planned, from the CRC-32 of the bytes that are sent. Pure.

Parts end in any order; their CRCs are put together in the order of the archive, so that each file is checked when its
last byte is there, and then the whole archive.
"""

import zlib

import msgspec

from processor.bundle.crc_combine import combine
from processor.bundle.plan import BundlePlan, FilePiece, Part, SourceFile


class PartCrcs(msgspec.Struct, frozen=True):
    """The CRC-32 of a part, and of each piece of a file in it."""

    part: Part
    crc32: int
    pieces: tuple[tuple[FilePiece, int], ...]


def crcs_of(part: Part, content: memoryview) -> PartCrcs:
    """Compute the CRCs of a part from its bytes, reading each file's once. CPU work: for a thread."""
    crc32 = 0
    pieces: list[tuple[FilePiece, int]] = []
    for span, span_content in part.laid_over(content):
        if isinstance(span, FilePiece):
            pieces.append((span, zlib.crc32(span_content)))
            crc32 = combine(crc32, pieces[-1][1], span.length_bytes)
        else:
            crc32 = zlib.crc32(span_content, crc32)
    return PartCrcs(part, crc32, tuple(pieces))


class Verification:
    """The check of one transfer."""

    def __init__(self, plan: BundlePlan) -> None:
        self._plan = plan
        self._waiting: dict[int, PartCrcs] = {}
        self._next_number = 1
        self._archive_crc32 = 0
        self._archive_bytes = 0
        self._file_crc32 = 0

    def add(self, crcs: PartCrcs) -> SourceFile | None:
        """Take the CRCs of a part; give the first file that is known by now to be another one than planned, if any."""
        self._waiting[crcs.part.number] = crcs
        while following := self._waiting.pop(self._next_number, None):
            self._next_number += 1
            self._archive_crc32 = combine(self._archive_crc32, following.crc32, following.part.length_bytes)
            self._archive_bytes += following.part.length_bytes
            for piece, crc32 in following.pieces:
                if not self._is_as_planned(piece, crc32):
                    return piece.file.source
        return None

    @property
    def is_complete(self) -> bool:
        """Tell whether the whole archive was copied, and is the planned one."""
        return (self._archive_bytes, self._archive_crc32) == (self._plan.size_bytes, self._plan.archive_crc32)

    def _is_as_planned(self, piece: FilePiece, crc32: int) -> bool:
        """Follow the file through its pieces; False when the last one shows that it is another file."""
        is_first = piece.start_byte == 0
        self._file_crc32 = crc32 if is_first else combine(self._file_crc32, crc32, piece.length_bytes)
        is_last = piece.start_byte + piece.length_bytes == piece.file.source.size_bytes
        return not is_last or self._file_crc32 == piece.file.source.crc32
