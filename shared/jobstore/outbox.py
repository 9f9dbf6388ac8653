"""The outbox: the callbacks that tell of jobs' ends, from the end to the answer of whoever is told.

    end of a job ─(terminal tail)─▶ waiting ──take──▶ delivering ──▶ delivered
                                       ▲                 │   └─────▶ dead       given up: a stream of their own
                                       └─── try_again ───┘
                                       └─── release: the deliverer stops, or has no place; the try does not count

A deliverer has a callback for a lease; one that dies leaves it due again when the lease has run out. So a callback is
told at least once, and by its id a receiver knows what it has been told. It waits for as long as it must: what it says
outlives the job's record, and a job that is deleted meanwhile is told all the same.
"""

import asyncio
import heapq
import secrets
from enum import StrEnum
from itertools import chain
from typing import Any, cast

from shared import limits
from shared.errors import RecordUnreadable, UnavailableError
from shared.jobs import partition_of
from shared.jobstore import keys, script
from shared.jobstore.callback import (
    CALLBACK_PARTS,
    CallbackName,
    CallbackRecord,
    CallbackState,
    DeadCallback,
    DeliveryOutcome,
    OutboxCounts,
    TakenCallback,
    Unread,
    decode_callback,
    decode_dead,
    decode_taken,
)
from shared.jobstore.partitions import read_each
from shared.jobstore.record import as_words, flatten
from shared.jobstore.store import JobStore


class Redelivered(StrEnum):
    """What a wish to tell a job's end again is answered.

    OK: its callback is due now. UNCHANGED: it was asked for less than REDELIVERY_PAUSE_MS ago, or is being told.
    NOT_ENDED: there is nothing to tell yet. NO_CALLBACK: nobody is to be told; of admins, that they were not. GONE: the
    job is deleted, or forgotten, and so are its callbacks; admins are told again of a deleted one. FULL: it does not
    wait, and as many others of its owner wait as may.
    """

    OK = "OK"
    UNCHANGED = "UNCHANGED"
    NOT_ENDED = "NOT_ENDED"
    NO_CALLBACK = "NO_CALLBACK"
    GONE = "GONE"
    FULL = "FULL"


