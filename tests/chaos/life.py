"""A job's life as its log tells it: what happened, in which order, and how often. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from tests.chaos.history import Event

TERMINAL = ("completed", "error", "cancelled")
WAITS = ("queued", "retrying")
FOUND_SOME_TIME = 2**53


class TakeOver(NamedTuple):
    """A lease that ran out: whose epoch it was, and when the next claim found it so (milliseconds since 1970).

    FOUND_SOME_TIME: the claim wrote a message that somebody else had dated, who wanted the job to end.
    """

    epoch: int
    found_at_ms: int


class Life:
    """Follows a log event by event; `breaches` are the sentences about what cannot be."""

    def __init__(self, log: Sequence[Event]) -> None:
        self.attempt = 0
        self.failures = 0
        self.take_overs: list[TakeOver] = []
        self.epochs_begun: set[int] = set()
        self.redriven_from: list[int] = []
        """The epochs under which it had failed when it was started anew."""
        self.breaches: list[str] = []
        self._state = "new"
        self._epoch = 0
        self._forgiven = 0
        for event in log:
            self.breaches += self._follow(event)

    @property
    def crashes(self) -> int:
        """Count the leases that ran out since the job was started anew."""
        return len(self.take_overs) - self._forgiven

    def _follow(self, event: Event) -> Iterator[str]:
        kind, was = event.type, self._state
        raises = event.event_id.epoch == self._epoch + 1
        is_redrive = kind == "queued" and was == "error"
        # Whoever ends a job that waits raises the epoch; so does the claim that ends it in place of a dead run.
        is_end_of_waiting = was in WAITS and (kind == "cancelled" or code_of(event) == "EXPIRED")
        is_claim = (
            kind == "started" or code_of(event) == "CRASHED" or (kind == "cancelled" and was == "started" and raises)
        )
        if was in TERMINAL and not is_redrive:
            yield f"{kind} follows the end"
        if event.event_id.epoch != self._epoch + (is_claim or is_redrive or is_end_of_waiting):
            yield f"{kind} has epoch {event.event_id.epoch} after {self._epoch}"
        if kind not in ("queued", "started") and was != "started" and not is_end_of_waiting:
            yield f"{kind} follows {was}"
        if code_of(event) == "EXPIRED" and not is_end_of_waiting:
            yield f"it expires after {was}"
        if is_claim and was == "started":
            self.take_overs.append(TakeOver(self._epoch, FOUND_SOME_TIME if kind == "cancelled" else at_ms(event)))
        yield from self._count(event, was, is_claim=is_claim)
        self._epoch = event.event_id.epoch
        self._state = was if kind == "progress" else kind

    def _count(self, event: Event, was: str, *, is_claim: bool) -> Iterator[str]:
        match event.type:
            case "queued" if was == "started":
                self.attempt -= 1  # a run that was handed back does not count
            case "queued" if was == "error":
                self.attempt = self.failures = 0
                self._forgiven = len(self.take_overs)
                self.redriven_from.append(self._epoch)
            case "queued" if was != "new":
                yield f"queued follows {was}"
            case "started":
                self.attempt += 1
                self.epochs_begun.add(event.event_id.epoch)
                if event.message["attempt"] != self.attempt:
                    yield f"attempt {event.message['attempt']} is the {self.attempt}. one"
                if was == "new":
                    yield "started is the first event"
            case "retrying":
                self.failures += 1
            case "error" if not is_claim and code_of(event) != "EXPIRED":
                self.failures += 1


def code_of(event: Event) -> str:
    """Give the code of an error; "" for any other event."""
    return str(event.message["error"]["code"]) if event.type == "error" else ""


def at_ms(event: Event) -> int:
    """Give an event's time by its writer's clock (milliseconds since 1970)."""
    return round(datetime.fromisoformat(event.message["at"]).timestamp() * 1000)
