"""Filters, times and rates as operators write them."""

import pytest

from processor.commands.letter_choice import LetterChoice, read_rate, read_since
from tests.unit.processor.commands.letters import letter

NOW_MS = 1_795_461_600_000


@pytest.mark.parametrize(
    ("text", "expected_ms"),
    [
        ("90s", NOW_MS - 90_000),
        ("30m", NOW_MS - 1_800_000),
        ("2h", NOW_MS - 7_200_000),
        ("7d", NOW_MS - 604_800_000),
        ("999999d", 0),
        ("2026-11-23T10:00:00Z", 1_795_428_000_000),
        ("2026-11-23T10:00:00+02:00", 1_795_420_800_000),
        ("2026-11-23T10:00:00.250", 1_795_428_000_250),
        ("2026-11-23", 1_795_392_000_000),
        ("1900-01-01", 0),
    ],
)
def test_a_time_is_read(text: str, expected_ms: int) -> None:
    assert read_since(text, now_ms=NOW_MS) == expected_ms


@pytest.mark.parametrize("text", ["", "2", "h", "-2h", "2 h", "2w", "soon", "2026-13-01", "٢h", "1" * 40 + "h"])
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="Write 90s, 30m, 2h or 7d"):
        read_since(text, now_ms=NOW_MS)


@pytest.mark.parametrize(("text", "expected"), [("20", 20), ("20/s", 20), ("0.5/s", 0.5)])
def test_a_rate_is_read(text: str, expected: float) -> None:
    assert read_rate(text) == expected


@pytest.mark.parametrize("text", ["", "0", "0.0/s", "-1", "fast", "1/m", "nan", "inf", "1e3", "999999"])
def test_what_is_no_rate_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="is no rate"):
        read_rate(text)


def test_no_filter_lets_everything_through() -> None:
    assert LetterChoice().is_everything
    assert LetterChoice().has(letter())


@pytest.mark.parametrize(
    ("choice", "is_meant"),
    [
        (LetterChoice(reason="permanent"), True),
        (LetterChoice(reason="crashes"), False),
        (LetterChoice(code="SOURCE_MISSING"), True),
        (LetterChoice(code="source_missing"), False),
        (LetterChoice(owner="anna"), True),
        (LetterChoice(owner=""), False),
        (LetterChoice(job=letter().job_id), True),
        (LetterChoice(since_ms=letter().at_ms), True),
        (LetterChoice(since_ms=letter().at_ms + 1), False),
        (LetterChoice(reason="permanent", owner="bert"), False),
    ],
)
def test_each_filter_must_let_a_letter_through(choice: LetterChoice, is_meant: bool) -> None:
    assert choice.has(letter()) is is_meant
    assert not choice.is_everything
