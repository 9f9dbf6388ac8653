"""How fast bytes come, from how fast they came lately. Pure: time is passed in.

    rate = bytes ÷ seconds, both weighted, the weight of a moment halving in each half-life since

The weights are exact for any spacing of the samples (a stretch of 4 s weighs as two of 2 s), so that it does not matter
how often somebody looks.
"""

import math


class WeightedRate:
    """Bytes a second, of which old ones count less. Time in which nothing comes counts too: then the rate falls."""

    def __init__(self, *, half_life_seconds: float) -> None:
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
