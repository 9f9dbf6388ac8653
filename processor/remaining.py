"""How long a run will go on, from how fast its bytes went lately (shared/rate.py). Pure: time is passed in.

`tests/vectors/remaining_time.json` has the arithmetic as numbers, for other languages too.
"""

from shared import limits
from shared.rate import WeightedRate


class RemainingTime:
    """What is left of one run. Begins anew with each run: what another processor copied says nothing of this one."""

    def __init__(self, *, half_life_seconds: float = limits.RATE_HALF_LIFE_SECONDS) -> None:
        self._rate = WeightedRate(half_life_seconds=half_life_seconds)
        self._samples = 0
        self._first_ms = 0
        self._last_ms = 0
        self._last_bytes = 0

    def sample(self, done_bytes: int, now_ms: int) -> None:
        """Note how many bytes are done; those of the first sample were done before, and tell no rate."""
        if self._samples:
            new_bytes = max(0, done_bytes - self._last_bytes)
            self._rate.add(new_bytes, (now_ms - self._last_ms) / 1000)
        else:
            self._first_ms = now_ms
        self._samples += 1
        self._last_ms, self._last_bytes = now_ms, done_bytes

    def seconds(self, total_bytes: int | None) -> float | None:
        """Give the seconds from the last sample to the last byte.

        None before three samples over three seconds, while the total is not known, and while nothing moves.
        """
        is_early = self._samples < limits.RATE_FIRST_SAMPLES or self._last_ms - self._first_ms < limits.RATE_FIRST_MS
        rate = self._rate.bytes_per_second()
        if is_early or total_bytes is None or rate <= 0:
            return None
        return max(0, total_bytes - self._last_bytes) / rate
