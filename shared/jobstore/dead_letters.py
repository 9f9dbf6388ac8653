"""Dead letters: reading them, redriving and discarding their jobs.

failed ──(terminal tail)──▶ letter ──redrive──▶ the job is queued again, the letter gone
                               └────discard──▶ the letter is gone, the job stays failed
"""

from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Any, cast

from shared import limits
from shared.jobs import partition_of
from shared.jobstore import keys, script
from shared.jobstore.access import Commands
from shared.jobstore.letter import DeadLetter, decode_letter, is_letter_id
from shared.jobstore.operations import Bounds, Full, Refused
from shared.jobstore.record import as_words


class Redriven(StrEnum):
    """What a redrive is answered.

    OK: the job is queued, or was by this very redrive before. ALREADY: another redrive has queued it from this failure,
    or one that came after this one. NOT_FAILED: it did not fail under this epoch.
    EXPIRING: its time is over, and what its runs may have left in the store is being deleted; after that it can be
    redriven. GONE: Redis has forgotten the job.
    """

    OK = "OK"
    ALREADY = "ALREADY"
    NOT_FAILED = "NOT_FAILED"
    EXPIRING = "EXPIRING"
    GONE = "GONE"


class DeadLetters:
    """The dead letters of all partitions. Raises as the job store does, and may be repeated as its operations may."""

    def __init__(self, connection: Commands, *, partitions: int) -> None:
        self._connection = connection
        self.partitions = partitions

    # ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def of_partition(
        self, partition: int, *, since_ms: int = 0, until_ms: int | None = None, is_newest_first: bool = False
    ) -> AsyncIterator[DeadLetter]:
        """Give a partition's letters page by page, those written from `since_ms` to `until_ms` (both included)."""
        lowest, highest = str(since_ms), "+" if until_ms is None else str(until_ms)
        while True:
            bounds = ("XREVRANGE", highest, lowest) if is_newest_first else ("XRANGE", lowest, highest)
            command, first, last = bounds
            reply = await self._connection.execute(
                command, keys.dead(partition), first, last, "COUNT", limits.DEAD_LETTERS_PER_PAGE
            )
            page = [decode_letter(partition, entry) for entry in cast(list[Any], reply)]
            for letter in page:
                yield letter
            if len(page) < limits.DEAD_LETTERS_PER_PAGE:
                return
            if is_newest_first:
                highest = f"({page[-1].dead_id}"
            else:
                lowest = f"({page[-1].dead_id}"

    async def find(self, identifier: str) -> list[DeadLetter]:
        """Give the letter of a job, or those with a letter's id, which one in each partition may have.

        A job that Redis has forgotten is looked for in all letters of its partition.
        """
        if is_letter_id(identifier):
            found = [await self._read(partition, identifier) for partition in range(self.partitions)]
            return [letter for letter in found if letter is not None]
        partition = partition_of(identifier)
        if partition is None or partition >= self.partitions:
            return []
        dead_id = await self._connection.execute("HGET", keys.of_job(partition, identifier).record, "dead_id")
        if isinstance(dead_id, bytes) and (letter := await self._read(partition, dead_id.decode())) is not None:
            return [letter]
        return [letter async for letter in self.of_partition(partition) if letter.job_id == identifier]

    async def _read(self, partition: int, dead_id: str) -> DeadLetter | None:
        reply = await self._connection.execute("XRANGE", keys.dead(partition), dead_id, dead_id)
        entries = cast(list[Any], reply)
        return decode_letter(partition, entries[0]) if entries else None

    # ── acting ────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def redrive(self, job_id: str, *, epoch: int, token: str, message: bytes) -> Redriven:
        """Begin a failed job anew, with `message` as its queued event; raises RedisFull when Redis takes no new work.

        `epoch` is the one under which it failed (the letter's, or the failed record's): it makes the repetition of a
        redrive known, also when the job has failed once more since. `token` is fresh and random for each redrive, and
        the same for its repetition.
        """
        answer = await self.redrive_within(job_id, Bounds(), epoch=epoch, token=token, message=message)
        assert isinstance(answer, Redriven)
        return answer

    async def redrive_within(
        self, job_id: str, bounds: Bounds, *, epoch: int, token: str, message: bytes
    ) -> Redriven | Refused:
        """Do as redrive() where the job's partition has room for one more; what was begun anew is found in any case."""
        partition = partition_of(job_id)
        if partition is None:
            return Redriven.GONE
        reply = await self._connection.run_script(
            script.REDRIVE,
            keys.of_job(partition, job_id),
            job_id,
            epoch,
            message,
            int(self.partitions > 1),
            limits.MAX_WAITING_MS,
            token,
            *bounds.as_arguments(),
        )
        word, rest = as_words(reply)
        return Refused(Full(word), *rest) if rest else Redriven(word)

    async def discard(self, letter: DeadLetter) -> None:
        """Take a letter away; its job stays failed until it expires. A letter that is gone already is no error."""
        await self._connection.run_script(script.DISCARD, keys.of_job(letter.partition, letter.job_id), letter.dead_id)
