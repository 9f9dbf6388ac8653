import zlib

from hypothesis import given
from hypothesis import strategies as st

from processor.bundle.crc_combine import combine

CRCS = st.integers(0, 2**32 - 1)
LENGTHS = st.integers(0, 2**45)


@given(st.binary(), st.binary())
def test_combined_crc_is_that_of_the_joined_bytes(first: bytes, second: bytes) -> None:
    assert combine(zlib.crc32(first), zlib.crc32(second), len(second)) == zlib.crc32(first + second)


def test_appending_nothing_keeps_the_crc() -> None:
    assert combine(0x12345678, 0, 0) == 0x12345678


@given(CRCS, CRCS, LENGTHS, CRCS, LENGTHS)
def test_grouping_does_not_matter_for_lengths_of_terabytes(a: int, b: int, b_bytes: int, c: int, c_bytes: int) -> None:
    left = combine(combine(a, b, b_bytes), c, c_bytes)

    assert left == combine(a, combine(b, c, c_bytes), b_bytes + c_bytes)
