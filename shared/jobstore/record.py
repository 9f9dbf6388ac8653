"""The one module that knows how a record lies in Redis, and how replies are shaped.

Fields are strings; lists and structs are JSON; empty fields are left out. `schema` is the version of all that: a higher
one is for a change that older processes must not misread.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import msgspec

from shared.errors import RecordUnreadable
from shared.jobs import (
    BundleSummary,
    Checkpoint,
    JobError,
    JobOptions,
    JobRecord,
    JobState,
    ProgressSnapshot,
    Standing,
)

T = TypeVar("T")

SCHEMA = 1

_NUMBERS = {
    "epoch": "epoch",
    "seq": "seq",
    "attempt": "attempt",
    "failures": "failures",
    "crashes": "crashes",
    "due_at": "due_at_ms",
    "created_at": "created_at_ms",
    "updated_at": "updated_at_ms",
    "started_at": "started_at_ms",
    "finished_at": "finished_at_ms",
    "expires_at": "expires_at_ms",
    "deleted_at": "deleted_at_ms",
    "run_at": "run_at_ms",
    "redriven_at": "redriven_at_ms",
}
_FLAGS = {"permanent": "is_permanent"}
_OWN_NAMES = _NUMBERS | _FLAGS
_TEXTS = ("owner", "entry", "token", "processor", "object_key", "traceparent", "callback_url", "dead_id")
_STRUCTS: dict[str, type] = {
    "file_ids": tuple[int, ...],
    "options": JobOptions,
    "progress": ProgressSnapshot,
    "error": JobError,
    "bundle": BundleSummary,
}

_CHECKPOINT = msgspec.json.Decoder(Checkpoint)
_STANDING = msgspec.json.Decoder(Standing)


def read_checkpoint(text: bytes) -> Checkpoint | None:
    """Read a checkpoint; None for what is none: a job may lose what it has done, and must not be lost for it."""
    return _read_or_none(_CHECKPOINT, text)


def _read_standing(text: bytes) -> Standing | None:
    """Read what estimates are made from; what cannot be read is not known, and no reason to end a job."""
    return _read_or_none(_STANDING, text)


def _read_or_none(decoder: msgspec.json.Decoder[T], text: bytes) -> T | None:
    try:
        return decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


# How each field is read from its bytes; whatever a record has besides is passed over.
_READERS: dict[str, Callable[[bytes], Any]] = {
    **dict.fromkeys(_NUMBERS, int),
    **dict.fromkeys(_FLAGS, lambda text: text == b"1"),
    **dict.fromkeys(_TEXTS, bytes.decode),
    **{name: msgspec.json.Decoder(kind).decode for name, kind in _STRUCTS.items()},
    "checkpoint": read_checkpoint,
    "standing": _read_standing,
}
_WRITTEN_SCHEMA = b"%d" % SCHEMA


def decode_record(job_id: str, flat: Sequence[bytes]) -> JobRecord | None:
    """Read a record from the flat list of HGETALL; None when there is none. Raises RecordUnreadable."""
    if not flat:
        return None
    try:
        return _decode(job_id, flat)
    except (KeyError, ValueError, TypeError, msgspec.MsgspecError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise RecordUnreadable(f"The record of job {job_id} cannot be read ({reason}). {_ADVICE}") from error


_ADVICE = "Tell the operators: the job must be created again."


def _decode(job_id: str, flat: Sequence[bytes]) -> JobRecord:
    found = _as_dict(flat)
    if (schema := found.get("schema", _WRITTEN_SCHEMA)) != _WRITTEN_SCHEMA:
        raise ValueError(f"schema {schema.decode()[:20]} in place of {SCHEMA}")
    fields: dict[str, Any] = {"job_id": job_id, "state": JobState(found["state"].decode())}
    fields |= {_OWN_NAMES.get(key, key): _READERS[key](text) for key, text in found.items() if key in _READERS}
    return JobRecord(**fields)


def mend(flat: Sequence[bytes], *, now_ms: int) -> tuple[list[str], dict[str, str]]:
    """Name the fields of a damaged record that cannot be read, and give those that a record must have.

    What is left can be decoded once the job has been ended, which sets the rest.
    """
    found = _as_dict(flat)
    unreadable = [key for key, text in found.items() if key in _READERS and not _is_readable(key, text)]
    unreadable += ["schema"] if found.get("schema", _WRITTEN_SCHEMA) != _WRITTEN_SCHEMA else []
    required = {"owner": "", "file_ids": "[]", "created_at": str(now_ms)}
    return unreadable, {key: text for key, text in required.items() if key not in found or key in unreadable}


def _as_dict(flat: Sequence[bytes]) -> dict[str, bytes]:
    return {flat[i].decode(errors="replace"): flat[i + 1] for i in range(0, len(flat), 2)}


def _is_readable(key: str, text: bytes) -> bool:
    try:
        _READERS[key](text)
    except (ValueError, msgspec.MsgspecError):
        return False
    return True


def encode_json(value: object) -> bytes:
    """Write a struct or a list as a record field."""
    return msgspec.json.encode(value)


def flatten(fields: dict[str, str | bytes | int | None]) -> list[str | bytes | int]:
    """Lay record fields out flat for a script, the empty ones left out."""
    flat: list[str | bytes | int] = []
    for name, value in fields.items():
        if value is not None:
            flat += [name, value]
    return flat


def as_words(reply: object) -> tuple[str, list[Any]]:
    """Split a script's reply into its word and what follows it."""
    first, *rest = cast("list[Any]", reply)
    return first.decode(), rest
