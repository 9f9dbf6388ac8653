"""What the terminal script learns from completed jobs, in Python: for simulations, and to hold the script against."""

import math

from shared.jobstore.service_times import ServiceTimes

NEWEST_WEIGHT = 0.05


class Learned:
    """The numbers in a partition's `learned`."""

    def __init__(self) -> None:
        self._numbers = [0.0] * 10

    def times(self) -> ServiceTimes:
        """Give what a gateway reads of it."""
        return ServiceTimes.read(" ".join(map(repr, self._numbers)).encode())

    def take(
        self,
        *,
        service_ms: float,
        size_bytes: int | None = None,
        took_ms: float = 0.0,
        promised_ms: float | None = None,
    ) -> None:
        """Learn from one job: how long its run took, and the whole job from its creation."""
        ms = max(1.0, service_ms)
        self._learn(0, {3: ms})
        if size_bytes is not None:
            mb, one = size_bytes / 1_000_000, 1 / max(ms, 1000) ** 2
            self._learn(1, {4: one, 5: one * mb, 6: one * ms, 7: one * mb * mb, 8: one * mb * ms})
        if promised_ms is not None:
            self._learn(2, {9: min(5.0, abs(math.log(max(1000, took_ms) / max(1000, promised_ms))))})

    def _learn(self, counter: int, values: dict[int, float]) -> None:
        self._numbers[counter] += 1
        weight = max(NEWEST_WEIGHT, 1 / self._numbers[counter])
        for position, value in values.items():
            self._numbers[position] += (value - self._numbers[position]) * weight
