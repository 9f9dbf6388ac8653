"""Counts, durations, sizes and times as operators read them. Pure."""

import textwrap
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_LATEST_MS = 253_402_300_799_000  # the end of the year 9999: what somebody else wrote there must be shown too


def spoken(duration_ms: float) -> str:
    """Write a duration with its two largest units: `0.4 s`, `12 s`, `3 min 5 s`, `2 d`."""
    if duration_ms < 10_000:
        return f"{max(0.0, duration_ms) / 1000:.1f} s"
    left = round(duration_ms / 1000)
    parts = []
    for unit_seconds, name in _UNITS:
        whole, left = divmod(left, unit_seconds)
        parts.append((whole, name))
    first = next(place for place, (whole, _) in enumerate(parts) if whole)
    return " ".join(f"{whole} {name}" for whole, name in parts[first : first + 2] if whole)


def size(size_bytes: float) -> str:
    """Write a size: `812 bytes`, `1.4 MB`, `3.0 GB`."""
    if size_bytes < 1_000:
        return f"{size_bytes:.0f} bytes"
    for unit in ("kB", "MB", "GB", "TB"):
        size_bytes /= 1_000
        if size_bytes < 999.95 or unit == "TB":
            break
    return f"{size_bytes:,.1f} {unit}"


def moment(at_ms: int) -> str:
    """Write a time (milliseconds since 1970) in UTC, to the second."""
    return f"{datetime.fromtimestamp(min(max(0, at_ms), _LATEST_MS) / 1000, UTC):%Y-%m-%d %H:%M:%S}"


def count(number: int, noun: str, plural: str = "") -> str:
    """Write a number of things: `1 job`, `2,000 jobs`."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def listed(items: Sequence[object], most: int) -> str:
    """Write the first of many things, and how many there are besides."""
    more = f" and {len(items) - most:,} more" if len(items) > most else ""
    return ", ".join(map(str, items[:most])) + more


def columns(rows: Sequence[Sequence[str]], *, right: Iterable[int] = ()) -> list[str]:
    """Lay rows out in columns two spaces apart; those in `right` end below each other, the others begin so."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    ends = set(right)
    return [
        "  ".join(
            cell.rjust(width) if place in ends else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def wrapped(text: str, *, width: int, first: str = "", indent: str = "") -> list[str]:
    """Break a sentence into lines of at most `width` characters; a longer word stays whole, to be copied."""
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
