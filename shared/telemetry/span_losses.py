"""Counts spans that reach no collector. The SDK's queue drops the oldest without telling anybody how many."""

import threading
from collections.abc import Iterable

from opentelemetry.metrics import CallbackOptions, Meter, Observation

REASONS = ("queue_full", "not_taken")


class SpanLosses:
    """How many spans wait, by what went into the queue and what came out of it, and how many are lost.

    `most_waiting`: what the queue holds. Spans end in the event loop and are sent in a thread: hence the lock.
    """

    def __init__(self, *, most_waiting: int) -> None:
        self._most_waiting = most_waiting
        self._waiting = 0
        self._lost = dict.fromkeys(REASONS, 0)
        self._lock = threading.Lock()

    @property
    def total(self) -> int:
        """How many are lost until now."""
        return sum(self._lost.values())

    def note_queued(self) -> None:
        """Note a span that goes into the queue; a full one drops another for it."""
        with self._lock:
            is_full = self._waiting >= self._most_waiting
            self._lost["queue_full"] += is_full
            self._waiting += not is_full

    def note_batch(self, spans: int) -> None:
        """Note spans that leave the queue to be sent."""
        with self._lock:
            self._waiting = max(0, self._waiting - spans)

    def note_not_taken(self, spans: int) -> None:
        """Note spans that the collector has not taken."""
        with self._lock:
            self._lost["not_taken"] += spans

    def report(self, meter: Meter) -> None:
        """Show them as `trace_spans_lost_total`."""

        def observe(_: CallbackOptions) -> Iterable[Observation]:
            return [Observation(lost, {"reason": reason}) for reason, lost in self._lost.items()]

        meter.create_observable_counter(
            "trace_spans_lost", [observe], description="Spans that no collector has got, by reason"
        )
