"""The named operations: every change of a job, each one Lua script in one partition. Nothing else writes job state."""

import asyncio
import functools
import random
import secrets
from collections.abc import Collection, Sequence
from typing import Any, cast

from shared import limits
from shared.errors import RecordUnreadable, RedisRefused, SettingsError, UnavailableError
from shared.event_id import EventId
from shared.jobs import Checkpoint, JobError, JobRecord, JobState, make_job_id, partition_of
from shared.jobstore import keys, script
from shared.jobstore.access import Commands
from shared.jobstore.operations import (
    Answer,
    Backlog,
    Behind,
    Bounds,
    Buried,
    Cancelled,
    CancelReply,
    ClaimTerms,
    Created,
    Damaged,
    Ending,
    Entry,
    Full,
    LinePlace,
    NewJob,
    NotDue,
    Refused,
    Run,
    Sweep,
)
from shared.jobstore.record import SCHEMA, as_words, decode_record, encode_json, flatten
from shared.retry import reconnect_pause_seconds


class JobStore:
    """All job state in Redis.

    Every method raises RedisUnavailable when Redis does not answer in time, and may then be repeated: a repeated
    operation answers with the first outcome. Times are Redis' own clock. `tells_admins`: the dead letters that this
    process writes leave a callback to the admins in the outbox.
    """

    def __init__(self, connection: Commands, *, partitions: int, tells_admins: bool = False) -> None:
        self.connection = connection
        self.partitions = partitions
        self.tells_admins = tells_admins

    # ── start ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def prepare(self) -> None:
        """Agree on the number of partitions and make sure that each has its consumer group.

        Raises SettingsError when Redis holds jobs in more partitions than this process is configured with.
        """
        governing = cast(int, await self.connection.run_script(script.PARTITIONS, [keys.PARTITIONS], self.partitions))
        if governing > self.partitions:
            raise SettingsError(
                [f"WAYBILL_PARTITIONS={self.partitions}: Redis holds {governing} partitions; set it to {governing}."]
            )
        for partition in range(self.partitions):
            await self._create_group(partition)

    async def prepare_when_reachable(self) -> None:
        """Do as prepare() as soon as Redis answers; raises SettingsError."""
        while True:
            try:
                return await self.prepare()
            except UnavailableError:
                await asyncio.sleep(reconnect_pause_seconds(5, random.random()))

    async def _create_group(self, partition: int) -> None:
        await self.connection.run_script(script.CREATE_GROUP, [keys.commands(partition)])

    async def _run_on_group(
        self,
        operation: script.Script,
        partition: int,
        names: Sequence[str],
        *arguments: str | bytes | int,
        is_patient: bool = True,
    ) -> object:
        """Run an operation that needs the consumer group, which is gone when Redis was emptied under us."""
        try:
            return await self.connection.run_script(operation, names, *arguments, is_patient=is_patient)
        except RedisRefused as error:
            if "NOGROUP" not in error.message:
                raise
        await self._create_group(partition)
        return await self.connection.run_script(operation, names, *arguments, is_patient=is_patient)

    # ── the gateway's side ────────────────────────────────────────────────────────────────────────────────────────────

    def new_job_id(self) -> str:
        """Draw an id in a random partition."""
        return make_job_id(secrets.randbelow(self.partitions), secrets.randbits(110))

    async def create(self, job: NewJob) -> Created:
        """Create a job, or find that it exists; raises RedisFull when Redis takes no new data."""
        created = await self.create_within(job, Bounds())
        assert isinstance(created, Created)
        return created

    async def create_within(self, job: NewJob, bounds: Bounds) -> Created | Refused:
        """Create a job where its partition has room for it; one that exists is found whatever the bounds.

        Raises RedisFull when Redis takes no new data.
        """
        fields = flatten(
            {
                "schema": SCHEMA,
                "owner": job.owner,
                "file_ids": encode_json(job.file_ids),
                "options": encode_json(job.options),
                "traceparent": job.traceparent,
                "callback_url": job.callback_url,
            }
        )
        word, (unfinished, in_flight, *rest) = as_words(
            await self.connection.run_script(
                script.CREATE,
                [*_keys_of(job.job_id), _owner_jobs(job.job_id, job.owner)],
                job.job_id,
                job.queued_message,
                int(self.partitions > 1),
                limits.MAX_WAITING_MS,
                limits.OWNER_LIST_MS,
                (job.expected_bytes or 0) // 1000,
                encode_json((job.expected_bytes, job.promised_ms))[1:-1],
                job.owner,
                *bounds.as_arguments(),
                *fields,
            )
        )
        if word not in ("OK", "EXISTS"):
            return Refused(Full(word), unfinished, in_flight)
        place, taken = map(LinePlace.read, rest[:2])
        return Created(word == "OK", unfinished, place, taken, in_flight, *rest[2:])

    async def find(self, job_id: str) -> JobRecord | None:
        """Read a record; None when there is none, or when the id is not one of this system's."""
        partition = partition_of(job_id)
        if partition is None or partition >= self.partitions:
            return None
        reply = await self.connection.execute("HGETALL", keys.of_job(partition, job_id).record)
        return decode_record(job_id, cast(Sequence[bytes], reply))

    async def owner_of(self, job_id: str) -> str | None:
        """Read whose a job is, and nothing else of its record; None when it does not say."""
        reply = await self.connection.execute("HGET", _keys_of(job_id).record, "owner")
        return None if reply is None else cast(bytes, reply).decode(errors="replace")

    async def cancel(
        self, job_id: str, *, message: bytes, retention_ms: int, expires_at_ms: int, deletes: bool = False
    ) -> CancelReply | None:
        """End a job, or ask its run to; None when there is no such job. `message` is the encoded terminal event.

        `deletes`: the job is over for everybody at once, and the janitor removes what is left of it.
        """
        word, rest = as_words(
            await self.connection.run_script(
                script.CANCEL, _keys_of(job_id), job_id, message, retention_ms, expires_at_ms, int(deletes)
            )
        )
        match word:
            case "CANCELLED":
                return CancelReply(JobState.CANCELLED, ends_now=True)
            case "REQUESTED":
                return CancelReply(JobState.PROCESSING)
            case "TERMINAL":
                return CancelReply(JobState(rest[0].decode()), rest[1].decode() or None)
        return None

    async def tail(self, job_id: str) -> EventId | None:
        """Read the id of a job's newest event, and nothing else; None when no record says it."""
        reply = await self.connection.execute("HMGET", _keys_of(job_id).record, "epoch", "seq")
        epoch, seq = (text or b"" for text in cast(list[bytes | None], reply))
        return EventId.parse((epoch + b"-" + seq).decode(errors="replace"))

    async def read_events(self, job_id: str, *, after: EventId, count: int) -> list[tuple[EventId, bytes]]:
        """Read at most `count` events after a cursor, oldest first, as the bytes that their writer encoded."""
        reply = await self.connection.execute("XRANGE", _keys_of(job_id).events, f"({after}", "+", "COUNT", count)
        return [_as_event(entry) for entry in cast(list[Any], reply)]

    async def last_event(self, job_id: str) -> tuple[EventId, bytes] | None:
        """Read the newest event; None when the log is gone."""
        reply = await self.connection.execute("XREVRANGE", _keys_of(job_id).events, "+", "-", "COUNT", 1)
        entries = cast(list[Any], reply)
        return _as_event(entries[0]) if entries else None

    def live_channel(self, job_id: str) -> str:
        """Name the channel on which this job's events are published."""
        return _keys_of(job_id).events

    # ── the processor's side ──────────────────────────────────────────────────────────────────────────────────────────

    async def take(self, partition: int, *, processor: str, most: int, in_hand: Collection[str]) -> list[Entry]:
        """Take at most `most` entries into a processor's hands: those to be taken up again first, then new ones.

        `in_hand` are the ids of the entries that it has already. What Redis thinks it has besides was handed out in a
        reply that never arrived, and comes first.
        """
        reply = await self._run_on_group(script.TAKE, partition, [keys.commands(partition)], processor, most, *in_hand)
        return [Entry.read(partition, entry_id, job_id) for entry_id, job_id in cast(list[Any], reply)]

    async def claim(
        self, entry: Entry, token: str, terms: ClaimTerms
    ) -> Run | NotDue | Buried | Cancelled | Damaged | None:
        """Begin a run; None when there is nothing to run: the job has ended, or is gone.

        `token` is fresh and random for each run, and the same for the repetition of one claim.
        """
        buried_error = encode_json(terms.buried_error)
        word, rest = as_words(
            await self.connection.run_script(
                script.CLAIM,
                _keys_of(entry.job_id),
                entry.job_id,
                entry.entry_id,
                token,
                terms.processor,
                terms.lease_ms,
                terms.max_crashes,
                terms.started_message,
                terms.buried_message,
                buried_error,
                terms.retention_ms,
                int(self.tells_admins),
                "expires_at",
                terms.expires_at_ms,
            )
        )
        if word == "NOT_DUE":
            return NotDue(rest[0])
        if word in ("DAMAGED", "CANCELLED"):
            return Damaged() if word == "DAMAGED" else Cancelled()
        if word != "OK":
            return Buried(rest[0], rest[1].decode()) if word == "BURIED" else None
        try:
            record = decode_record(entry.job_id, rest[0])
        except RecordUnreadable:
            return Damaged()
        assert record is not None
        return Run(entry.job_id, record.epoch, token, record, is_takeover=bool(rest[1]), taken_from=rest[2].decode())

    async def append_progress(self, run: Run, *, seq: int, message: bytes) -> Answer | Behind:
        """Append a progress event with its sequence number (the job's last one + 1).

        Behind: Redis lost events in a failover; nothing was appended, go on from its number.
        """
        word, rest = as_words(
            await self.connection.run_script(
                script.APPEND_PROGRESS, _keys_of(run.job_id), run.epoch, run.token, seq, message
            )
        )
        return Behind(rest[0]) if word == "BEHIND" else Answer(word)

    async def renew(self, run: Run, *, processor: str, lease_ms: int, checkpoint: Checkpoint | None = None) -> Answer:
        """Extend the lease to `lease_ms` from now; a `checkpoint` takes the place of the one before, None leaves it."""
        kept = encode_json(checkpoint) if checkpoint else b""
        return await self._change(script.RENEW, run, processor, lease_ms, kept)

    async def retry_later(self, run: Run, *, message: bytes, error: JobError, delay_ms: int, lease_ms: int) -> Answer:
        """End a failed run; the job is tried again after `delay_ms`, not earlier.

        CANCEL: somebody wants the job to end, and nothing was done: finish it as cancelled.
        """
        return await self._change(script.RETRY_LATER, run, message, delay_ms, lease_ms, encode_json(error))

    async def release(self, run: Run, *, message: bytes) -> Answer:
        """Hand a job back uncounted; another processor starts it at once.

        CANCEL: somebody wants the job to end, and nothing was done: finish it as cancelled.
        """
        return await self._change(script.RELEASE, run, message)

    async def finish(self, run: Run, ending: Ending) -> Answer:
        """End a job for good, in the state that the ending has."""
        error = encode_json(ending.error) if ending.error else b""
        fields = flatten(
            {
                "expires_at": ending.expires_at_ms,
                "object_key": ending.object_key,
                "bundle": encode_json(ending.bundle) if ending.bundle else None,
                "progress": encode_json(ending.progress) if ending.progress else None,
                "error": error or None,
                "permanent": 1 if ending.is_permanent else None,
            }
        )
        reply = await self.connection.run_script(
            script.FINISH,
            _keys_of(run.job_id),
            run.job_id,
            run.epoch,
            run.token,
            ending.state,
            ending.message,
            ending.retention_ms,
            ending.reason,
            encode_json(ending.letter_error) if ending.letter_error else error,
            int(self.tells_admins),
            *fields,
        )
        return Answer(as_words(reply)[0])

    async def _change(self, operation: script.Script, run: Run, *arguments: str | bytes | int) -> Answer:
        reply = await self.connection.run_script(operation, _keys_of(run.job_id), run.epoch, run.token, *arguments)
        return Answer(as_words(reply)[0])

    # ── maintenance ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def sweep(
        self,
        partition: int,
        *,
        leader: str,
        lease_ms: int,
        cursor: str,
        void_after_ms: int | None = None,
        parked_only: bool = False,
    ) -> Sweep:
        """Move a page of entries that have lain for a lease to `ready`, if `leader` is this partition's sweeper.

        `void_after_ms`: Redis' own time after which it must not be done any more; None is never. `parked_only`: those
        whose retry is due, and none that somebody may be working on. Raises RedisUnavailable at the first trouble: a
        sweep that waited for the end of an outage, or followed its partition to another node, would come before those
        who could not renew meanwhile.
        """
        word, rest = as_words(
            await self._run_on_group(
                script.SWEEP,
                partition,
                [keys.sweeper(partition), keys.commands(partition), keys.wake(partition)],
                leader,
                limits.SWEEP_LOCK_MS,
                lease_ms,
                cursor,
                limits.SWEEP_PAGE_ENTRIES,
                "" if void_after_ms is None else void_after_ms,
                int(parked_only),
                is_patient=False,
            )
        )
        if word == "LEADER":
            return Sweep(True, rest[0], rest[1].decode(), rest[2])
        return Sweep(False, rest[0], is_late=word == "LATE")

    async def leave(self, partition: int, *, processor: str, in_hand: Collection[str]) -> None:
        """Give up a processor's entries but for those in hand, and its offices.

        Others take them at once, and need not wait until the locks lapse. The processor must ask for nothing more.
        """
        names = [keys.commands(partition), keys.wake(partition), *keys.offices(partition)]
        await self._run_on_group(script.LEAVE, partition, names, processor, *in_hand)

    async def backlog(self, partition: int) -> Backlog:
        """Count one partition's unfinished jobs and dead letters."""
        reply = await self._run_on_group(script.BACKLOG, partition, [keys.commands(partition), keys.dead(partition)])
        return Backlog(*cast(list[int], reply))

    def healthy_since(self, partition: int) -> float | None:
        """Tell since when (monotonic seconds) the partition's server has answered; None while it does not."""
        return self.connection.healthy_since_at(keys.commands(partition))

    def wake_channels(self) -> list[str]:
        """Name the channels on which idle processors hear of work."""
        return [keys.wake(partition) for partition in range(self.partitions)]


@functools.lru_cache(maxsize=limits.JOB_KEYS_REMEMBERED)
def _keys_of(job_id: str) -> keys.JobKeys:
    partition = partition_of(job_id)
    assert partition is not None, job_id
    return keys.of_job(partition, job_id)


def _owner_jobs(job_id: str, owner: str) -> str:
    partition = partition_of(job_id)
    assert partition is not None, job_id
    return keys.owner_jobs(partition, owner)


def _as_event(entry: Any) -> tuple[EventId, bytes]:
    identifier, (_, message) = entry
    epoch, seq = identifier.split(b"-")
    return EventId(int(epoch), int(seq)), message
