"""What is counted of callbacks: tries by outcome, those given up, and what stands in the outbox."""

import asyncio
import random
from collections.abc import Callable, Iterable

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from processor.callbacks.outcome import Reception, Trouble
from shared import limits
from shared.errors import UnavailableError
from shared.jobstore.callback import OutboxCounts
from shared.jobstore.outbox import Outbox

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20)


class DeliveryMetrics:
    """Counts each try once, by the processor that made it."""

    OUTCOMES = ("delivered", "refused", *(trouble for trouble in Trouble if trouble is not Trouble.NO_TURN))
    """`refused`: an answer that is no success; the others: why there was none."""
    TO = ("owner", "admins")

    def __init__(self, meter: Meter) -> None:
        self._deliveries = meter.create_counter("callback_deliveries", description="Tries to deliver, by outcome")
        self._given_up = meter.create_counter("callbacks_given_up", description="Callbacks that nobody was told of")
        self._put_off = meter.create_counter(
            "callbacks_put_off", description="Callbacks that were due and had to wait for a place"
        )
        self._put_off.add(0)
        self._duration = meter.create_histogram(
            "callback_duration",
            unit="s",
            description="From the begin of a try to its answer, or its failure",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        for outcome in self.OUTCOMES:  # one that appears with its first event hides that from rate()
            self._deliveries.add(0, {"outcome": str(outcome)})
        for to in self.TO:
            self._given_up.add(0, {"to": to})

    def count_try(self, reception: Reception, *, duration_ms: int) -> None:
        """Count a try and what it took."""
        self._deliveries.add(1, {"outcome": outcome_of(reception)})
        self._duration.record(duration_ms / 1000)

    def count_put_off(self) -> None:
        """Count a callback that was due, and for which there was no place: its receiver's, or owner's, are taken."""
        self._put_off.add(1)

    def count_given_up(self, *, is_for_admins: bool) -> None:
        """Count a callback that is not tried any more."""
        self._given_up.add(1, {"to": self.TO[is_for_admins]})


def outcome_of(reception: Reception) -> str:
    """Name the outcome of a try: one of DeliveryMetrics.OUTCOMES."""
    return str(reception.trouble or ("delivered" if reception.is_success else "refused"))


class OutboxGauges:
    """What stands in the outbox of all partitions, read every few seconds."""

    def __init__(self, meter: Meter, outbox: Outbox) -> None:
        self._outbox = outbox
        self._latest: tuple[OutboxCounts, ...] = ()
        for name, description, of in (
            ("callbacks_waiting", "Callbacks that are not delivered yet", lambda counts: counts.waiting),
            ("callbacks_dead", "Callbacks that were given up, and are kept", lambda counts: counts.dead),
        ):
            meter.create_observable_gauge(name, [self._sum_of(of)], description=description)
        what = "For how long the callback that is due the longest has been due"
        meter.create_observable_gauge("callbacks_overdue", [self._overdue], unit="s", description=what)

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            try:
                self._latest = tuple([await self._outbox.counts(p) for p in range(self._outbox.partitions)])
            except UnavailableError:
                self._latest = ()  # no number is better than an old one
            await asyncio.sleep(random.uniform(0.8, 1.2) * limits.BACKLOG_EVERY_SECONDS)

    def _sum_of(self, of: Callable[[OutboxCounts], int]) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_: CallbackOptions) -> Iterable[Observation]:
            return [Observation(sum(map(of, self._latest)))] if self._latest else []

        return observe

    def _overdue(self, _: CallbackOptions) -> Iterable[Observation]:
        return [Observation(max(counts.overdue_ms for counts in self._latest) / 1000)] if self._latest else []
