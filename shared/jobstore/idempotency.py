"""What stands under an Idempotency-Key: the job that its first request was given, and what that request was.

    find ──▶ nothing ──(the request is checked)──▶ reserve ──▶ create with the id that stands there
      └────▶ an id ───────────────────────────────────────────────▶ create: it exists, or it is made now

The key has a slot of its own, because nobody knows the job's partition from it. So the two steps are not one, and none
of them is lost when a gateway dies between them: the repetition finds the id, and creates the job under it.
"""

import asyncio
import hashlib
from typing import NamedTuple, cast

from shared.errors import RecordUnreadable
from shared.jobs import partition_of
from shared.jobstore import keys
from shared.jobstore.access import Commands


class Reservation(NamedTuple):
    """A job id under a key: of which request (its fingerprint), and for how long, counted from now."""

    job_id: str
    fingerprint: str
    left_ms: int


class IdempotencyKeys:
    """The keys of all owners; each is kept for `keep_ms` from its first request.

    Raises as the job store does, and RecordUnreadable for a key under which something else stands.
    """

    def __init__(self, connection: Commands, *, keep_ms: int) -> None:
        self._connection = connection
        self._keep_ms = keep_ms

    async def find(self, owner: str, key: str) -> Reservation | None:
        """Give what stands under a key of this owner; None when it was not used yet, or is forgotten."""
        name = _name(owner, key)
        kept, left_ms = await asyncio.gather(
            self._connection.execute("GET", name), self._connection.execute("PTTL", name)
        )
        return None if kept is None else _read(kept, left_ms)

    async def reserve(self, owner: str, key: str, *, job_id: str, fingerprint: str) -> Reservation:
        """Put a job id under a key, or give the one that somebody has put there before."""
        name, ours = _name(owner, key), f"{job_id}|{fingerprint}"
        # Redis SET takes NX and GET together since 7.0. Repeated after a lost reply, it finds what it put there itself.
        before, left_ms = await asyncio.gather(
            self._connection.execute("SET", name, ours, "NX", "GET", "PX", self._keep_ms),
            self._connection.execute("PTTL", name),
        )
        return _read(ours.encode() if before is None else before, left_ms)


def _name(owner: str, key: str) -> str:
    # No key has a NUL in it, so no owner can be chosen such that his keys are somebody else's.
    return keys.idempotency(hashlib.sha256(f"{owner}\0{key}".encode()).hexdigest())


def _read(kept: object, left_ms: object) -> Reservation:
    job_id, _, fingerprint = cast(bytes, kept).decode(errors="replace").partition("|")
    if partition_of(job_id) is None or not fingerprint:
        raise RecordUnreadable(
            "What is kept of this Idempotency-Key cannot be read. Use another key, and tell the operators."
        )
    return Reservation(job_id, fingerprint, max(0, cast(int, left_ms)))
