"""The proof that what was copied is what was planned, from the CRC-32 of the bytes that are sent. Pure.

Parts end in any order; their CRCs are put together in the order of the archive, so that each file is checked when its
last byte is there, and then the whole archive. Of parts that an earlier run has uploaded only their own CRCs are known,
and not in every store: then the files in them are proven by the whole archive, or were by that run alone.
"""

import zlib

import msgspec

from processor.bundle.crc_combine import combine
from processor.bundle.plan import BundlePlan, FilePiece, Part, SourceFile


class PartCrcs(msgspec.Struct, frozen=True):
    """The CRC-32 of a part, and of each piece of a file in it; None is not known."""

    part: Part
    crc32: int | None
    pieces: tuple[tuple[FilePiece, int | None], ...]


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


def kept_crcs_of(part: Part, crc32: int | None) -> PartCrcs:
    """Give what is known of a part that an earlier run has uploaded: its own CRC-32, where its store has kept it."""
    return PartCrcs(part, crc32, tuple((span, None) for span in part.spans if isinstance(span, FilePiece)))


class Verification:
    """The check of one transfer."""

    def __init__(self, plan: BundlePlan) -> None:
        self._plan = plan
        self._waiting: dict[int, PartCrcs] = {}
        self._next_number = 1
        self._archive_crc32: int | None = 0
        self._archive_bytes = 0
        self._file_crc32: int | None = 0

    def add(self, crcs: PartCrcs) -> SourceFile | None:
        """Take the CRCs of a part; give the first file that is known by now to be another one than planned, if any."""
        self._waiting[crcs.part.number] = crcs
        while following := self._waiting.pop(self._next_number, None):
            self._next_number += 1
            self._archive_crc32 = _joined(self._archive_crc32, following.crc32, following.part.length_bytes)
            self._archive_bytes += following.part.length_bytes
            for piece, crc32 in following.pieces:
                if not self._is_as_planned(piece, crc32):
                    return piece.file.source
        return None

    @property
    def is_complete(self) -> bool:
        """Tell whether the whole archive was copied, and is the planned one as far as CRCs are known."""
        is_whole = self._archive_bytes == self._plan.size_bytes
        return is_whole and self._archive_crc32 in (None, self._plan.archive_crc32)

    def _is_as_planned(self, piece: FilePiece, crc32: int | None) -> bool:
        """Follow the file through its pieces; False when the last one shows that it is another file."""
        is_first = piece.start_byte == 0
        self._file_crc32 = crc32 if is_first else _joined(self._file_crc32, crc32, piece.length_bytes)
        is_last = piece.start_byte + piece.length_bytes == piece.file.source.size_bytes
        return not is_last or self._file_crc32 in (None, piece.file.source.crc32)


def _joined(crc32: int | None, following: int | None, length_bytes: int) -> int | None:
    """Give the CRC-32 of two pieces, the second of `length_bytes`; None where that of either is not known."""
    return None if crc32 is None or following is None else combine(crc32, following, length_bytes)
