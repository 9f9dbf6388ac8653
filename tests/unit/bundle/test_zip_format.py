import struct
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.bundle.zip_format import StoredEntry, central_header, dos_timestamp, end_records, local_header

BORDER = 0xFFFFFFFF


def entry(size_bytes: int) -> StoredEntry:
    return StoredEntry(b"a.bin", size_bytes, crc32=0xDEADBEEF, dos_date=0x5772, dos_time=0xB1C3)


def test_local_header_of_a_small_file_is_the_specified_bytes() -> None:
    header = local_header(entry(1000))

    assert header == b"PK\3\4" + struct.pack(
        "<5H3L2H", 20, 0x800, 0, 0xB1C3, 0x5772, 0xDEADBEEF, 1000, 1000, 5, 0
    ) + b"a.bin"  # fmt: skip


def test_no_header_announces_a_data_descriptor() -> None:
    flags = struct.unpack_from("<H", local_header(entry(5)), 6)[0]

    assert flags & 1 << 3 == 0


@pytest.mark.parametrize(("size_bytes", "is_zip64"), [(BORDER - 1, False), (BORDER, True), (BORDER + 1, True)])
def test_local_header_uses_zip64_exactly_when_the_size_does_not_fit(size_bytes: int, is_zip64: bool) -> None:
    header = local_header(entry(size_bytes))

    version, size, extra_bytes = (
        struct.unpack_from("<H16xL4xH", header, 4)[0],
        *struct.unpack_from("<L4x2xH", header, 18),
    )
    assert (version, size, extra_bytes) == ((45, BORDER, 20) if is_zip64 else (20, size_bytes, 0))
    if is_zip64:
        assert header[-20:] == struct.pack("<2H2Q", 1, 16, size_bytes, size_bytes)


@pytest.mark.parametrize(
    ("size_bytes", "offset", "extra"),
    [
        (BORDER - 1, BORDER - 1, []),
        (BORDER, 0, [BORDER, BORDER]),
        (7, BORDER, [BORDER]),
        (2**40, 2**41, [2**40, 2**40, 2**41]),
    ],
)
def test_central_header_moves_only_what_does_not_fit(size_bytes: int, offset: int, extra: list[int]) -> None:
    header = central_header(entry(size_bytes), offset)

    fixed = struct.unpack_from("<4s6H3L5H2L", header)
    packed = struct.pack(f"<2H{len(extra)}Q", 1, 8 * len(extra), *extra) if extra else b""
    assert header[46:] == b"a.bin" + packed
    assert fixed[2] == (45 if extra else 20)
    assert fixed[8:10] == (min(size_bytes, BORDER),) * 2
    assert fixed[16] == min(offset, BORDER)
    assert fixed[15] >> 16 == 0o100644


@pytest.mark.parametrize(
    ("entries", "directory_bytes", "directory_offset", "is_zip64"),
    [
        (0xFFFE, BORDER - 1, BORDER - 1, False),
        (0xFFFF, 1, 1, True),
        (1, BORDER, 1, True),
        (1, 1, BORDER, True),
    ],
)
def test_end_records_use_zip64_exactly_when_a_number_does_not_fit(
    entries: int, directory_bytes: int, directory_offset: int, is_zip64: bool
) -> None:
    records = end_records(entries=entries, directory_bytes=directory_bytes, directory_offset=directory_offset)

    assert len(records) == (56 + 20 + 22 if is_zip64 else 22)
    end = struct.unpack("<4s4H2LH", records[-22:])
    assert end[3:7] == (
        min(entries, 0xFFFF),
        min(entries, 0xFFFF),
        min(directory_bytes, BORDER),
        min(directory_offset, BORDER),
    )
    if is_zip64:
        assert struct.unpack_from("<4sQ2H2L4Q", records)[6:] == (entries, entries, directory_bytes, directory_offset)
        assert struct.unpack_from("<4sLQL", records, 56) == (b"PK\6\7", 0, directory_offset + directory_bytes, 1)


def as_datetime(stamp: tuple[int, int]) -> datetime:
    date, time = stamp
    clock = (time >> 11, time >> 5 & 63, (time & 31) * 2)
    return datetime((date >> 9) + 1980, date >> 5 & 15, date & 31, *clock, tzinfo=UTC)


@given(st.datetimes(datetime(1980, 1, 1), datetime(2107, 12, 31, 23, 59, 59)))  # noqa: DTZ001 (hypothesis wants naive ones)
def test_dos_timestamp_is_the_time_in_utc_to_two_seconds(at: datetime) -> None:
    at = at.replace(tzinfo=UTC, microsecond=0)

    read = as_datetime(dos_timestamp(int(at.timestamp()) * 1000))

    assert 0 <= (at - read).total_seconds() < 2


@pytest.mark.parametrize(
    ("at_ms", "expected"),
    [
        (-(10**15), datetime(1980, 1, 1, tzinfo=UTC)),
        (0, datetime(1980, 1, 1, tzinfo=UTC)),
        (10**15, datetime(2107, 12, 31, 23, 59, 58, tzinfo=UTC)),
    ],
)
def test_dos_timestamp_stops_at_the_ends_of_its_calendar(at_ms: int, expected: datetime) -> None:
    assert as_datetime(dos_timestamp(at_ms)) == expected
