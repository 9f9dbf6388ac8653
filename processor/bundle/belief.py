"""Which parts of an earlier run's upload are those of the plan, and need not be uploaded again. Pure."""

import zlib
from collections.abc import Sequence
from typing import NamedTuple

from processor.bundle.crc_combine import combine
from processor.bundle.plan import BundlePlan, FilePiece, Part
from shared.objects.info import PartTag


class KeptPart(NamedTuple):
    """A part of the plan that is in the store already."""

    part: Part
    tag: PartTag


def kept_parts(plan: BundlePlan, listed: Sequence[PartTag]) -> list[KeptPart] | None:
    """Give the parts that need not be uploaded again; None when the upload cannot be one of this plan.

    It cannot with a part that the plan does not have, or that has another size. One whose CRC-32 is known to be another
    is only uploaded again.
    """
    tags = {tag.number: tag for tag in listed}
    kept: list[KeptPart] = []
    for part in plan.parts():
        tag = tags.pop(part.number, None)
        if tag is None:
            continue
        if tag.size_bytes != part.length_bytes:
            return None
        if tag.crc32 is None or planned_crc32(part) in (None, tag.crc32):
            kept.append(KeptPart(part, tag))
    return None if tags else kept


def planned_crc32(part: Part) -> int | None:
    """Give the CRC-32 that a part must have; None when it holds a piece of a file, whose CRC-32 nobody knows."""
    crc32 = 0
    for span in part.spans:
        if not isinstance(span, FilePiece):
            crc32 = zlib.crc32(span.content, crc32)
        elif span.length_bytes == span.file.source.size_bytes:
            crc32 = combine(crc32, span.file.source.crc32, span.length_bytes)
        else:
            return None
    return crc32
