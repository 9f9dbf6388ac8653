"""The query of a listing of files: read strictly."""

import pytest

from gateway.files_request import FilesRequest, read_files_request
from shared import limits
from shared.errors import InvalidCursor, InvalidLimit, InvalidQuery


def read(query: str | None = None, cursor: str | None = None, limit: str | None = None) -> FilesRequest:
    def listed(text: str | None) -> list[str]:
        return [] if text is None else [text]

    return read_files_request(queries=listed(query), cursors=listed(cursor), limits_asked=listed(limit))


def test_without_anything_it_begins_at_the_beginning() -> None:
    assert read() == FilesRequest("", 0, limits.DEFAULT_FILES_PER_PAGE)
    assert read("scan", "70000", "5") == FilesRequest("scan", 70_000, 5)


@pytest.mark.parametrize("cursor", ["", "-1", "x", "1.5", "²", "9" * 17, "1,2"])
def test_a_cursor_that_is_no_id_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        read(cursor=cursor)


@pytest.mark.parametrize("limit", ["0", "101", "", "x", "-1", "1e1"])
def test_a_limit_that_is_out_of_bounds_is_refused(limit: str) -> None:
    with pytest.raises(InvalidLimit, match="from 1 to 100"):
        read(limit=limit)


def test_a_query_that_is_too_long_or_sent_twice_is_refused() -> None:
    with pytest.raises(InvalidQuery):
        read("x" * (limits.MAX_FILE_QUERY_CHARS + 1))
    with pytest.raises(InvalidQuery):
        read_files_request(queries=["a", "b"], cursors=[], limits_asked=[])
