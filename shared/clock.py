"""The clocks. Whoever decides is handed a time; only the callers of those look at one."""

import time


def now_ms() -> int:
    """Read the wall clock, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def monotonic_ms() -> int:
    """Read a clock that never goes back, in milliseconds since some moment."""
    return time.monotonic_ns() // 1_000_000
