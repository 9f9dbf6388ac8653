"""A limit on how fast bytes are copied, so that a run can be watched, or leaves bandwidth to others."""

import asyncio


class Pace:
    """Spreads bytes evenly over time, for all who share it. None or 0 bytes per second is no limit."""

    def __init__(self, bytes_per_second: int | None) -> None:
        self._bytes_per_second = bytes_per_second or 0
        self._free_at_seconds = 0.0

    @property
    def step_bytes(self) -> int | None:
        """In which steps to copy so that progress looks smooth: a quarter of a second each; None is no limit."""
        return max(1, self._bytes_per_second // 4) if self._bytes_per_second else None

    async def allow(self, count_bytes: int) -> None:
        """Wait until these bytes are within the rate; the first ones are at once."""
        if self._bytes_per_second:
            now_seconds = asyncio.get_running_loop().time()
            await asyncio.sleep(self._delay_seconds(count_bytes, now_seconds))

    def _delay_seconds(self, count_bytes: int, now_seconds: float) -> float:
        """Reserve the time of these bytes, and give how far away it starts."""
        starts_at_seconds = max(self._free_at_seconds, now_seconds)
        self._free_at_seconds = starts_at_seconds + count_bytes / self._bytes_per_second
        return starts_at_seconds - now_seconds