class Outbox:
    """The callbacks of all partitions. Raises as the job store does, and may be repeated as its operations may.

    `now_ms` (milliseconds since 1970) is for tests that let days pass; None is Redis' own clock.
    """

    def __init__(self, store: JobStore) -> None:
        self._connection = store.connection
        self.partitions = store.partitions

    # ── delivering ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def take(
        self, partition: int, deliverer: str, *, lease_ms: int, count: int, now_ms: int | None = None
    ) -> list[TakenCallback]:
        """Take at most `count` callbacks that are due, each for a lease of `lease_ms`.

        `deliverer` begins the token of each, so that one who looks into Redis sees in whose hands it is. Where Redis
        fails for some of them, the others are given.
        """
        reply = await self._connection.run_script(
            script.DUE_CALLBACKS, [keys.outbox(partition)], _written(now_ms), count
        )
        names = await self._ours(partition, cast("list[bytes]", reply))
        answers = await asyncio.gather(
            *(self._take(name, partition, deliverer, lease_ms, now_ms) for name in names), return_exceptions=True
        )
        taken = [answer for answer in answers if isinstance(answer, TakenCallback)]
        # One that Redis went away from is due again after its lease; those that were taken are not to wait for that.
        errors = [answer for answer in answers if isinstance(answer, BaseException)]
        if errors and not (taken and all(isinstance(error, UnavailableError) for error in errors)):
            raise errors[0]
        return taken

    async def _take(
        self, name: CallbackName, partition: int, deliverer: str, lease_ms: int, now_ms: int | None
    ) -> TakenCallback | None:
        token = f"{deliverer} {secrets.token_hex(8)}"
        word, rest = await self._run(script.TAKE_CALLBACK, name, token, lease_ms, _written(now_ms))
        if word != "OK":
            return None
        try:
            return decode_taken(name, partition=partition, token=token, reply=rest)
        except RecordUnreadable as error:
            await self._set_aside(Unread(name, token, *rest), error.message, now_ms)
            return None

    async def _set_aside(self, unread: Unread, reason: str, now_ms: int | None) -> None:
        """Leave it to a newer deliverer; what nobody could read for days is given up, or it would be due for ever."""
        pause_ms, most_ms = limits.CALLBACK_UNREAD_PAUSE_MS, limits.CALLBACK_UNREAD_FOR_MS
        word, _ = await self._run(
            script.SET_ASIDE_CALLBACK, unread.name, unread.token, pause_ms, _written(now_ms), most_ms
        )
        if word == "OVER":
            ended = unread.attempt - 1
            fields = flatten({"owner": unread.owner, "url": unread.url, "attempts": ended, "reason": reason})
            await self._end(unread.name, unread.token, CallbackState.DEAD, b"", fields)

    async def _ours(self, partition: int, raw: list[bytes]) -> list[CallbackName]:
        """Read ids; what is none of this partition was not written by us, and would be due for ever."""
        names = [CallbackName.read(text.decode(errors="replace")) for text in raw]
        ours = [name for name in names if name is not None and partition_of(name.job_id) == partition]
        if foreign := set(raw) - {name.text.encode() for name in ours}:
            await self._connection.execute("ZREM", keys.outbox(partition), *foreign)
        return ours

    async def delivered(self, taken: TakenCallback, outcome: DeliveryOutcome) -> bool:
        """Note that it was told. False, here and below: somebody else has it by now, and nothing was changed."""
        return await self._end(taken.name, taken.token, CallbackState.DELIVERED, taken.tries_with(outcome), [])

    async def give_up(self, taken: TakenCallback, outcome: DeliveryOutcome) -> bool:
        """Note that it is not tried any more: it is one of the last MAX_DEAD_CALLBACKS dead ones."""
        reason = outcome.error or f"it answered {outcome.status}"
        return await self._bury(
            taken, taken.tries_with(outcome), attempts=taken.attempt, reason=reason, status=outcome.status
        )

    async def give_up_untried(self, taken: TakenCallback, reason: str) -> bool:
        """Note, as give_up does, that it is not tried any more, and why in words: its tries are those before."""
        return await self._bury(taken, b"", attempts=taken.attempt - 1, reason=reason)

    async def _bury(self, taken: TakenCallback, tries: bytes, **fields: str | int | None) -> bool:
        url = None if taken.is_for_admins else taken.record.callback_url
        flat = flatten({"owner": taken.record.owner, "url": url, **fields})
        return await self._end(taken.name, taken.token, CallbackState.DEAD, tries, flat)

    async def _end(
        self,
        name: CallbackName,
        token: str,
        state: CallbackState,
        tries: bytes,
        fields: list[str | bytes | int],
    ) -> bool:
        dead = keys.dead_callbacks(partition_of(name.job_id) or 0)
        word, _ = await self._run(script.SETTLE_CALLBACK, name, token, state, tries, *fields, more=(dead,))
        return word != "STALE"

    async def try_again(
        self, taken: TakenCallback, outcome: DeliveryOutcome, *, delay_ms: int, now_ms: int | None = None
    ) -> bool:
        """Let it be due again after `delay_ms`."""
        return await self._postpone(taken, delay_ms, now_ms, taken.tries_with(outcome))

    async def release(self, taken: TakenCallback, *, delay_ms: int = 0, now_ms: int | None = None) -> bool:
        """Hand it back untried and uncounted: it is due after `delay_ms`, for any deliverer."""
        return await self._postpone(taken, delay_ms, now_ms, b"")

    async def _postpone(self, taken: TakenCallback, delay_ms: int, now_ms: int | None, tries: bytes) -> bool:
        word, _ = await self._run(script.POSTPONE_CALLBACK, taken.name, taken.token, delay_ms, _written(now_ms), tries)
        return word != "STALE"

    async def next_due_at_ms(self, partition: int) -> int | None:
        """Tell when the next callback is due, in milliseconds since 1970; None when none waits."""
        reply = await self._connection.execute("ZRANGE", keys.outbox(partition), 0, 0, "WITHSCORES")
        scores = cast("list[Any]", reply)
        return int(float(scores[-1])) if scores else None

    def wake_channels(self) -> list[str]:
        """Name the sharded channels on which deliverers hear of callbacks that are due at once."""
        return [keys.outbox(partition) for partition in range(self.partitions)]

    # ── seeing and redoing ────────────────────────────────────────────────────────────────────────────────────────────

    async def next_up(self, *, count: int) -> list[CallbackRecord]:
        """Give the first `count` callbacks of all partitions that wait or are being delivered, by when they are due.

        One that is being delivered is due when its lease is over.
        """
        partitions = await read_each(lambda number: self._next_up_in(number, count), range(self.partitions))
        due = heapq.nsmallest(count, chain.from_iterable(partitions))
        found: list[CallbackRecord | None] = []
        for start in range(0, len(due), limits.CALLBACKS_READ_AT_ONCE):
            page = due[start : start + limits.CALLBACKS_READ_AT_ONCE]
            found += await asyncio.gather(*(self._look_at(name, due_at_ms) for due_at_ms, name in page))
        return [callback for callback in found if callback is not None]

    async def _next_up_in(self, partition: int, count: int) -> list[tuple[int, CallbackName]]:
        reply = await self._connection.execute("ZRANGE", keys.outbox(partition), 0, count - 1, "WITHSCORES")
        flat = cast("list[bytes]", reply)
        pairs = zip(flat[::2], flat[1::2], strict=True)
        read = [(int(float(score)), CallbackName.read(text.decode(errors="replace"))) for text, score in pairs]
        return [(due_at_ms, name) for due_at_ms, name in read if name is not None]

    async def _look_at(self, name: CallbackName, due_at_ms: int) -> CallbackRecord | None:
        """Read one callback; None where its job knows nothing of it any more."""
        kept = keys.callbacks(partition_of(name.job_id) or 0, name.job_id)
        own = [f"{name.field}:{part}" for part in CALLBACK_PARTS]
        ends, url, *parts = await self._fields(kept, "ends", "callback_url", *own)
        is_known = name.field.encode() in (ends or b"").split()
        return decode_callback(name, url, parts, due_at_ms=due_at_ms) if is_known else None

    async def deliveries(self, job_id: str, *, for_admins: bool = False) -> list[CallbackRecord]:
        """Give what is kept of a job's callbacks, one for each of its ends, the oldest first; or of the admins' ones.

        They are kept for CALLBACK_KEPT_MS after the last of them was delivered, or given up.
        """
        partition = partition_of(job_id)
        if partition is None or partition >= self.partitions:
            return []
        kept = keys.callbacks(partition, job_id)
        ends, url = await self._fields(kept, "ends", "callback_url")
        read = [CallbackName.of_field(job_id, field) for field in (ends or b"").decode(errors="replace").split()]
        names = [name for name in read if name is not None and name.is_for_admins == for_admins]
        if not names:
            return []
        parts, due = await asyncio.gather(
            self._fields(kept, *(f"{name.field}:{part}" for name in names for part in CALLBACK_PARTS)),
            self._connection.execute("ZMSCORE", keys.outbox(partition), *(name.text for name in names)),
        )
        own = [parts[at : at + len(CALLBACK_PARTS)] for at in range(0, len(parts), len(CALLBACK_PARTS))]
        return [
            decode_callback(name, url, each, due_at_ms=None if score is None else int(float(score)))
            for name, each, score in zip(names, own, cast("list[Any]", due), strict=True)
        ]

    async def _fields(self, key: str, *fields: str) -> list[bytes | None]:
        return cast("list[bytes | None]", await self._connection.execute("HMGET", key, *fields))

    async def whose(self, job_id: str) -> str | None:
        """Name the owner of a job whose callbacks are known, "" for one from before there were owners; else None.

        They outlive its record. Those for the admins alone are none of the owner's.
        """
        partition = partition_of(job_id)
        if partition is None or partition >= self.partitions:
            return None
        owner, url = await self._fields(keys.callbacks(partition, job_id), "owner", "callback_url")
        return None if owner is None or url is None else owner.decode(errors="replace")

    async def redeliver(
        self, job_id: str, *, for_admins: bool = False, most: int | None = None, now_ms: int | None = None
    ) -> Redelivered:
        """Let the callback of a job's last end be due at once, with the same id; its schedule begins anew.

        The tries before it stay among those that are kept. One that is being told, or was asked for less than
        REDELIVERY_PAUSE_MS ago, is left as it is. `for_admins`: what they were last told of the job's dead letters,
        wherever the job stands by now. `most`: callbacks of its owner that may wait in its partition for one more to be
        let wait; None: any number.
        """
        partition = partition_of(job_id)
        if partition is None or partition >= self.partitions:
            return Redelivered.GONE
        names = [*keys.of_job(partition, job_id), keys.dead_callbacks(partition)]
        wish, pause_ms = secrets.token_hex(8), limits.REDELIVERY_PAUSE_MS
        whom, bound = "admins" if for_admins else "", "" if most is None else max(0, most)
        reply = await self._connection.run_script(
            script.REDELIVER, names, job_id, wish, _written(now_ms), pause_ms, bound, whom
        )
        return Redelivered(as_words(reply)[0])

    async def counts(self, partition: int) -> OutboxCounts:
        """Count a partition's callbacks."""
        names = [keys.outbox(partition), keys.dead_callbacks(partition)]
        reply = await self._connection.run_script(script.COUNT_CALLBACKS, names)
        return OutboxCounts(*cast("list[int]", reply))

    async def dead(self, partition: int, *, count: int = limits.DEAD_CALLBACKS_PER_PAGE) -> list[DeadCallback]:
        """Give a partition's last `count` callbacks that were given up, the newest first."""
        reply = await self._connection.execute("XREVRANGE", keys.dead_callbacks(partition), "+", "-", "COUNT", count)
        return [decode_dead(entry) for entry in cast("list[Any]", reply)]

    # ── Redis ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _run(
        self,
        operation: script.Script,
        name: CallbackName,
        *arguments: str | bytes | int,
        more: tuple[str, ...] = (),
    ) -> tuple[str, list[Any]]:
        partition = partition_of(name.job_id)
        assert partition is not None, name
        return as_words(
            await self._connection.run_script(
                operation, [*keys.of_job(partition, name.job_id), *more], name.job_id, name.field, *arguments
            )
        )


def _written(now_ms: int | None) -> str:
    return "" if now_ms is None else str(now_ms)
