"""Which dead letters an operator means, and how fast they are worked through: read from text. Pure."""

import re
from datetime import UTC, datetime

import msgspec

from shared.jobstore.letter import DeadLetter

_AGO = re.compile(r"([0-9]{1,6})([smhd])", re.ASCII)
_UNIT_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_RATE = re.compile(r"([0-9]{1,5}(?:\.[0-9]{1,3})?)(?:/s)?", re.ASCII)


class LetterChoice(msgspec.Struct, frozen=True, kw_only=True):
    """The filters of a command; None: whatever it is. `since_ms` is milliseconds since 1970."""

    reason: str | None = None
    code: str | None = None
    owner: str | None = None
    job: str | None = None
    since_ms: int | None = None

    @property
    def is_everything(self) -> bool:
        """Tell whether no filter is set."""
        return self == LetterChoice()

    def has(self, letter: DeadLetter) -> bool:
        """Tell whether a letter is meant."""
        pairs = (
            (self.reason, letter.reason),
            (self.code, letter.error.code),
            (self.owner, letter.owner),
            (self.job, letter.job_id),
        )
        return letter.at_ms >= (self.since_ms or 0) and all(wanted in (None, found) for wanted, found in pairs)


def read_since(text: str, *, now_ms: int) -> int:
    """Read `90s`, `30m`, `2h`, `7d` ago, or a date or time in ISO 8601 (UTC unless it says otherwise), as milliseconds.

    Raises ValueError with a sentence.
    """
    if ago := _AGO.fullmatch(text):
        return max(0, now_ms - int(ago[1]) * _UNIT_MS[ago[2]])
    try:
        at = datetime.fromisoformat(text)
        since_ms = int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no time. Write 90s, 30m, 2h or 7d, or 2026-11-27T10:00:00Z.") from None
    return max(0, since_ms)


def read_rate(text: str) -> float:
    """Read `20` or `20/s` as letters a second. Raises ValueError with a sentence."""
    rate = _RATE.fullmatch(text)
    if rate is None or not float(rate[1]):
        raise ValueError(f"{text!r} is no rate. Write a number of letters a second above 0: 20, 20/s or 0.5/s.")
    return float(rate[1])
