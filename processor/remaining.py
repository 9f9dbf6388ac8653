"""How long a run will go on, from how fast its bytes went lately. Pure: time is passed in.

    rate = bytes ÷ seconds, both weighted, the weight of a moment halving every 20 s since

The weights are exact for any spacing of the samples (a stretch of 4 s weighs as two of 2 s), so that it does not matter
how often somebody looks. `tests/vectors/remaining_time.json` has the arithmetic as numbers, for other languages too.
"""

import math

from shared import limits


class WeightedRate:
    """Bytes a second, of which old ones count less. Time in which nothing comes counts too: then the rate falls."""

    def __init__(self, *, half_life_seconds: float = limits.RATE_HALF_LIFE_SECONDS) -> None:
        self._half_life_seconds = half_life_seconds
        self._weighted_bytes = 0.0
        self._weighted_seconds = 0.0

    def add(self, count_bytes: int, seconds: float) -> None:
        """Take a stretch of time and the bytes that came in it; the stretches follow each other."""
        if seconds <= 0:
            return
        kept = 0.5 ** (seconds / self._half_life_seconds)
        # The stretch weighs what its moments weigh together: the integral of the decay over it.
        weight_seconds = self._half_life_seconds / math.log(2) * (1 - kept)
        self._weighted_bytes = self._weighted_bytes * kept + count_bytes * weight_seconds / seconds
        self._weighted_seconds = self._weighted_seconds * kept + weight_seconds

    def bytes_per_second(self) -> float:
        """Give the rate as it is now; 0 before anything came."""
        return self._weighted_bytes / self._weighted_seconds if self._weighted_seconds else 0.0


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
