"""The query of a listing: read strictly, refused with a sentence that says what is right; and its cursors. Pure."""

import base64
import re
from collections.abc import Sequence

import msgspec

from shared import limits
from shared.errors import InvalidCursor, InvalidLimit, InvalidStatus
from shared.jobs import JobState, partition_of
from shared.jobstore.operations import ListPlace

_PLACE = re.compile(r"([1-9][0-9]{0,15})\.([0-9a-f-]{36})", re.ASCII)
_MAX_CURSOR_CHARS = 100
_MAX_SHOWN_CHARS = 40  # of what was sent, in a refusal


class ListingRequest(msgspec.Struct, frozen=True):
    """What a caller wants to see: the states (none: all), the place to go on from, and how many at most."""

    states: frozenset[JobState]
    after: ListPlace | None
    limit: int

    def takes(self, state: JobState) -> bool:
        """Tell whether jobs in this state are asked for."""
        return not self.states or state in self.states


def read_listing_request(
    *, statuses: Sequence[str], cursors: Sequence[str], limits_asked: Sequence[str]
) -> ListingRequest:
    """Read the values of `status`, `cursor` and `limit`; raises InvalidStatus, InvalidCursor, InvalidLimit."""
    limit = read_limit(limits_asked, default=limits.DEFAULT_JOBS_PER_PAGE, most=limits.MAX_JOBS_PER_PAGE)
    return ListingRequest(frozenset(map(_state, statuses)), _place(cursors), limit)


def read_limit(asked: Sequence[str], *, default: int, most: int) -> int:
    """Read how many a page may have; raises InvalidLimit."""
    if not asked:
        return default
    text = ",".join(asked)  # sent twice it is no number any more
    if not (len(text) < 4 and text.isascii() and text.isdigit() and 1 <= int(text) <= most):
        raise InvalidLimit(f"limit={text[:_MAX_SHOWN_CHARS]!r} must be one number from 1 to {most}.")
    return int(text)


def _state(text: str) -> JobState:
    try:
        return JobState(text)
    except ValueError:
        known = ", ".join(JobState)
        raise InvalidStatus(
            f"status={text[:_MAX_SHOWN_CHARS]!r} must be one of {known}; repeat the parameter for several."
        ) from None


def _place(cursors: Sequence[str]) -> ListPlace | None:
    if not cursors:
        return None
    place = decode_cursor(cursors[0]) if len(cursors) == 1 else None
    if place is None:
        shown = ",".join(cursors)[:_MAX_SHOWN_CHARS]
        raise InvalidCursor(
            f"cursor={shown!r} is none. Take next_cursor of the page before as it is; leave it out to begin anew."
        )
    return place


def encode_cursor(place: ListPlace) -> str:
    """Write a place as the text that callers send back."""
    return base64.urlsafe_b64encode(f"{place.created_at_ms}.{place.job_id}".encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> ListPlace | None:
    """Read a cursor; None for what encode_cursor() has not written."""
    if len(cursor) > _MAX_CURSOR_CHARS:
        return None
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except ValueError:
        return None
    match = _PLACE.fullmatch(text)
    if match is None or partition_of(match[2]) is None:
        return None
    place = ListPlace(int(match[1]), match[2])
    return place if encode_cursor(place) == cursor else None
