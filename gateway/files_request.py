"""The query of a listing of the catalogue: read strictly, refused with a sentence that says what is right. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from gateway.listing_request import read_limit
from shared import limits
from shared.errors import InvalidCursor, InvalidQuery

_MAX_SHOWN_CHARS = 40  # of what was sent, in a refusal


class FilesRequest(NamedTuple):
    """Which files a caller wants to see: a text in their names or ids, the id to go on behind, how many at most."""

    query: str
    after: int
    limit: int


def read_files_request(*, queries: Sequence[str], cursors: Sequence[str], limits_asked: Sequence[str]) -> FilesRequest:
    """Read the values of `query`, `cursor` and `limit`; raises InvalidQuery, InvalidCursor, InvalidLimit."""
    limit = read_limit(limits_asked, default=limits.DEFAULT_FILES_PER_PAGE, most=limits.MAX_FILES_PER_PAGE)
    return FilesRequest(_query(queries), _after(cursors), limit)


def _query(queries: Sequence[str]) -> str:
    if not queries:
        return ""
    if len(queries) > 1 or len(queries[0]) > limits.MAX_FILE_QUERY_CHARS:
        raise InvalidQuery(f"Send one query of at most {limits.MAX_FILE_QUERY_CHARS} characters.")
    return queries[0]


def _after(cursors: Sequence[str]) -> int:
    """Read the id that the page before ended with; 0 is before all of them."""
    if not cursors:
        return 0
    text = ",".join(cursors)
    if not (len(text) <= len(str(limits.MAX_FILE_ID)) and text.isascii() and text.isdigit()):
        raise InvalidCursor(
            f"cursor={text[:_MAX_SHOWN_CHARS]!r} is none. Take next_cursor of the page before; leave it out to begin."
        )
    return int(text)
