"""What admins are told of a dead letter, and what follows from how it was received. Pure."""

from typing import NamedTuple
from urllib.parse import quote

import msgspec

from processor.dead_letters.view import LetterView, view
from shared import limits
from shared.events import timestamp
from shared.jobstore.letter import DeadLetter
from shared.retry import full_jitter_ms

# The endpoint, or a proxy before it, says that it is not there or has no time: that is about no letter in particular.
_AWAY = frozenset({408, 425, 429, 502, 503, 504})


class DeadLetterMessage(msgspec.Struct, frozen=True, tag="dead_letter", tag_field="type"):
    """The body of the POST; `timestamp` is when the job failed (RFC 3339)."""

    timestamp: str
    data: LetterView


class TellPolicy(NamedTuple):
    """How often, and how patiently, admins are told of one letter."""

    look_every_seconds: float = limits.TELL_EVERY_SECONDS
    max_refusals: int = limits.MAX_TELL_REFUSALS
    max_tries: int = limits.MAX_TELL_TRIES
    base_ms: int = limits.TELL_BASE_MS
    cap_ms: int = limits.TELL_CAP_MS
    floor_ms: int = limits.TELL_FLOOR_MS


DEFAULT_POLICY = TellPolicy()


class Tries(NamedTuple):
    """What was tried already with one letter: all tries, and those that the endpoint answered with a refusal."""

    all: int = 0
    refused: int = 0


class Told(NamedTuple):
    """The admins know."""


class TellAgain(NamedTuple):
    """It is tried again after `delay_ms`; `is_away`: the endpoint was not there, so that other letters wait too."""

    tries: Tries
    delay_ms: int
    is_away: bool


class GivenUp(NamedTuple):
    """This letter is passed over: it has been tried often enough, and others wait behind it."""


def body_of(letter: DeadLetter) -> bytes:
    """Encode the message."""
    return msgspec.json.encode(DeadLetterMessage(timestamp(letter.at_ms), view(letter)))


def headers_of(letter: DeadLetter) -> dict[str, str]:
    """Give the headers; the id stays the same in every try: a receiver drops what it has (Standard Webhooks 1.0).

    A damaged letter may name a job that no header can: what is not as in a URL is escaped as there (RFC 3986 §2.1).
    """
    return {"Content-Type": "application/json", "webhook-id": f"dead_{quote(letter.job_id, safe='')}_{letter.dead_id}"}


def after_reception(
    status: int | None, tries: Tries, policy: TellPolicy, *, random_ratio: float, is_broken: bool = False
) -> Told | TellAgain | GivenUp:
    """Decide what follows a try. Only 2xx is success; `status` None: there was no answer.

    `tries` are those before this one, `random_ratio` is in [0, 1). `is_broken`: it was not sent, by a mistake of ours
    about this letter, which counts as a refusal.
    """
    if status is not None and 200 <= status < 300:
        return Told()
    is_away = not is_broken and (status is None or status in _AWAY)
    tries = Tries(tries.all + 1, tries.refused + (not is_away))
    if tries.refused >= policy.max_refusals or tries.all >= policy.max_tries:
        return GivenUp()
    delay_ms = full_jitter_ms(
        tries.all, random_ratio, base_ms=policy.base_ms, cap_ms=policy.cap_ms, floor_ms=policy.floor_ms
    )
    return TellAgain(tries, delay_ms, is_away)
