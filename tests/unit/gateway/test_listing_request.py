"""Queries of listings: what is refused, in which words, and cursors that come back as they went out."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.listing_request import ListingRequest, decode_cursor, encode_cursor, read_listing_request
from shared.errors import InvalidCursor, InvalidLimit, InvalidStatus
from shared.jobs import JobState, make_job_id
from shared.jobstore.operations import ListPlace

PLACE = ListPlace(1_795_461_600_123, make_job_id(3, 2**110 - 1))


def read(
    *, statuses: tuple[str, ...] = (), cursors: tuple[str, ...] = (), limits_asked: tuple[str, ...] = ()
) -> ListingRequest:
    """Read a query of which the rest was left out."""
    return read_listing_request(statuses=statuses, cursors=cursors, limits_asked=limits_asked)


def test_without_a_query_it_is_the_first_twenty_of_all() -> None:
    wanted = read()

    assert (wanted.after, wanted.limit) == (None, 20)
    assert all(wanted.takes(state) for state in JobState)


def test_everything_may_be_said() -> None:
    wanted = read(statuses=("failed", "queued"), cursors=(encode_cursor(PLACE),), limits_asked=("100",))

    assert (wanted.after, wanted.limit) == (PLACE, 100)
    assert {state for state in JobState if wanted.takes(state)} == {JobState.FAILED, JobState.QUEUED}


@pytest.mark.parametrize("status", ["", "done", "Queued", "queued,failed", " queued", "queued\0", "q" * 5_000])
def test_status_that_is_none_is_refused_with_all_there_are(status: str) -> None:
    words = "must be one of queued, processing, retrying, completed, failed, cancelled; repeat the parameter"
    with pytest.raises(InvalidStatus, match=words) as caught:
        read(statuses=("queued", status))

    assert len(caught.value.message) < 250


@pytest.mark.parametrize("limit", ["", "0", "-1", "101", "1.5", "ten", "1e1", "\u0661", "+1", " 1", "9" * 5_000])
def test_limit_that_is_none_is_refused(limit: str) -> None:
    with pytest.raises(InvalidLimit, match="must be one number from 1 to 100") as caught:
        read(limits_asked=(limit,))

    assert len(caught.value.message) < 150


def test_two_limits_are_refused() -> None:
    with pytest.raises(InvalidLimit, match="'1,1' must be one number"):
        read(limits_asked=("1", "1"))


def encoded(text: str) -> str:
    """Encode as a cursor is, whatever it says."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "abc", "====", "0-0", "\u0661", "\x00", "a" * 5_000, encode_cursor(PLACE) + "=",
     encode_cursor(PLACE) + " ", encode_cursor(PLACE)[:-1], encode_cursor(PLACE) + "A",
     encoded("1795461600123"), encoded(f"-1.{PLACE.job_id}"), encoded(f"01.{PLACE.job_id}"),
     encoded(f"{'9' * 17}.{PLACE.job_id}"), encoded(f"1.{PLACE.job_id.upper()}"), encoded("1." + "0" * 36),
     encoded("1.00000000-0000-4000-8000-000000000000"), encoded(f"1.{PLACE.job_id}.1"),
     encoded(f"\u0661.{PLACE.job_id}"),
     base64.urlsafe_b64encode(b"\xff\xfe").decode()],
)  # fmt: skip
def test_cursor_that_is_none_of_ours_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidCursor, match="Take next_cursor of the page before as it is") as caught:
        read(cursors=(cursor,))

    assert len(caught.value.message) < 250


def test_two_cursors_are_refused() -> None:
    with pytest.raises(InvalidCursor, match="Take next_cursor"):
        read(cursors=(encode_cursor(PLACE), encode_cursor(PLACE)))


@given(st.integers(1, 10**16 - 1), st.integers(0, 4_095), st.integers(0, 2**110 - 1))
def test_cursor_comes_back_as_it_went_out(created_at_ms: int, partition: int, random_bits: int) -> None:
    place = ListPlace(created_at_ms, make_job_id(partition, random_bits))

    cursor = encode_cursor(place)

    assert decode_cursor(cursor) == place
    assert cursor.replace("-", "").replace("_", "").isalnum()


@given(st.text(max_size=120))
def test_any_other_text_is_no_cursor(text: str) -> None:
    place = decode_cursor(text)

    assert place is None or encode_cursor(place) == text
