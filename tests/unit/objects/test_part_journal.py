import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import limits
from shared.objects.info import PartTag
from shared.objects.part_journal import line_of, parts_in

PARTS = st.builds(
    PartTag,
    number=st.integers(1, limits.MAX_PARTS),
    size_bytes=st.integers(1, 2**32),
    crc32=st.one_of(st.none(), st.integers(0, 2**32 - 1)),
)


@given(st.lists(PARTS, max_size=8))
def test_what_was_written_last_of_each_part_is_read(parts: list[PartTag]) -> None:
    journal = b"".join(map(line_of, parts))

    last = {part.number: part for part in parts}
    assert parts_in(journal) == [last[number] for number in sorted(last)]


@given(PARTS, PARTS)
def test_a_line_that_a_crash_cut_off_makes_no_part_and_spoils_none(torn: PartTag, whole: PartTag) -> None:
    for length in range(len(line_of(torn))):
        found = parts_in(line_of(torn)[:length] + line_of(whole))

        # All of the numbers of a line without a CRC-32 are there before its last character is.
        assert found == [whole]


@pytest.mark.parametrize(
    "journal", [b"", b"\n", b"1 5", b"0 5 -", b"10001 5 -", b"1 0 -", b"1 5 0BADCAFE", b"\xff 5 -"]
)
def test_what_is_no_line_is_passed_over(journal: bytes) -> None:
    assert parts_in(journal) == []
