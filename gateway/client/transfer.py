"""How far a download is, and how long it will go on. Pure: time is passed in."""

from gateway.client.display import Calm, amount, calmed, rate, seconds_left
from shared import limits
from shared.rate import WeightedRate


class Transfer:
    """The bytes of one archive on their way; those that were here before the first count tell no rate."""

    def __init__(self, size_bytes: int) -> None:
        self._size_bytes = size_bytes
        self._rate = WeightedRate(half_life_seconds=limits.SHOWN_RATE_HALF_LIFE_SECONDS)
        self._done_bytes = 0
        self._rated_bytes = 0
        self._rated_at_ms: int | None = None
        self._began_at_ms = 0
        self._calm: Calm | None = None

    @property
    def progress_ratio(self) -> float:
        """How much of it is here, 0 to 1."""
        return self._done_bytes / self._size_bytes if self._size_bytes else 1.0

    def reach(self, done_bytes: int, now_ms: int) -> None:
        """Note how many bytes are here."""
        if self._rated_at_ms is None or done_bytes < self._rated_bytes:
            self._rated_bytes, self._rated_at_ms, self._began_at_ms = done_bytes, now_ms, now_ms
        self._done_bytes = done_bytes

    def sentence(self, now_ms: int) -> str:
        """Say how far it is: `Downloading: 412 MB of 1.2 GB, 8.4 MB/s, about 40 seconds left.`"""
        shown_rate = self._rated(now_ms)
        left_bytes = self._size_bytes - self._done_bytes
        told = left_bytes / shown_rate if shown_rate else None
        self._calm = calmed(self._calm, told, now_ms)
        parts = [f"{amount(self._done_bytes)} of {amount(self._size_bytes)}"]
        if shown_rate:
            parts.append(rate(shown_rate))
        if self._calm and left_bytes:
            elapsed_seconds = (now_ms - self._began_at_ms) / 1000
            left = seconds_left(self._calm.shown_seconds, elapsed_seconds=elapsed_seconds)
            parts += [left] if left else []
        return f"Downloading: {', '.join(parts)}."

    def _rated(self, now_ms: int) -> float:
        # In steps of a second: in shorter ones a rate is how often somebody looked.
        if self._rated_at_ms is not None and now_ms - self._rated_at_ms >= 1_000:
            self._rate.add(self._done_bytes - self._rated_bytes, (now_ms - self._rated_at_ms) / 1000)
            self._rated_bytes, self._rated_at_ms = self._done_bytes, now_ms
        return self._rate.bytes_per_second()
