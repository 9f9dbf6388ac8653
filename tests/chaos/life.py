"""A job's life as its log tells it: what happened, in which order, and how often. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from tests.chaos.history import Event

TERMINAL = ("completed", "error", "cancelled")


class TakeOver(NamedTuple):
    """A lease that ran out: whose epoch it was, and when the next claim found it so (milliseconds since 1970)."""

    epoch: int
    found_at_ms: int


class Life:
    """Follows a log event by event; `breaches` are the sentences about what cannot be."""

    def __init__(self, log: Sequence[Event]) -> None:
        self.attempt = 0
        self.failures = 0
        self.take_overs: list[TakeOver] = []
        self.epochs_begun: set[int] = set()
        self.breaches: list[str] = []
        self._state = "new"
        self._epoch = 0
        for event in log:
            self.breaches += self._follow(event)

    @property
    def crashes(self) -> int:
        """Count the leases that ran out."""
        return len(self.take_overs)

    def _follow(self, event: Event) -> Iterator[str]:
        kind, was = event.type, self._state
        if was in TERMINAL:
            yield f"{kind} follows the end"
        is_claim = kind == "started" or (kind == "error" and event.message["error"]["code"] == "CRASHED")
        if event.event_id.epoch != self._epoch + is_claim:
            yield f"{kind} has epoch {event.event_id.epoch} after {self._epoch}"
        if kind not in ("queued", "started") and was != "started":
            yield f"{kind} follows {was}"
        if is_claim and was == "started":
            self.take_overs.append(TakeOver(self._epoch, at_ms(event)))
        yield from self._count(event, was, is_claim=is_claim)
        self._epoch = event.event_id.epoch
        self._state = was if kind == "progress" else kind

    def _count(self, event: Event, was: str, *, is_claim: bool) -> Iterator[str]:
        match event.type:
            case "queued" if was == "started":
                self.attempt -= 1  # a run that was handed back does not count
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
            case "error" if not is_claim:
                self.failures += 1


def at_ms(event: Event) -> int:
    """Give an event's time by its writer's clock (milliseconds since 1970)."""
    return round(datetime.fromisoformat(event.message["at"]).timestamp() * 1000)
