"""The one module that knows how a record lies in Redis, and how replies are shaped.

Fields are strings; lists and structs are JSON; empty fields are left out. `schema` is the version of all that: a higher
one is for a change that older processes must not misread.
"""

from collections.abc import Sequence
from typing import Any, cast

import msgspec

from shared.errors import RecordUnreadable
from shared.jobs import BundleSummary, JobError, JobOptions, JobRecord, JobState, ProgressSnapshot

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
}
_TEXTS = ("owner", "entry", "token", "processor", "object_key", "traceparent", "dead_id", "checkpoint")
_STRUCTS: dict[str, type] = {
    "file_ids": tuple[int, ...],
    "options": JobOptions,
    "progress": ProgressSnapshot,
    "error": JobError,
    "bundle": BundleSummary,
}


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
    found = {flat[i].decode(): flat[i + 1] for i in range(0, len(flat), 2)}
    if (schema := found.get("schema", b"%d" % SCHEMA)) != b"%d" % SCHEMA:
        raise ValueError(f"schema {schema.decode()[:20]} in place of {SCHEMA}")
    fields: dict[str, Any] = {"job_id": job_id, "state": JobState(found["state"].decode())}
    fields |= {name: int(found[key]) for key, name in _NUMBERS.items() if key in found}
    fields |= {name: found[name].decode() for name in _TEXTS if name in found}
    fields |= {name: msgspec.json.decode(found[name], type=kind) for name, kind in _STRUCTS.items() if name in found}
    return JobRecord(**fields)


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
