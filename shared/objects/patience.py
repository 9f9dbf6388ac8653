"""How long one operation is tried again while a remote store does not answer."""

import asyncio
import random

from shared import limits
from shared.errors import ObjectError, StoreUnavailable
from shared.retry import full_jitter_ms


class Patience:
    """The tries of one operation: at most `tries` in a row, none after STORE_PATIENCE_SECONDS, jitter between them.

    Progress renews it: a long read that breaks now and then is not given up.
    """

    def __init__(self, tries: int = limits.STORE_TRIES) -> None:
        self._tries = tries
        self._failures = 0
        self._first_failure_at: float | None = None
        self._progress_bytes = 0

    @property
    def is_untouched(self) -> bool:
        """Tell whether no try has failed so far."""
        return self._first_failure_at is None

    def note_progress(self, count_bytes: int) -> None:
        """These many bytes arrived. A trickle does not renew anything: a chunk's worth must come between failures."""
        self._progress_bytes += count_bytes

    async def after(self, error: ObjectError) -> None:
        """Wait until the next try is due.

        Raises `error` itself when trying again cannot help, or has been tried for long enough.
        """
        now_seconds = asyncio.get_running_loop().time()
        if self._first_failure_at is None or self._progress_bytes >= limits.COPY_CHUNK_BYTES:
            self._failures, self._first_failure_at, self._progress_bytes = 0, now_seconds, 0
        self._failures += 1
        delay_seconds = _delay_ms(self._failures) / 1000
        is_over = now_seconds + delay_seconds > self._first_failure_at + limits.STORE_PATIENCE_SECONDS
        if not isinstance(error, StoreUnavailable) or self._failures >= self._tries or is_over:
            raise error
        await asyncio.sleep(delay_seconds)


def _delay_ms(failures: int) -> int:
    return full_jitter_ms(
        failures,
        random.random(),
        base_ms=limits.STORE_RETRY_BASE_MS,
        cap_ms=limits.STORE_RETRY_CAP_MS,
        floor_ms=limits.STORE_RETRY_FLOOR_MS,
    )
