"""How times, amounts and rates look to people. Pure: `now` is passed in.

`tests/vectors/display.json` has all of it as values, for the page's TypeScript too: both show the same.
"""

import math
from datetime import datetime
from typing import NamedTuple

from shared import limits

BYTE_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MINUTE_SECONDS = 60
HOUR_SECONDS = 3_600
DAY_SECONDS = 86_400

# ── how long ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def about(seconds: float) -> str:
    """Say a duration in words, the coarser the longer: `a few seconds`, `about 1 hour 20 minutes`."""
    if seconds < 10:
        return "a few seconds"
    if (whole := _to_step(seconds, 5)) < MINUTE_SECONDS:
        return f"about {whole} seconds"
    if (whole := _to_step(seconds, 30)) < 3 * MINUTE_SECONDS:
        return "about " + _joined((whole // MINUTE_SECONDS, "minute"), (whole % MINUTE_SECONDS, "second"))
    if (whole := _to_step(seconds, MINUTE_SECONDS)) < HOUR_SECONDS:
        return f"about {whole // MINUTE_SECONDS} minutes"
    if (whole := _to_step(seconds, 10 * MINUTE_SECONDS)) < DAY_SECONDS:
        hours, rest_seconds = divmod(whole, HOUR_SECONDS)
        return "about " + _joined((hours, "hour"), (rest_seconds // MINUTE_SECONDS, "minute"))
    return "more than a day"


def seconds_left(seconds: float | None, *, elapsed_seconds: float = math.inf) -> str | None:
    """Say what is left: `about 40 seconds left`. None: nothing is known, or the whole is too short to speak of."""
    if seconds is None or not math.isfinite(seconds) or elapsed_seconds + seconds < limits.SHOWN_FROM_SECONDS:
        return None
    return f"{about(seconds)} left"


def _to_step(seconds: float, step: int) -> int:
    # Halves go up: Python's own round() would take the even neighbour, JavaScript's would not.
    return math.floor(seconds / step + 0.5) * step


def _joined(*parts: tuple[int, str]) -> str:
    return " ".join(counted(count, noun) for count, noun in parts if count)


def counted(count: int, noun: str) -> str:
    """Say how many: `1 file`, `12 files`, `1,000 files`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


# ── a calm remaining time ─────────────────────────────────────────────────────────────────────────────────────────────


class Calm(NamedTuple):
    """A remaining time as it is shown, and what was last told of it. `rises_since_ms`: since when it should be more."""

    shown_seconds: float
    told_seconds: float
    at_ms: int
    rises_since_ms: int | None = None


def calmed(calm: Calm | None, told_seconds: float | None, now_ms: int, *, is_live: bool = True) -> Calm | None:
    """Show the next moment of a remaining time: it counts down by itself, falls gently and rises late.

    `told_seconds` is news, None is none since the last call; while the connection is not live nothing moves.
    """
    if calm is None:
        return None if told_seconds is None else Calm(max(1.0, told_seconds), told_seconds, now_ms)
    if not is_live:
        return calm._replace(at_ms=now_ms, rises_since_ms=None)
    passed_seconds = max(0, now_ms - calm.at_ms) / 1000
    told = max(0.0, calm.told_seconds - passed_seconds) if told_seconds is None else told_seconds
    shown = calm.shown_seconds - passed_seconds
    if told <= shown:
        return Calm(max(1.0, _fallen(calm.shown_seconds, told, passed_seconds)), told, now_ms)
    if told <= limits.SHOWN_RISE_RATIO * max(1.0, shown) + limits.SHOWN_RISE_SECONDS:
        return Calm(max(1.0, shown), told, now_ms)
    since_ms = now_ms if calm.rises_since_ms is None else calm.rises_since_ms
    if now_ms - since_ms >= limits.SHOWN_RISE_AFTER_MS:
        return Calm(told, told, now_ms)
    return Calm(max(1.0, shown), told, now_ms, since_ms)


def _fallen(shown_seconds: float, told_seconds: float, passed_seconds: float) -> float:
    if shown_seconds - told_seconds >= limits.SHOWN_FALL_AT_ONCE_SECONDS:
        return told_seconds
    return max(told_seconds, shown_seconds - limits.SHOWN_FALL_RATIO * passed_seconds)


# ── how much ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def amount(count_bytes: float) -> str:
    """Say an amount of bytes in decimal units: `999 B`, `1.2 GB`, `412 MB`."""
    if count_bytes < 1_000:
        return f"{math.floor(count_bytes)} B"
    value, unit = count_bytes / 1_000, 1
    # What would be rounded to 1000 is 1.0 of the next unit.
    while value >= 999.5 and unit < len(BYTE_UNITS) - 1:
        value, unit = value / 1_000, unit + 1
    if value < 99.95:
        tenths = math.floor(value * 10 + 0.5)
        return f"{tenths // 10}.{tenths % 10} {BYTE_UNITS[unit]}"
    return f"{math.floor(value + 0.5)} {BYTE_UNITS[unit]}"


def rate(bytes_per_second: float) -> str:
    """Say a rate in decimal units: `8.4 MB/s`."""
    return f"{amount(bytes_per_second)}/s"


def percent(ratio: float) -> int:
    """Give a progress (0 to 1) as a whole percentage; 100 only when all is done."""
    return min(100, max(0, math.floor(ratio * 100)))


# ── when ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def moment(at: datetime, now: datetime) -> str:
    """Say a time of the reader's own clock: `today, 10:30`, `tomorrow, 10:30`, `24 Nov, 10:30`."""
    days = (at.date() - now.date()).days
    named = {0: "today", 1: "tomorrow"}.get(days) or day(at)
    return f"{named}, {at.hour:02d}:{at.minute:02d}"


def day(at: datetime) -> str:
    """Say a day: `24 Nov`."""
    return f"{at.day} {MONTHS[at.month - 1]}"
