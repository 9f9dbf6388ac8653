"""Whether entries, records and lists fit together, and how they are put right where they do not.

    entries ─▶ expiry ─▶ counts (jobs in flight, waiting callbacks) ─▶ records, callbacks, owners' lists

Page by page, each job judged by one script.

Every change of a job is one script, so nothing of this can happen by itself; it is what a failover, a restored copy, an
older version or somebody's hand leaves behind. The numbers of dead letters are left as they are: their holes are told.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from enum import StrEnum
from typing import Any, NamedTuple, cast

from shared import limits
from shared.errors import RedisRefused
from shared.jobs import partition_of
from shared.jobstore import keys, script
from shared.jobstore.access import Commands
from shared.jobstore.callback import CallbackName


class Kind(StrEnum):
    """What does not fit together.

    A visit is a job's place in the sorted set of what the janitor must look at, a listing that in its owner's, a count
    that among the jobs in flight, or of a callback among those that wait.
    """

    ENTRY_WITHOUT_RECORD = "entry_without_record"
    ENTRY_OF_ENDED_JOB = "entry_of_ended_job"
    ENTRY_SUPERSEDED = "entry_superseded"
    RECORD_WITHOUT_ENTRY = "record_without_entry"
    RECORD_WITHOUT_VISIT = "record_without_visit"
    RECORD_NOT_COUNTED = "record_not_counted"
    RECORD_WITHOUT_CALLBACK = "record_without_callback"
    RECORD_UNREADABLE = "record_unreadable"
    VISIT_WITHOUT_RECORD = "visit_without_record"
    LISTING_WITHOUT_RECORD = "listing_without_record"
    COUNT_WITHOUT_JOB = "count_without_job"
    CALLBACK_WITHOUT_ENTRY = "callback_without_entry"
    CALLBACK_WITHOUT_MESSAGE = "callback_without_message"
    CALLBACK_NOT_COUNTED = "callback_not_counted"
    COUNT_WITHOUT_CALLBACK = "count_without_callback"

    @property
    def can_be_repaired(self) -> bool:
        """Tell whether a repair knows what would be right."""
        return self is not Kind.RECORD_UNREADABLE


_SENTENCES = {
    Kind.ENTRY_WITHOUT_RECORD: "Its entry stands in the command stream, and Redis has no record of it.",
    Kind.ENTRY_OF_ENDED_JOB: "It has ended, and its entry still stands in the command stream.",
    Kind.ENTRY_SUPERSEDED: "It has another entry in the command stream than the one that its record names.",
    Kind.RECORD_WITHOUT_ENTRY: "It has not ended, and has no entry in the command stream that a processor is given.",
    Kind.RECORD_WITHOUT_VISIT: "The janitor does not know of it: it would never be ended, or never be cleared away.",
    Kind.RECORD_NOT_COUNTED: "It has not ended, and does not count as in flight: its owner may have one more for it.",
    Kind.RECORD_WITHOUT_CALLBACK: "It has ended, and there is no callback that tells of it, though one was wanted.",
    Kind.RECORD_UNREADABLE: "Its record is damaged, or of another version of Waybill, and is left as it is.",
    Kind.VISIT_WITHOUT_RECORD: "The janitor is to look at it, and Redis has no record of it.",
    Kind.LISTING_WITHOUT_RECORD: "Its owner's list names it, and Redis has no record of it.",
    Kind.COUNT_WITHOUT_JOB: "It counts as in flight, and has ended or is gone: its owner may have one fewer for it.",
    Kind.CALLBACK_WITHOUT_ENTRY: "One of its callbacks waits, and does not stand in the outbox: nobody would be told.",
    Kind.CALLBACK_WITHOUT_MESSAGE: "What one of its callbacks would say is lost: it would wait for ever.",
    Kind.CALLBACK_NOT_COUNTED: "One of its callbacks waits, and does not count: its owner may have one more for it.",
    Kind.COUNT_WITHOUT_CALLBACK: "One of its callbacks counts and does not wait: its owner may have one fewer for it.",
}


class Place(StrEnum):
    """Where a job was met; each kind is found in one of them."""

    ENTRY = "entry"
    RECORD = "record"
    VISIT = "visit"
    COUNT = "count"
    LISTING = "listing"
    CALLBACK = "callback"
    WAITING = "waiting"


class Sighting(NamedTuple):
    """A job, where it was met, and there by what: the id of its entry, or the owner whose list or count names it.

    `callback`: which of its callbacks counts as waiting, as the scripts name it.
    """

    job_id: str
    place: Place
    entry_id: str = ""
    owner: str = ""
    callback: str = ""


class Finding(NamedTuple):
    """One thing that does not fit together."""

    kind: Kind
    seen: Sighting

    @property
    def job_id(self) -> str:
        """The job that it is about."""
        return self.seen.job_id

    @property
    def entry_id(self) -> str:
        """The entry that it is about, "" when it is about none."""
        return self.seen.entry_id

    @property
    def sentence(self) -> str:
        """What is wrong with the job, in words."""
        return _SENTENCES[self.kind]


class Page(NamedTuple):
    """One step of a walk: how many jobs were met, and what does not fit together about them."""

    jobs: int
    findings: list[Finding]


class Consistency:
    """Walks through what Redis keeps of jobs, and repairs it. Raises as the job store does, and may be repeated."""

    def __init__(self, connection: Commands, *, partitions: int) -> None:
        self._connection = connection
        self.partitions = partitions

    async def walk(self, partition: int) -> AsyncGenerator[Page, None]:
        """Look at everything in a partition, page by page, and change nothing.

        What is created or moved during the walk may be met or not, and is never found to be wrong for it. A page is
        about CONSISTENCY_PAGE_JOBS, and may be empty. Raises RedisRefused where the user of Redis may not SCAN.
        """
        async for page in self._sightings(partition):
            judged = await asyncio.gather(*(self._judge(seen) for seen in page))
            yield Page(len(page), [finding for findings in judged for finding in findings])

    async def repair(self, finding: Finding) -> bool:
        """Put right what was found; False when it is not so (any more), or cannot be put right."""
        found = await self._ask(finding.seen, repairs=finding.kind)
        return finding.kind in found and finding.kind.can_be_repaired

    # ── judging ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _judge(self, seen: Sighting) -> list[Finding]:
        return [Finding(kind, seen) for kind in await self._ask(seen)]

    async def _ask(self, seen: Sighting, *, repairs: Kind | None = None) -> list[Kind]:
        partition = partition_of(seen.job_id)
        assert partition is not None, seen.job_id
        reply = await self._connection.run_script(
            script.REPAIR,
            [*keys.of_job(partition, seen.job_id), keys.owner_jobs(partition, seen.owner)],
            seen.job_id,
            seen.place,
            seen.entry_id or seen.callback,
            repairs or "",
            limits.MAX_WAITING_MS,
            limits.LOST_RUN_AFTER_MS,
            seen.owner,
        )
        return [Kind(kind.decode()) for kind in cast("list[bytes]", reply)]

    # ── meeting jobs ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def _sightings(self, partition: int) -> AsyncIterator[list[Sighting]]:
        """Give what is ours of each page: what others wrote there is dealt with by those who come upon it."""
        async for page in self._entries(partition):
            yield _ours(partition, page)
        async for members in self._members(keys.expiry(partition)):
            yield _ours(partition, (Sighting(job_id, Place.VISIT) for job_id in members))
        async for members in self._members(keys.in_flight(partition)):
            counted = (member.rpartition(" ") for member in members)
            yield _ours(partition, (Sighting(job_id, Place.COUNT, owner=owner) for owner, _, job_id in counted))
        async for members in self._members(keys.waiting_callbacks(partition)):
            yield _ours(partition, filter(None, map(_waiting, members)))
        async for names in self._names(partition):
            found = (keys.job_of_record(partition, name) for name in names)
            yield _ours(partition, (Sighting(job_id, Place.RECORD) for job_id in found if job_id))
            told = (keys.job_of_callbacks(partition, name) for name in names)
            yield _ours(partition, (Sighting(job_id, Place.CALLBACK) for job_id in told if job_id))
            for owner in filter(None, (keys.owner_of_list(partition, name) for name in names)):
                async for members in self._members(keys.owner_jobs(partition, owner)):
                    yield _ours(partition, (Sighting(job_id, Place.LISTING, owner=owner) for job_id in members))

    async def _entries(self, partition: int) -> AsyncIterator[list[Sighting]]:
        after = "-"
        while True:
            reply = await self._connection.execute(
                "XRANGE", keys.commands(partition), after, "+", "COUNT", limits.CONSISTENCY_PAGE_JOBS
            )
            entries = [(entry_id.decode(), _text(fields[1])) for entry_id, fields in cast("list[Any]", reply)]
            yield [Sighting(job_id, Place.ENTRY, entry_id=entry_id) for entry_id, job_id in entries]
            if len(entries) < limits.CONSISTENCY_PAGE_JOBS:
                return
            after = f"({entries[-1][0]}"

    async def _members(self, key: str) -> AsyncIterator[list[str]]:
        cursor = b"0"
        while True:
            try:
                reply = await self._connection.execute("ZSCAN", key, cursor, "COUNT", limits.CONSISTENCY_PAGE_JOBS)
            except RedisRefused as error:
                if "WRONGTYPE" in error.message:  # somebody else's, which must not hide what lies behind it
                    return
                raise
            cursor, flat = cast("tuple[bytes, list[bytes]]", reply)
            yield [_text(member) for member in flat[::2]]
            if cursor == b"0":
                return

    async def _names(self, partition: int) -> AsyncIterator[list[str]]:
        """Give the names of the partition's keys, from the server that has them: SCAN names no key to be routed by."""
        cursor = b"0"
        while True:
            node = self._connection.node_of(keys.commands(partition))
            reply = await node.execute(
                "SCAN", cursor, "MATCH", keys.all_of(partition), "COUNT", limits.CONSISTENCY_PAGE_JOBS
            )
            cursor, names = cast("tuple[bytes, list[bytes]]", reply)
            yield [_text(name) for name in names]
            if cursor == b"0":
                return


def _ours(partition: int, seen: Iterable[Sighting]) -> list[Sighting]:
    return [sighting for sighting in seen if partition_of(sighting.job_id) == partition]


def _waiting(member: str) -> Sighting | None:
    """Read a member of the waiting callbacks; None for one that was not written by us."""
    owner, _, text = member.rpartition(" ")
    name = CallbackName.read(text)
    return name and Sighting(name.job_id, Place.WAITING, owner=owner, callback=name.field)


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")
