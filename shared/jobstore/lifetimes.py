"""How jobs come to an end that nobody works on any more: too long waiting, trimmed, a tombstone, forgotten.

    waits too long ─▶ failed (cancelled, when somebody wanted it to end)
    ended ─▶ upload aborted, log trimmed ─▶ object deleted, tombstone ─▶ forgotten

One janitor for each partition (a lock with a time to live) walks the sorted set of what is due.
"""

import secrets
from enum import StrEnum
from typing import NamedTuple, cast

import msgspec

from shared import limits
from shared.jobs import JobError, partition_of
from shared.jobstore import keys, script
from shared.jobstore.access import Commands
from shared.jobstore.record import as_words, encode_json, read_checkpoint
from shared.objects.info import Upload


class Step(StrEnum):
    """What one step did with a job; ABORT and DELETE ask for its upload or its object to go, and for the call again."""

    NOT_YET = "NOT_YET"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    ABORT = "ABORT"
    TRIMMED = "TRIMMED"
    DELETE = "DELETE"
    TOMBSTONE = "TOMBSTONE"
    FORGOTTEN = "FORGOTTEN"


class Taken(NamedTuple):
    """A step, and what must be done before the next one: the key of the object to delete, or the checkpoint, as it is
    written, whose upload is to be aborted.
    """

    step: Step
    object_key: str = ""
    checkpoint: bytes = b""

    @property
    def upload(self) -> Upload | None:
        """The upload to be aborted; None when the checkpoint has none, or cannot be read."""
        checkpoint = read_checkpoint(self.checkpoint)
        return checkpoint.upload if checkpoint else None


class ExpiryTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What a step needs when it ends a job that waits too long; `message` is the encoded terminal event."""

    message: bytes
    error: JobError
    retention_ms: int
    expires_at_ms: int


class KnownObject(NamedTuple):
    """What a record says of its job's object; all None: there is no record. `state` may be any word."""

    state: str | None
    object_key: str | None


