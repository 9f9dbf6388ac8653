"""Preconditions and ranges, header by header."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.conditional import Span, Whole, fails_if_match, matches_weakly, range_of

ETAG = '"abc"'


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, False),
        ("*", True),
        ('"abc"', True),
        ('W/"abc"', True),
        ('"x", W/"abc" , "y"', True),
        ('"abcd"', False),
        ("abc", False),
    ],
)
def test_if_none_match_compares_weakly(header: str | None, expected: bool) -> None:
    assert matches_weakly(header, 'W/"abc"') is expected
    assert matches_weakly(header, ETAG) is expected


@pytest.mark.parametrize(
    ("header", "etag", "expected"),
    [
        (None, ETAG, False),
        ("*", ETAG, False),
        ('"abc"', ETAG, False),
        ('"x", "abc"', ETAG, False),
        ('"x"', ETAG, True),
        ('W/"abc"', 'W/"abc"', True),
    ],
)
def test_if_match_compares_strongly(header: str | None, etag: str, expected: bool) -> None:
    assert fails_if_match(header, etag) is expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, Whole.BODY),
        ("bytes=0-9", Span(0, 10)),
        ("bytes=90-", Span(90, 100)),
        ("bytes=90-1000", Span(90, 100)),
        ("bytes=-10", Span(90, 100)),
        ("bytes=-1000", Span(0, 100)),
        ("BYTES=5-5", Span(5, 6)),
        ("bytes=100-", Whole.UNSATISFIABLE),
        ("bytes=-0", Whole.UNSATISFIABLE),
        ("bytes=9-0", Whole.BODY),
        ("bytes=0-1,5-6", Whole.BODY),
        ("bytes=-", Whole.BODY),
        ("bytes=a-b", Whole.BODY),
        ("bytes=٣-٤", Whole.BODY),
        ("items=0-9", Whole.BODY),
        ("bytes=" + "9" * 400 + "-", Whole.BODY),
    ],
)
def test_one_range_is_honoured_and_everything_else_ignored(header: str | None, expected: Span | Whole) -> None:
    assert range_of(header, None, ETAG, 100) == expected


@pytest.mark.parametrize("if_range", ['"other"', 'W/"abc"', "Mon, 23 Nov 2026 10:00:00 GMT"])
def test_if_range_that_is_not_exactly_the_etag_gives_the_whole(if_range: str) -> None:
    assert range_of("bytes=0-9", if_range, ETAG, 100) is Whole.BODY
    assert range_of("bytes=0-9", ETAG, ETAG, 100) == Span(0, 10)


def test_any_range_of_an_empty_archive_is_unsatisfiable() -> None:
    assert range_of("bytes=0-", None, ETAG, 0) is Whole.UNSATISFIABLE
    assert range_of("bytes=-5", None, ETAG, 0) is Whole.UNSATISFIABLE


@given(header=st.text(max_size=40) | st.from_regex(r"bytes=[0-9]{0,5}-[0-9]{0,5}"), size_bytes=st.integers(0, 1000))
def test_a_span_always_lies_within_the_archive(header: str, size_bytes: int) -> None:
    found = range_of(header, None, ETAG, size_bytes)

    if isinstance(found, Span):
        assert 0 <= found.start < found.end <= size_bytes
