"""A callback as it lies in Redis: what it carries, what was tried with it, and where it stands. Pure.

ended ─▶ waiting ──take──▶ delivering ─▶ delivered
          │ ▲                 │   └────▶ dead
          │ └──try again──────┘
          └──the job ends again─▶ superseded     one that is delivering then, once it would wait again
   redeliver: the last end, from anywhere
"""

import uuid
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple, Self

import msgspec

from shared import limits
from shared.errors import RecordUnreadable
from shared.jobs import JobRecord, partition_of
from shared.jobstore.letter import DeadLetter, decode_letter
from shared.jobstore.record import decode_record

_FOR_ADMINS = "_admin"

CALLBACK_PARTS = ("state", "ended", "tries", "asked_at")
"""What is kept of a callback for whoever looks, each in a field of its own."""


class CallbackState(StrEnum):
    """Where a callback stands; the last three are its ends, unless somebody wants it told again.

    SUPERSEDED: the job has ended again before anybody had heard of this end, and the later one is told in its place.
    """

    WAITING = "waiting"
    DELIVERING = "delivering"
    DELIVERED = "delivered"
    DEAD = "dead"
    SUPERSEDED = "superseded"


_STATES = {state.value: state for state in CallbackState}


class CallbackName(NamedTuple):
    """Which callback: of which end of which job (its epoch), to whom. As text it is the `webhook-id`."""

    job_id: str
    epoch: int
    is_for_admins: bool = False

    @property
    def text(self) -> str:
        """Write the id: always the same, at each try."""
        return f"msg_{self.job_id.replace('-', '')}_{self.field}"

    @property
    def field(self) -> str:
        """Name it among the callbacks of its job."""
        return f"{self.epoch}{_FOR_ADMINS if self.is_for_admins else ''}"

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Read an id; None for what is none."""
        try:
            prefix, digits, field = text.split("_", 2)
            name = cls.of_field(str(uuid.UUID(digits)), field)
        except ValueError:
            return None
        is_ours = name is not None and prefix == "msg" and partition_of(name.job_id) is not None and name.text == text
        return name if is_ours else None

    @classmethod
    def of_field(cls, job_id: str, field: str) -> Self | None:
        """Read what stands for it among the callbacks of its job; None for anything else."""
        epoch = field.removesuffix(_FOR_ADMINS)
        return cls(job_id, int(epoch), epoch != field) if epoch.isascii() and epoch.isdigit() else None


class DeliveryOutcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """How one try went, as owners may read it: the status of the answer, or in words why there was none.

    `at_ms` is when it began, in milliseconds since 1970.
    """

    at_ms: int
    duration_ms: int
    status: int | None = None
    error: str | None = None


class TakenCallback(msgspec.Struct, frozen=True, kw_only=True):
    """One try of a callback in a deliverer's hands; `token` is its fence.

    `record` is the job as it was when it ended; `entry`, `token`, `file_ids` and all else that is not told are empty,
    its `callback_url` says whom to tell, but for the admins' callback. `total_files` is how many were asked for,
    `message` its terminal event as it was encoded, `letter` the dead letter that the admins are told of. `attempt` is
    one more than the tries that have ended since it was last asked for: those that were released are none, nor are
    those whose deliverer died. `tries` are the last ones before it, also from before it was asked for. `lost` counts
    the deliverers that died with it since a try has ended; it has waited for `waited_ms` since somebody first took it,
    or since it was taken after somebody asked for it anew.
    """

    name: CallbackName
    partition: int
    token: str
    attempt: int
    record: JobRecord
    total_files: int
    message: bytes
    letter: DeadLetter | None = None
    tries: tuple[DeliveryOutcome, ...] = ()
    lost: int = 0
    waited_ms: int = 0

    @property
    def callback_id(self) -> str:
        """The `webhook-id`."""
        return self.name.text

    @property
    def is_for_admins(self) -> bool:
        """Tell whether it goes to the admins' URL, which the deliverer knows, and to none of its own."""
        return self.name.is_for_admins

    def tries_with(self, outcome: DeliveryOutcome) -> bytes:
        """Write the last tries, this outcome among them."""
        return msgspec.json.encode((*self.tries, outcome)[-limits.CALLBACK_TRIES_KEPT :])


class CallbackRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of one callback, for whoever looks.

    `next_try_at_ms` (milliseconds since 1970) is known while it waits. `tries` are the last ones that have ended.
    `attempt` counts them, and the one that goes on, since it was last asked for anew at `asked_at_ms`; None: never.
    """

    name: CallbackName
    state: CallbackState
    url: str | None
    attempt: int
    tries: tuple[DeliveryOutcome, ...]
    next_try_at_ms: int | None
    asked_at_ms: int | None = None

    @property
    def callback_id(self) -> str:
        """The `webhook-id`."""
        return self.name.text


class DeadCallback(msgspec.Struct, frozen=True, kw_only=True):
    """A callback that was given up; `dead_id` is its place in its partition's stream.

    `reason` is the last answer in words, `status` its number, None when there was none.
    """

    dead_id: str
    callback_id: str
    job_id: str
    owner: str
    url: str
    attempts: int
    reason: str
    status: int | None


class OutboxCounts(NamedTuple):
    """One partition's callbacks: those that wait or are being delivered, and those that were given up.

    `overdue_ms`: for how long the one that is due the longest is due; 0 when none is.
    """

    waiting: int
    dead: int
    overdue_ms: int


class Unread(NamedTuple):
    """One try of a callback that its deliverer cannot read: what take_callback.lua gives, as it came."""

    name: CallbackName
    token: str
    attempt: int
    carried: bytes
    letter: bytes
    tries: bytes
    owner: bytes
    url: bytes
    lost: int
    waited_ms: int


def decode_taken(name: CallbackName, *, partition: int, token: str, reply: Sequence[Any]) -> TakenCallback:
    """Read what take_callback.lua gives behind its word. Raises RecordUnreadable."""
    attempt, carried, letter, tries, owner, url, lost, waited_ms = reply
    message, *flat = _texts(carried)
    found = dict(zip(flat[::2], flat[1::2], strict=False))
    total_files = found.pop(b"total_files", b"")
    found |= {b"owner": owner, b"entry": b"", b"file_ids": b"[]"} | ({b"callback_url": url} if url else {})
    record = decode_record(name.job_id, [text for pair in found.items() for text in pair])
    if record is None or not total_files.isdigit():
        raise RecordUnreadable(f"Callback {name.text} carries nothing that can be read.")
    return TakenCallback(
        name=name,
        partition=partition,
        token=token,
        attempt=attempt,
        record=record,
        total_files=int(total_files),
        message=message,
        letter=decode_letter(partition, _entry(letter)) if letter else None,
        tries=decode_tries(tries),
        lost=lost,
        waited_ms=waited_ms,
    )


def decode_callback(
    name: CallbackName, url: bytes | None, parts: Sequence[bytes | None], *, due_at_ms: int | None
) -> CallbackRecord:
    """Read one callback from its CALLBACK_PARTS; what cannot be read is left empty."""
    state, ended, tries, asked_at = (part or b"" for part in parts)
    known = _STATES.get(state.decode(errors="replace"), CallbackState.WAITING)
    return CallbackRecord(
        name=name,
        state=known,
        url=url.decode(errors="replace") if url and not name.is_for_admins else None,
        attempt=(int(ended) if ended.isdigit() else 0) + (known is CallbackState.DELIVERING),
        tries=decode_tries(tries),
        next_try_at_ms=due_at_ms if known is CallbackState.WAITING else None,
        asked_at_ms=int(asked_at) if asked_at.isdigit() else None,
    )


def decode_tries(encoded: bytes) -> tuple[DeliveryOutcome, ...]:
    """Read the tries so far; those that cannot be read are forgotten: what is to be told matters more."""
    try:
        return msgspec.json.decode(encoded or b"[]", type=tuple[DeliveryOutcome, ...])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ()


def decode_dead(entry: Any) -> DeadCallback:
    """Read a dead callback from its stream entry."""
    dead_id, flat = entry
    found = {flat[i].decode(errors="replace"): flat[i + 1].decode(errors="replace") for i in range(0, len(flat), 2)}
    attempts, status = found.get("attempts", ""), found.get("status", "")
    return DeadCallback(
        dead_id=dead_id.decode(),
        callback_id=found.get("callback", ""),
        job_id=found.get("job", ""),
        owner=found.get("owner", ""),
        url=found.get("url", ""),
        attempts=int(attempts) if attempts.isdigit() else 0,
        reason=found.get("reason", ""),
        status=int(status) if status.isdigit() else None,
    )


def _texts(encoded: bytes) -> list[bytes]:
    """Read a list of texts as scripts write it (cjson, which leaves bytes that are no UTF-8 as they are)."""
    try:
        texts = msgspec.json.decode(encoded.decode(errors="replace"), type=tuple[str | int, ...])
    except msgspec.MsgspecError:
        return [b""]
    return [str(text).encode() for text in texts] or [b""]


def _entry(letter: bytes) -> tuple[bytes, list[bytes]]:
    _, *flat = _texts(letter)
    return (flat[0] if flat else b"0-0"), flat[1:]
