"""The vector of cursors: what is written is read back, and what is no vector places nobody."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.streaming.subscription import Unreadable
from gateway.streaming.vector import PATTERN, Refused, Spot, Vector, read_vector
from shared import limits
from shared.event_id import EventId

SPOTS = st.one_of(
    st.none(),
    st.just(Refused.TOLD),
    st.builds(EventId, st.integers(0, 10**10 - 1), st.integers(0, 10**15 - 1)),
)


@given(st.lists(SPOTS, min_size=1, max_size=limits.MAX_JOBS_PER_STREAM))
def test_a_vector_is_read_as_it_was_written(spots: list[Spot]) -> None:
    text = Vector(spots).encode().decode()

    assert re.fullmatch(PATTERN, text)
    assert list(read_vector(text, None, len(spots))) == spots
    assert list(read_vector(None, text, len(spots))) == spots


@given(st.text(max_size=40), st.integers(1, 4))
def test_any_text_places_all_or_nobody(text: str, jobs: int) -> None:
    spots = read_vector(text, None, jobs)

    assert len(spots) == jobs
    if Unreadable.CURSOR in spots:
        assert set(spots) == {Unreadable.CURSOR}
    elif text:
        assert Vector(spots).encode().decode() == text, "one form alone"


@pytest.mark.parametrize("text", ["", None])
def test_without_a_vector_nobody_has_a_cursor(text: str | None) -> None:
    assert list(read_vector(text, None, 2)) == [None, None]


def test_the_header_goes_before_the_query() -> None:
    assert list(read_vector("1-5.-", "1-4.0-1", 2)) == [EventId(1, 5), None]
    assert list(read_vector("", "1-4.0-1", 2)) == [EventId(1, 4), EventId(0, 1)]


@pytest.mark.parametrize("text", ["1-5", "1-5.0-1.-", "1-5.", ".", "1-5.X", "1-5.--", "1-5. -", "1-5,0-1", "1-5.01-1"])
def test_another_length_or_form_places_nobody(text: str) -> None:
    assert list(read_vector(text, None, 2)) == [Unreadable.CURSOR] * 2


def test_what_a_viewer_is_given_moves_its_own_place_alone() -> None:
    vector = Vector([EventId(1, 5), None, None])

    vector.move(1, EventId(0, 1))
    vector.refuse(2)

    assert vector.encode() == b"1-5.0-1.x"
