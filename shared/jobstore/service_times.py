"""How long runs took lately, as the terminal script keeps it in a partition's `stats`. Pure values, no I/O.

    learned     jobs completed, of a known size, promised; the mean of all completed runs (ms);
                five weighted moments of (size, time) of those whose size was known; the mean |ln(took ÷ promised)|

One text of ten numbers, exponential averages over the last twenty jobs or so, written by `scripts/shared/terminal.lua`.
"""

from collections.abc import Sequence
from typing import NamedTuple, Self

_NUMBERS = 10

_ALIKE = 0.01
"""Sizes whose variance is below this share of their squared mean tell nothing about what a byte costs."""


class Moments(NamedTuple):
    """Weighted means over completed runs: of 1, of the size (MB), of the time (ms), and of their products."""

    one: float
    mb: float
    ms: float
    mb_mb: float
    mb_ms: float

    def work_ms(self, jobs: int, mb: float) -> float | None:
        """Read the time of so many jobs, of so many MB together, off the line through size and time that fits best.

        None when all sizes were alike, or there were none.

        Neither the fixed part nor the time per byte is taken for negative: then the other one explains everything.
        """
        spread = self.one * self.mb_mb - self.mb**2
        if self.one <= 0 or spread <= _ALIKE * self.mb**2:
            return None
        ms_per_mb = (self.one * self.mb_ms - self.mb * self.ms) / spread
        fixed_ms = (self.ms - ms_per_mb * self.mb) / self.one
        if ms_per_mb < 0:
            return self.ms / self.one * jobs
        if fixed_ms < 0:
            return self.mb_ms / self.mb_mb * mb
        return fixed_ms * jobs + ms_per_mb * mb


class ServiceTimes(NamedTuple):
    """What is known of one partition's, or of all, service times; None: nothing yet.

    `miss` is the mean |ln(took ÷ promised)|: 0.69 means that promises are off by a factor of two.
    """

    mean_ms: float | None = None
    miss: float | None = None
    moments: Moments | None = None

    @classmethod
    def read(cls, learned: bytes | None) -> Self:
        """Read what the script has learned; nothing is known when it is not there, or cannot be read."""
        try:
            numbers = [float(number) for number in (learned or b"").split()]
        except ValueError:
            return cls()
        if len(numbers) != _NUMBERS or not all(0 <= number < float("inf") for number in numbers):
            return cls()
        completed, sized, promised, mean_ms, *moments, miss = numbers
        return cls(
            mean_ms if completed else None,
            miss if promised else None,
            Moments(*moments) if sized else None,
        )

    def of(self, size_bytes: int | None) -> float | None:
        """Give how long a job of this size runs (ms); of an unknown size, as long as jobs do on the average."""
        return self.mean_ms if size_bytes is None else self.work_ms(1, size_bytes / 1_000_000)

    def work_ms(self, jobs: int, mb: float) -> float | None:
        """Give how long so many jobs, of so many MB together, run one after the other."""
        by_size_ms = self.moments.work_ms(jobs, mb) if self.moments else None
        if by_size_ms is not None or self.mean_ms is None:
            return by_size_ms
        return self.mean_ms * jobs


def pooled(known: Sequence[ServiceTimes]) -> ServiceTimes:
    """Put what the partitions know together: jobs are spread over them by chance, so each counts alike."""
    moments = [times.moments for times in known if times.moments]
    return ServiceTimes(
        _mean([times.mean_ms for times in known]),
        _mean([times.miss for times in known]),
        Moments(*(sum(column) / len(moments) for column in zip(*moments, strict=True))) if moments else None,
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
