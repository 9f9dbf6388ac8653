"""When a callback is tried again. Pure: time and the random ratio are passed in.

    end of the job ─0─▶ 1st try ─5 s─▶ 2nd ─5 min─▶ 3rd ─▶ … ─24 h─▶ 10th ─▶ given up

Each pause is up to a quarter longer than the schedule says: what failed together must not come back together.
"""

from collections.abc import Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime

from shared import limits


def next_delay_ms(
    tries: int, schedule_seconds: Sequence[int], random_ratio: float, *, wanted_seconds: float | None = None
) -> int | None:
    """Give the pause before the next try, in milliseconds; None when there is none any more.

    `tries` counts those that were made, from 1; `schedule_seconds` are the pauses before each, the first one before the
    first; `random_ratio` is in [0, 1). `wanted_seconds` is what the receiver has asked for: it makes a pause longer, up
    to a day, and never shorter.
    """
    if tries >= len(schedule_seconds):
        return None
    asked_seconds = min(wanted_seconds or 0.0, limits.CALLBACK_RETRY_AFTER_MAX_SECONDS)
    pause_seconds = max(schedule_seconds[tries], asked_seconds)
    return round(pause_seconds * 1000 * (1 + limits.CALLBACK_JITTER_RATIO * random_ratio))


def put_off_ms(turn_ms: float, random_ratio: float) -> int:
    """Give for how long a callback waits for which there is no place now, in milliseconds.

    `turn_ms`: when there will be one, as far as can be seen. `random_ratio` is in [0, 1).
    """
    bounded_ms = min(limits.CALLBACK_PUT_OFF_CAP_MS, max(limits.CALLBACK_PUT_OFF_FLOOR_MS, turn_ms))
    return round(bounded_ms * (1 + limits.CALLBACK_JITTER_RATIO * random_ratio))


def read_retry_after(text: str | None, *, now_ms: int) -> float | None:
    """Read a Retry-After header (RFC 9110 §10.2.3) as seconds from now; None when it says nothing that can be read."""
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # a year, a second or an offset of twenty digits
        return None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return max(0.0, at.timestamp() - now_ms / 1000)
