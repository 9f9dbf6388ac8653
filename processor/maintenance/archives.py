"""Removes archives that no job knows of: they cost money, and nobody would ever ask for their deletion again.

A run that was superseded in the midst of its Complete leaves one, and so does a deletion that failed until Redis forgot
the job. About once a day one process looks, whichever comes first; stray.py decides, and what is not named as bundles
are is never touched. All strays are counted before the first is deleted, and each is looked at once more right before.
"""

import asyncio
import random
from collections.abc import Sequence
from contextlib import aclosing
from typing import NamedTuple

import structlog

from processor.bundle.archive_key import job_of_archive
from processor.maintenance.orphans import first_pause_seconds, pause_seconds
from processor.maintenance.stray import are_too_many, is_old, is_stray
from processor.metrics import ProcessorMetrics
from shared import limits
from shared.clock import now_ms
from shared.errors import ObjectError, RedisRefused, UnavailableError
from shared.for_each import for_each
from shared.jobs import partition_of
from shared.jobstore.lifetimes import Lifetimes
from shared.jobstore.store import JobStore
from shared.objects.info import ObjectInfo
from shared.objects.store import ObjectStore
from shared.retention import Retention

log = structlog.get_logger(__name__)


class _Archive(NamedTuple):
    """An archive, and the job that its key names."""

    key: str
    job_id: str


class _Seen(NamedTuple):
    """What a listing came to: archives of ours, those that no job knows of, the key to go on behind ("": the end)."""

    archives: int
    strays: list[_Archive]
    place: str


class ArchiveSearch:
    """Looks through the store of archives; raises nothing that concerns jobs."""

    def __init__(
        self, store: JobStore, objects: ObjectStore, *, retention: Retention, metrics: ProcessorMetrics
    ) -> None:
        self._lifetimes = Lifetimes(store.connection, partitions=store.partitions)
        self._objects = objects
        self._keep_seconds = retention.keep_seconds
        self._metrics = metrics

    async def run(self) -> None:
        """Ask about once an hour whether it is time, until cancelled."""
        await asyncio.sleep(first_pause_seconds(random.random()))
        while True:
            await self._take_turn()
            await asyncio.sleep(pause_seconds(random.random()))

    async def _take_turn(self) -> None:
        try:
            every_ms = round(limits.ARCHIVE_SEARCH_EVERY_MS * random.uniform(0.9, 1.1))
            if await self._lifetimes.begin_archive_search(every_ms=every_ms):
                await self.search(now_ms())
        except (UnavailableError, RedisRefused, ObjectError) as error:
            log.warning("cannot look for archives that no job knows of", problem=error.message)
            await self._try_again_soon()
        except Exception:  # jobs must not suffer from a mistake in clearing up
            log.exception("the search for archives that no job knows of broke")

    async def _try_again_soon(self) -> None:
        try:
            await self._lifetimes.hasten_archive_search(within_ms=limits.ARCHIVE_SEARCH_AGAIN_MS)
        except (UnavailableError, RedisRefused):  # then the next turn is tomorrow's
            log.debug("the next search for archives is tomorrow's")

    async def search(self, at_ms: int) -> None:
        """Delete the archives that, at this moment (milliseconds since 1970), are old and known to no job.

        One turn: at most ARCHIVE_SEARCH_PAGES pages and STRAYS_PER_TURN archives; another one soon goes on behind them.
        Too many are refused, unless an operator has permitted it. Raises as the job store and the store do.
        """
        seen = await self._look(at_ms, after=await self._lifetimes.archive_search_place())
        is_permitted = await self._lifetimes.is_archive_deletion_permitted()
        if are_too_many(len(seen.strays), seen=seen.archives) and not is_permitted:
            self._refuse(seen)
            return
        await self._remove(seen.strays)
        await self._lifetimes.keep_archive_search_place(seen.place)
        if seen.place:
            await self._lifetimes.hasten_archive_search(within_ms=limits.ARCHIVE_SEARCH_AGAIN_MS)

    async def _look(self, at_ms: int, *, after: str) -> _Seen:
        archives, strays, pages = 0, list[_Archive](), 0
        async with aclosing(self._objects.listing(after=after)) as listing:
            async for page in listing:
                ours = [(info, job_id) for info in page if (job_id := self._job_of(info))]
                old = [_Archive(info.key, job_id) for info, job_id in ours if self._is_old(info, at_ms)]
                known = await asyncio.gather(*(self._is_stray(archive) for archive in old))
                archives += len(ours)
                strays += [archive for archive, is_one in zip(old, known, strict=True) if is_one]
                pages += 1
                if page and (pages == limits.ARCHIVE_SEARCH_PAGES or len(strays) >= limits.STRAYS_PER_TURN):
                    return _Seen(archives, strays, page[-1].key)
        return _Seen(archives, strays, "")

    def _job_of(self, info: ObjectInfo) -> str | None:
        """Read whose archive it is; None also for a job of a partition that we have not: another Waybill's."""
        job_id = job_of_archive(info.key)
        partition = partition_of(job_id) if job_id else None
        return job_id if partition is not None and partition < self._lifetimes.partitions else None

    def _is_old(self, info: ObjectInfo, at_ms: int) -> bool:
        return is_old(info.modified_at_ms, at_ms=at_ms, keep_seconds=self._keep_seconds)

    async def _is_stray(self, archive: _Archive) -> bool:
        try:
            known = await self._lifetimes.known_object(archive.job_id)
        except RedisRefused:  # a record that is none: whatever it was, it does not say that the archive is not wanted
            return False
        return is_stray(archive.key, state=known.state, object_key=known.object_key)

    def _refuse(self, seen: _Seen) -> None:
        self._metrics.count_strays("refused", len(seen.strays))
        log.error(
            "too many archives that no job knows of: none is deleted",
            archives=seen.archives,
            unknown=len(seen.strays),
            examples=[stray.key for stray in seen.strays[:3]],
            advice="Was Redis emptied, or does another Waybill use this place? See docs/operations.md.",
        )

    async def _remove(self, strays: list[_Archive]) -> None:
        deleted, problems = list[str](), list[Exception]()

        async def remove(stray: _Archive) -> None:
            if len(problems) >= limits.JANITOR_JOBS_AT_ONCE:  # the store is in trouble: the rest is tomorrow's
                return
            try:
                if await self._is_stray(stray):
                    async with asyncio.timeout(limits.JANITOR_DELETE_WITHIN_SECONDS):
                        await self._objects.delete(stray.key)
                    deleted.append(stray.key)
            except (ObjectError, TimeoutError) as error:
                problems.append(error)

        try:
            await for_each(strays, remove, at_once=limits.JANITOR_JOBS_AT_ONCE)
        finally:  # also when Redis goes away in the midst of it: what is deleted must not go unsaid
            self._tell(strays, deleted, problems)

    def _tell(self, strays: Sequence[_Archive], deleted: Sequence[str], problems: Sequence[Exception]) -> None:
        self._metrics.count_strays("deleted", len(deleted))
        self._metrics.count_strays("stuck", len(problems))
        if deleted:
            log.warning("archives that no job knew of deleted", archives=len(deleted), examples=deleted[:3])
        if problems:
            problem = str(problems[0]) or "the store of archives does not answer"
            log.warning("archives that no job knows of left", archives=len(strays) - len(deleted), problem=problem)
