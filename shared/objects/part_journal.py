"""The journal of an upload in a directory: which of its parts are on the disk, a line for each. Pure.

    <number> <bytes> <CRC-32, 8 hexadecimal digits, or ->

A part's line is written once the part is on the disk. Each line brings the line break before it, so that what a crash
left of the last line cannot become part of the next one.
"""

import re
from collections.abc import Iterator

from shared import limits
from shared.objects.info import PartTag

_LINE = re.compile(r"([1-9][0-9]{0,4}) ([1-9][0-9]{0,15}) ([0-9a-f]{8}|-)")


def line_of(part: PartTag) -> bytes:
    """Write the line of a part."""
    crc32 = "-" if part.crc32 is None else f"{part.crc32:08x}"
    return f"\n{part.number} {part.size_bytes} {crc32}".encode()


def parts_in(journal: bytes) -> list[PartTag]:
    """Give the parts in the order of their numbers; of one that was written again, the last time counts."""
    return [part for _, part in sorted({part.number: part for part in _parts(journal)}.items())]


def _parts(journal: bytes) -> Iterator[PartTag]:
    for line in journal.decode("ascii", errors="replace").split("\n"):
        if (found := _LINE.fullmatch(line)) and int(found[1]) <= limits.MAX_PARTS:
            yield PartTag(int(found[1]), int(found[2]), crc32=None if found[3] == "-" else int(found[3], 16))
