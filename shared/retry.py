"""When to try again. Pure: the random ratio is passed in."""

from shared import limits


def full_jitter_ms(failures: int, random_ratio: float, *, base_ms: int, cap_ms: int, floor_ms: int) -> int:
    """Give the delay before the next try, in milliseconds.

    Full jitter: uniform between 0 and min(cap, base * 2^(failures - 1)), but never below the floor, so that many jobs
    that failed together do not come back together.

    `failures` counts from 1; `random_ratio` is in [0, 1).
    """
    ceiling_ms = min(cap_ms, base_ms * 2 ** min(failures - 1, 32))
    return max(floor_ms, int(random_ratio * ceiling_ms))


def reconnect_pause_seconds(failures: int, random_ratio: float) -> float:
    """Give the pause before the next connection to Redis; `failures` counts from 1, `random_ratio` is in [0, 1)."""
    delay_ms = full_jitter_ms(
        failures,
        random_ratio,
        base_ms=int(limits.RECONNECT_MIN_SECONDS * 2000),
        cap_ms=int(limits.RECONNECT_MAX_SECONDS * 1000),
        floor_ms=int(limits.RECONNECT_MIN_SECONDS * 1000),
    )
    return delay_ms / 1000
