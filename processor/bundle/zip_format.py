"""The bytes of a ZIP archive whose files are stored, not compressed: PKWARE APPNOTE.TXT 6.3.10. Pure.

    [local header][file] [local header][file] … [central headers][ZIP64 end record, locator][end record]

Sizes and CRCs are known before the first byte, so there are no data descriptors (§4.3.9): with a stored file they leave
a streaming reader unable to tell where the file ends. ZIP64 (§4.5.3) is used only where a number does not fit.
"""

import struct
from datetime import UTC, datetime

import msgspec

MAX_UINT16 = 0xFFFF  # these two values mean "look into the ZIP64 field" (§4.4.1.4), so they are not numbers themselves
MAX_UINT32 = 0xFFFFFFFF

_LOCAL_HEADER = struct.Struct("<4s5H3L2H")
_CENTRAL_HEADER = struct.Struct("<4s6H3L5H2L")
_ZIP64_END = struct.Struct("<4sQ2H2L4Q")
_ZIP64_LOCATOR = struct.Struct("<4sLQL")
_END = struct.Struct("<4s4H2LH")

_VERSION_STORED = 20  # §4.4.3.2: 2.0 knows directories in names
_VERSION_ZIP64 = 45
_MADE_BY = 3 << 8 | 63  # §4.4.2: UNIX, so that the mode below is believed; after version 6.3 of the specification
_FLAG_UTF8 = 1 << 11  # §4.4.4 bit 11
_METHOD_STORED = 0  # §4.4.5
_ZIP64_EXTRA_ID = 0x0001  # §4.5.3
_MODE = 0o100644 << 16  # a regular file that its owner may write

_FIRST_SECOND = datetime(1980, 1, 1, tzinfo=UTC)
_LAST_SECOND = datetime(2107, 12, 31, 23, 59, 58, tzinfo=UTC)


class StoredEntry(msgspec.Struct, frozen=True):
    """What the headers say of one file; `dos_date` and `dos_time` as `dos_timestamp` gives them."""

    name: bytes
    size_bytes: int
    crc32: int
    dos_date: int
    dos_time: int


def dos_timestamp(at_ms: int) -> tuple[int, int]:
    """Give MS-DOS date and time (§4.4.6) of a time in milliseconds since 1970: in UTC, to two seconds, 1980 to 2107."""
    seconds = min(max(at_ms // 1000, int(_FIRST_SECOND.timestamp())), int(_LAST_SECOND.timestamp()))
    at = datetime.fromtimestamp(seconds, UTC)
    return (at.year - 1980) << 9 | at.month << 5 | at.day, at.hour << 11 | at.minute << 5 | at.second // 2


def local_header(entry: StoredEntry) -> bytes:
    """Give the header right before the file's bytes (§4.3.7).

    When the size needs ZIP64, the extra field holds both sizes, as §4.5.3 demands of local headers.
    """
    is_large = entry.size_bytes >= MAX_UINT32
    extra = _zip64_extra([entry.size_bytes, entry.size_bytes] if is_large else [])
    size = MAX_UINT32 if is_large else entry.size_bytes
    fields = _LOCAL_HEADER.pack(
        b"PK\3\4",
        _VERSION_ZIP64 if is_large else _VERSION_STORED,
        _FLAG_UTF8,
        _METHOD_STORED,
        entry.dos_time,
        entry.dos_date,
        entry.crc32,
        size,
        size,
        len(entry.name),
        len(extra),
    )
    return fields + entry.name + extra


def central_header(entry: StoredEntry, offset: int) -> bytes:
    """Give the file's header in the central directory (§4.3.12); its local header starts at byte `offset`."""
    is_large = entry.size_bytes >= MAX_UINT32
    is_far = offset >= MAX_UINT32
    size = MAX_UINT32 if is_large else entry.size_bytes
    # Only the numbers that did not fit, in this order (§4.5.3).
    extra = _zip64_extra([entry.size_bytes] * 2 * is_large + [offset] * is_far)
    fields = _CENTRAL_HEADER.pack(
        b"PK\1\2",
        _MADE_BY,
        _VERSION_ZIP64 if extra else _VERSION_STORED,
        _FLAG_UTF8,
        _METHOD_STORED,
        entry.dos_time,
        entry.dos_date,
        entry.crc32,
        size,
        size,
        len(entry.name),
        len(extra),
        0,  # comment length
        0,  # disk number
        0,  # internal attributes
        _MODE,
        MAX_UINT32 if is_far else offset,
    )
    return fields + entry.name + extra


def end_records(*, entries: int, directory_bytes: int, directory_offset: int) -> bytes:
    """Give what follows the central directory: its end record (§4.3.16), after ZIP64's two (§4.3.14-15) if needed."""
    end = _END.pack(
        b"PK\5\6",
        0,  # number of this disk
        0,  # disk of the directory's start
        min(entries, MAX_UINT16),
        min(entries, MAX_UINT16),
        min(directory_bytes, MAX_UINT32),
        min(directory_offset, MAX_UINT32),
        0,  # comment length
    )
    if entries < MAX_UINT16 and directory_bytes < MAX_UINT32 and directory_offset < MAX_UINT32:
        return end
    zip64_end = _ZIP64_END.pack(
        b"PK\6\6",
        _ZIP64_END.size - 12,  # §4.3.14.1: without the signature and this field
        _MADE_BY,
        _VERSION_ZIP64,
        0,  # number of this disk
        0,  # disk of the directory's start
        entries,
        entries,
        directory_bytes,
        directory_offset,
    )
    return zip64_end + _ZIP64_LOCATOR.pack(b"PK\6\7", 0, directory_offset + directory_bytes, 1) + end


def _zip64_extra(numbers: list[int]) -> bytes:
    if not numbers:
        return b""
    return struct.pack(f"<2H{len(numbers)}Q", _ZIP64_EXTRA_ID, 8 * len(numbers), *numbers)
