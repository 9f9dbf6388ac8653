"""The dead letter: the evidence of a job that failed for good, as it lies in its partition's stream. Pure."""

import re
from typing import Any

import msgspec

from shared import limits
from shared.jobs import JobError

_LETTER_ID = re.compile(r"[0-9]{1,19}-[0-9]{1,19}", re.ASCII)
_LATEST_MS = 253_402_300_799_000  # the end of the year 9999: what somebody else wrote there must be shown too


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """The evidence of a job that failed for good; `reason` is `permanent`, `failures`, `crashes`, `expired`
    (it waited too long), `damaged` (its record could not be read) or `foreign` (an entry that names no job).

    `dead_id` is its place in its partition's stream, `number` counts the partition's letters without holes, `epoch` is
    the one under which the job failed. `events` are the job's last messages, as their writers encoded them.
    """

    dead_id: str
    partition: int
    number: int
    job_id: str
    owner: str
    epoch: int
    reason: str
    error: JobError
    attempts: int
    failures: int
    crashes: int
    processor: str
    events: tuple[msgspec.Raw, ...]

    @property
    def at_ms(self) -> int:
        """When it was written, in milliseconds since 1970 on Redis' clock."""
        return min(int(self.dead_id.partition("-")[0]), _LATEST_MS)


def is_letter_id(text: str) -> bool:
    """Tell whether a text has the form of a dead letter's id."""
    return _LETTER_ID.fullmatch(text) is not None


def decode_letter(partition: int, entry: Any) -> DeadLetter:
    """Read a letter from its stream entry; what is missing or unreadable is left empty: the rest is evidence."""
    dead_id, flat = entry
    found = {flat[i].decode(errors="replace"): flat[i + 1] for i in range(0, len(flat), 2)}
    return DeadLetter(
        dead_id=dead_id.decode(),
        partition=partition,
        error=_error(found.get("error", b"")),
        job_id=_text(found, "job"),
        owner=_text(found, "owner"),
        reason=_text(found, "reason"),
        processor=_text(found, "processor"),
        number=_number(found, "number"),
        epoch=_number(found, "epoch"),
        attempts=_number(found, "attempts"),
        failures=_number(found, "failures"),
        crashes=_number(found, "crashes"),
        events=_events(found.get("events", b"[]")),
    )


def _text(found: dict[str, bytes], name: str) -> str:
    return found.get(name, b"").decode(errors="replace")


def _number(found: dict[str, bytes], name: str) -> int:
    text = found.get(name, b"")
    return int(text) if text.isdigit() else 0


def _error(encoded: bytes) -> JobError:
    try:
        return msgspec.json.decode(encoded, type=JobError)
    except msgspec.MsgspecError:
        return JobError("UNREADABLE", encoded.decode(errors="replace")[: limits.MAX_ERROR_CHARS])


def _events(encoded: bytes) -> tuple[msgspec.Raw, ...]:
    try:
        return msgspec.json.decode(encoded.decode(errors="replace"), type=tuple[msgspec.Raw, ...])
    except msgspec.MsgspecError:
        return ()
