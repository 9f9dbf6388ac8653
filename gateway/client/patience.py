"""How long a client goes on trying, and how long it pauses in between. Pure: time and chance are passed in."""

from shared import limits
from shared.retry import full_jitter_ms


class Patience:
    """Counts tries in a row without progress. Spent after so many of them, or after five minutes."""

    def __init__(self, now_ms: int, *, tries: int = limits.CLIENT_TRIES) -> None:
        self._tries = tries
        self._failures = 0
        self._progress_at_ms = now_ms

    def progressed(self, now_ms: int) -> None:
        """Note that something came: the count begins anew."""
        self._failures = 0
        self._progress_at_ms = now_ms

    def pause_ms(
        self,
        now_ms: int,
        random_ratio: float,
        *,
        at_least_ms: int = 0,
        within_seconds: float = limits.CLIENT_PATIENCE_SECONDS,
    ) -> int | None:
        """Note a failed try; give the pause before the next one, None when there shall be none.

        `at_least_ms` is what the server asked for (`Retry-After`, `retry:`); `random_ratio` is in [0, 1).
        `within_seconds` is how long without progress is worth waiting for this trouble.
        """
        self._failures += 1
        pause_ms = full_jitter_ms(
            self._failures,
            random_ratio,
            base_ms=limits.CLIENT_RETRY_BASE_MS,
            cap_ms=limits.CLIENT_RETRY_CAP_MS,
            floor_ms=limits.CLIENT_RETRY_FLOOR_MS,
        )
        pause_ms = max(pause_ms, at_least_ms)
        is_spent = self._failures >= self._tries or now_ms + pause_ms - self._progress_at_ms > within_seconds * 1000
        return None if is_spent else pause_ms
