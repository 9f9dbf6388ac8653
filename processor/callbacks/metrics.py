"""What is counted of callbacks: tries by outcome, and those given up."""

from opentelemetry.metrics import Meter

from processor.callbacks.outcome import Cause, Reception, Trouble

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20)


class DeliveryMetrics:
    """Counts each try once, by the processor that made it."""

    OUTCOMES = ("delivered", "refused", *Trouble)
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
            for cause in Cause:
                self._given_up.add(0, {"to": to, "reason": str(cause)})

    def count_try(self, reception: Reception, *, duration_ms: int) -> None:
        """Count a try and what it took."""
        self._deliveries.add(1, {"outcome": outcome_of(reception)})
        self._duration.record(duration_ms / 1000)

    def count_put_off(self) -> None:
        """Count a callback that was due, and for which there was no place: its receiver's, or owner's, are taken."""
        self._put_off.add(1)

    def count_given_up(self, *, is_for_admins: bool, cause: Cause) -> None:
        """Count a callback that is not tried any more, by its cause."""
        self._given_up.add(1, {"to": self.TO[is_for_admins], "reason": str(cause)})


def outcome_of(reception: Reception) -> str:
    """Name the outcome of a try: one of DeliveryMetrics.OUTCOMES."""
    return str(reception.trouble or ("delivered" if reception.is_success else "refused"))
