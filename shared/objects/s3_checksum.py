"""CRC-32 as S3 writes it. Pure."""

import base64
import binascii
from typing import Any

CRC32_BYTES = 4


def encoded(crc32: int) -> str:
    """Write a CRC-32 as S3 does: base64 of its four bytes, the highest first."""
    return base64.b64encode(crc32.to_bytes(4, "big")).decode()


def decoded(text: str) -> int | None:
    """Read a CRC-32 as S3 writes it; None for what is none."""
    try:
        content = base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
    return int.from_bytes(content, "big") if len(content) == CRC32_BYTES else None


def crc32_in(found: Any) -> int | None:
    """Read the CRC-32 of a whole object, where the server has it.

    That of an object made of parts is mostly one of its parts' CRCs ("…-3", COMPOSITE), and some servers leave out the
    number and the type: then only its ETag tells.
    """
    text = found.get("ChecksumCRC32", "")
    is_of_parts = "-" in text or "-" in found["ETag"]
    if not text or found.get("ChecksumType", "COMPOSITE" if is_of_parts else "FULL_OBJECT") != "FULL_OBJECT":
        return None
    return decoded(text)
