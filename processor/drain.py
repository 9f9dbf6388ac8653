"""The last phase of a processor, told: what it had in hand, what became of that, and how long it took.

SIGTERM ─▶ take nothing more ─▶ runs go on, leases are kept ─┬─ all have ended ──────────────▶ exit
                                                             └─ time is up ─┬─▶ hand back ─▶ exit
SIGTERM again, SIGINT ──────────────────────────────────────────────────────┘
"""

import time
from collections import Counter

import structlog

from processor.metrics import ProcessorMetrics
from processor.outcome import Fate

log = structlog.get_logger(__name__)


class Drain:
    """Keeps the account of one drain: begun once, noted run by run, ended once."""

    def __init__(self, metrics: ProcessorMetrics) -> None:
        self._metrics = metrics
        self._began_at: float | None = None
        self._fates: Counter[Fate] = Counter()

    @property
    def has_begun(self) -> bool:
        """Tell whether this processor takes no more jobs."""
        return self._began_at is not None

    @property
    def seconds(self) -> float:
        """Tell for how long it has been going on; 0 when it has not begun."""
        return 0.0 if self._began_at is None else time.monotonic() - self._began_at

    def begin(self, jobs: int, *, within_seconds: float) -> None:
        """Note what was in hand, and after how many seconds the rest is handed back."""
        self._began_at = time.monotonic()
        log.info("processor draining", jobs=jobs, within_seconds=within_seconds)

    def note(self, fate: Fate) -> None:
        """Note what became of a run."""
        self._fates[fate] += 1
        self._metrics.count_drained(fate)

    def end(self) -> None:
        """Say what came of it."""
        counts = {fate.value: self._fates[fate] for fate in Fate}
        log.info("processor drained", **counts, took_seconds=round(self.seconds, 3))
