"""Preconditions and ranges of HTTP requests (RFC 9110 §13 and §14). Pure: header texts in, decisions out."""

import re
from enum import Enum
from typing import NamedTuple

_RANGE = re.compile(r"bytes=([0-9]{0,40})-([0-9]{0,40})", re.ASCII | re.IGNORECASE)


class Span(NamedTuple):
    """The bytes [start, end) of a representation."""

    start: int
    end: int


class Whole(Enum):
    """The answers to a range request that are no span."""

    BODY = "200"
    UNSATISFIABLE = "416"


def _tags(header: str) -> list[str]:
    return [tag.strip() for tag in header.split(",")]


def matches_weakly(header: str | None, etag: str) -> bool:
    """Tell whether If-None-Match names the entity tag, by weak comparison (RFC 9110 §8.8.3.2): `W/` does not count."""
    if header is None:
        return False
    return header.strip() == "*" or etag.removeprefix("W/") in (tag.removeprefix("W/") for tag in _tags(header))


def fails_if_match(header: str | None, etag: str) -> bool:
    """Tell whether If-Match forbids the answer, by strong comparison (RFC 9110 §13.1.1)."""
    if header is None or header.strip() == "*":
        return False
    return etag.startswith("W/") or etag not in _tags(header)


def range_of(header: str | None, if_range: str | None, etag: str, size_bytes: int) -> Span | Whole:
    """Read a Range header against a representation of `size_bytes` bytes with a strong entity tag.

    One range is honoured. Several, malformed ones and other units are ignored (RFC 9110 §14.2 allows it), and so is the
    range when If-Range does not name exactly this entity tag; dates there never do.
    """
    if header is None or (if_range is not None and if_range.strip() != etag):
        return Whole.BODY
    match = _RANGE.fullmatch(header.strip())
    if match is None or match[0].endswith("=-"):
        return Whole.BODY
    first, last = match[1], match[2]
    if not first:
        length = int(last)
        return Span(max(0, size_bytes - length), size_bytes) if length and size_bytes else Whole.UNSATISFIABLE
    start, end = int(first), min(int(last) + 1, size_bytes) if last else size_bytes
    if last and int(last) < start:
        return Whole.BODY
    return Span(start, end) if start < size_bytes else Whole.UNSATISFIABLE
