"""What follows from a try to deliver a callback. Pure.

What is said of it in words is read by the job's owner, who has chosen the URL: it must tell nothing of our network
that the owner does not know. So a name that leads nowhere and one that leads where callbacks do not go are told alike,
and so is every way in which no connection comes about. What exactly it was stands in the processor's log.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from processor.callbacks.schedule import next_delay_ms, read_retry_after
from shared import limits

_GONE = 410


class Trouble(StrEnum):
    """Why there was no answer."""

    URL_REFUSED = "url_refused"
    NO_ADDRESS = "no_address"
    NO_CONNECTION = "no_connection"
    NO_TLS = "no_tls"
    NO_ANSWER = "no_answer"
    CLOSED_EARLY = "closed_early"
    NO_HTTP = "no_http"
    BROKE = "broke"


_IN_WORDS = {
    Trouble.URL_REFUSED: "The URL is not one that callbacks go to.",
    Trouble.NO_ADDRESS: "The URL's host leads to no address that callbacks go to.",
    Trouble.NO_CONNECTION: "No connection to the receiver came about.",
    Trouble.NO_TLS: "No TLS connection that can be trusted came about: see the receiver's certificate.",
    Trouble.NO_ANSWER: f"The receiver did not answer within {limits.CALLBACK_WITHIN_SECONDS:g} seconds.",
    Trouble.CLOSED_EARLY: "The receiver closed the connection before it had answered.",
    Trouble.NO_HTTP: "The receiver's answer was none that HTTP knows.",
    Trouble.BROKE: "Something went wrong on our side.",
}


class Reception(NamedTuple):
    """How a POST was received: the status of its answer, or why there was none.

    `retry_after` is the header of the answer as it came. `details` is for operators alone.
    """

    status: int | None = None
    trouble: Trouble | None = None
    retry_after: str | None = None
    details: str = ""

    @property
    def is_success(self) -> bool:
        """Tell whether the callback has arrived. A redirect is no success: it is not followed."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def words(self) -> str:
        """Say it in a sentence for the job's owner."""
        if self.trouble is not None:
            return _IN_WORDS[self.trouble]
        if self.is_success:
            return f"The receiver answered {self.status}."
        if self.status == _GONE:
            return "The receiver answered 410: it wants no more of this."
        redirect = ", a redirect, which is not followed" if 300 <= (self.status or 0) < 400 else ""
        return f"The receiver answered {self.status}{redirect}."


class Delivered(NamedTuple):
    """The receiver has it."""


class TryAgain(NamedTuple):
    """It is tried again after `delay_ms`."""

    delay_ms: int


class Cause(StrEnum):
    """Why a callback is not tried any more; those who count it tell these apart.

    TRIES: all of the schedule have failed. GONE: its receiver wants no more (410). WAITED: a try has failed when it had
    waited for longer than the schedule takes. NO_TURN: it found no place for as long. DELIVERERS_DIED: many, one after
    the other.
    """

    TRIES = "tries"
    GONE = "gone"
    WAITED = "waited"
    NO_TURN = "no_turn"
    DELIVERERS_DIED = "deliverers_died"


_CAUSES_IN_WORDS = {
    Cause.TRIES: "It was tried often enough.",
    Cause.GONE: "The receiver wants no more.",
    Cause.WAITED: "It has waited for too long.",
    Cause.NO_TURN: "The callbacks before it took too long: its turn has not come.",
    Cause.DELIVERERS_DIED: "The processors that took it died, one after the other.",
}


class GiveUp(NamedTuple):
    """It is not tried any more, and why."""

    cause: Cause

    @property
    def reason(self) -> str:
        """Say why in a sentence."""
        return _CAUSES_IN_WORDS[self.cause]


Verdict = Delivered | TryAgain | GiveUp


def has_waited_too_long(waited_ms: int, schedule_seconds: Sequence[int]) -> bool:
    """Tell whether a callback has waited a day longer than all tries of the schedule take.

    Its receiver asks for one pause after the other, or its owner keeps more of them waiting than can ever be told: what
    waits must have an end. One that finds a place is tried all the same.
    """
    schedule_ms = sum(schedule_seconds) * 1000 * (1 + limits.CALLBACK_JITTER_RATIO)
    return waited_ms > schedule_ms + limits.CALLBACK_WAITS_LONGER_MS


def after_try(
    reception: Reception,
    *,
    tries: int,
    schedule_seconds: Sequence[int],
    random_ratio: float,
    now_ms: int,
    waited_ms: int = 0,
) -> Verdict:
    """Decide what follows a try; `tries` counts it in, `waited_ms` is since the first, `random_ratio` is in [0, 1).

    Only 2xx is success. 410 ends it at once (Standard Webhooks 1.0: the receiver wants no more). All else may be mended
    by somebody, the URL's own text too: operators can allow what they had forbidden.
    """
    if reception.is_success:
        return Delivered()
    if reception.status == _GONE:
        return GiveUp(Cause.GONE)
    wanted_seconds = read_retry_after(reception.retry_after, now_ms=now_ms)
    delay_ms = next_delay_ms(tries, schedule_seconds, random_ratio, wanted_seconds=wanted_seconds)
    if has_waited_too_long(waited_ms, schedule_seconds):
        return GiveUp(Cause.WAITED)
    return GiveUp(Cause.TRIES) if delay_ms is None else TryAgain(delay_ms)
