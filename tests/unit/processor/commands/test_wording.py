"""Durations, sizes and counts as people read them."""

import pytest

from processor.commands.wording import columns, count, listed, moment, size, spoken, wrapped


@pytest.mark.parametrize(
    ("duration_ms", "words"),
    [
        (-5, "0.0 s"),
        (400, "0.4 s"),
        (9_999, "10.0 s"),
        (12_000, "12 s"),
        (59_600, "1 min"),
        (185_000, "3 min 5 s"),
        (3_600_000, "1 h"),
        (7_440_000, "2 h 4 min"),
        (3 * 86_400_000 + 59_000, "3 d"),
    ],
)
def test_a_duration_has_its_two_largest_units(duration_ms: float, words: str) -> None:
    assert spoken(duration_ms) == words


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [(812, "812 bytes"), (1_234, "1.2 kB"), (999_960, "1.0 MB"), (3 * 10**9, "3.0 GB"), (5 * 10**15, "5,000.0 TB")],
)
def test_a_size_has_the_unit_that_keeps_it_short(size_bytes: int, words: str) -> None:
    assert size(size_bytes) == words


def test_a_moment_of_somebody_elses_is_shown_too() -> None:
    assert moment(1_795_461_600_123) == "2026-11-23 19:20:00"
    assert moment(10**18).startswith("9999-12-31")


def test_one_is_not_many() -> None:
    assert (count(1, "job"), count(2_000, "job"), count(2, "entry", "entries")) == ("1 job", "2,000 jobs", "2 entries")


def test_a_long_list_says_how_many_there_are_besides() -> None:
    assert listed([1, 2], 2) == "1, 2"
    assert listed(range(12), 2) == "0, 1 and 10 more"


def test_columns_begin_or_end_below_each_other() -> None:
    assert columns([("A", "N"), ("long", "1,000")], right=[1]) == ["A         N", "long  1,000"]


def test_a_sentence_is_broken_and_a_name_in_it_is_not() -> None:
    name = "f" * 30

    assert wrapped(f"see {name} now", width=20, first="- ", indent="  ") == ["- see", f"  {name}", "  now"]