class Lifetimes:
    """The janitor's operations. Raises as the job store does, and may be repeated as its operations may.

    `now_ms` (milliseconds since 1970) is for tests that let days pass; None is Redis' own clock. `tells_admins` as in
    the job store.
    """

    def __init__(self, connection: Commands, *, partitions: int, tells_admins: bool = False) -> None:
        self._connection = connection
        self.partitions = partitions
        self._tells_admins = tells_admins

    async def next_due(self, partition: int, *, janitor: str, now_ms: int | None = None) -> list[str] | None:
        """Name the jobs that are due, at most JANITOR_PAGE_JOBS; None when somebody else is the partition's janitor."""
        word, rest = as_words(
            await self._connection.run_script(
                script.NEXT_DUE,
                [keys.janitor(partition), keys.expiry(partition)],
                janitor,
                limits.JANITOR_LOCK_MS,
                _written(now_ms),
                limits.JANITOR_PAGE_JOBS,
            )
        )
        if word != "LEADER":
            return None
        due = [job_id.decode(errors="replace") for job_id in rest]
        if foreign := [raw for raw, job_id in zip(rest, due, strict=True) if partition_of(job_id) != partition]:
            # Not we have written them, and nothing can be done for them: they would be due for ever.
            await self._connection.execute("ZREM", keys.expiry(partition), *foreign)
        return [job_id for job_id in due if partition_of(job_id) == partition]

    async def expire(
        self,
        job_id: str,
        terms: ExpiryTerms,
        *,
        deleted_key: str = "",
        aborted: bytes = b"",
        now_ms: int | None = None,
    ) -> Taken:
        """Take a job one step further.

        `deleted_key`: the object that was deleted since DELETE asked for it; `aborted`: the checkpoint whose upload was
        aborted since ABORT asked for it.
        """
        partition = partition_of(job_id)
        assert partition is not None, job_id
        job = keys.of_job(partition, job_id)
        owner = cast("bytes | None", await self._connection.execute("HGET", job.record, "owner"))
        word, rest = as_words(
            await self._connection.run_script(
                script.EXPIRE,
                [*job, keys.owner_jobs(partition, (owner or b"").decode(errors="replace"))],
                job_id,
                _written(now_ms),
                terms.message,
                encode_json(terms.error),
                terms.retention_ms,
                terms.expires_at_ms,
                limits.TOMBSTONE_SECONDS * 1000,
                deleted_key,
                limits.MAX_WAITING_MS,
                aborted,
                int(self._tells_admins),
            )
        )
        if word == "ABORT":
            return Taken(Step.ABORT, checkpoint=rest[0])
        return Taken(Step(word), rest[0].decode(errors="replace") if rest else "")

    async def postpone(self, job_id: str, *, until_ms: int) -> None:
        """Leave a job alone until then (milliseconds since 1970): its step cannot be taken now, and others are due."""
        partition = partition_of(job_id)
        assert partition is not None, job_id
        await self._connection.execute("ZADD", keys.expiry(partition), "XX", "GT", until_ms, job_id)

    async def drop_consumers(self, partition: int) -> list[str]:
        """Remove the consumers of processors that are gone and own nothing; give their names.

        Whoever repeats it is told of those that are left only.
        """
        reply = await self._connection.run_script(
            script.DROP_CONSUMERS, [keys.commands(partition)], limits.CONSUMER_GONE_AFTER_MS, limits.CONSUMERS_PER_TURN
        )
        return [name.decode(errors="replace") for name in cast("list[bytes]", reply)]

    # ── the search for archives that no job knows of ──────────────────────────────────────────────────────────────────

    async def known_object(self, job_id: str) -> KnownObject:
        """Read what a job says of its object."""
        partition = partition_of(job_id)
        assert partition is not None, job_id
        name = keys.record(partition, job_id)
        reply = await self._connection.execute("HMGET", name, "state", "object_key")
        state, object_key = (_text(field) for field in cast("list[bytes | None]", reply))
        if state is None and await self._connection.execute("EXISTS", name):
            state = "unreadable"
        return KnownObject(state, object_key)

    async def begin_archive_search(self, *, every_ms: int) -> bool:
        """Tell whether a search is due, and whoever asks is the one to do it: nobody else for `every_ms`."""
        ticket = secrets.token_hex(8)  # a repetition whose first reply was lost finds its own
        before = await self._connection.execute("SET", keys.archive_search(), ticket, "NX", "GET", "PX", every_ms)
        return before in (None, ticket.encode())

    async def hasten_archive_search(self, *, within_ms: int) -> None:
        """Let the next search be due soon: this one could not be done."""
        await self._connection.execute("PEXPIRE", keys.archive_search(), within_ms, "LT")

    async def permit_archive_deletion(self) -> None:
        """Let searches delete however many archives for ARCHIVE_PERMIT_MS, and one be due now, from the beginning."""
        await self._connection.execute("SET", keys.archive_permit(), "1", "PX", limits.ARCHIVE_PERMIT_MS)
        await self.keep_archive_search_place("")
        await self._connection.execute("DEL", keys.archive_search())

    async def is_archive_deletion_permitted(self) -> bool:
        """Tell whether an operator permits the deletion of however many."""
        return bool(await self._connection.execute("EXISTS", keys.archive_permit()))

    async def archive_search_place(self) -> str:
        """Read behind which key the search goes on; "" is the beginning."""
        return _text(await self._connection.execute("HGET", keys.stats(0), _PLACE)) or ""

    async def keep_archive_search_place(self, key: str) -> None:
        """Let the next search go on behind a key; "" is the beginning."""
        await self._connection.execute("HSET", keys.stats(0), _PLACE, key)


_PLACE = "archive_search_place"


def _text(field: object) -> str | None:
    return field.decode(errors="replace") if isinstance(field, bytes) else None


def _written(now_ms: int | None) -> str:
    return "" if now_ms is None else str(now_ms)
