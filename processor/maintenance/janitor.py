"""Ends what waits too long, and takes ended jobs away step by step, so that Redis and the store stay small.

    waits too long ─▶ failed      ended ─▶ upload aborted, log trimmed ─▶ archive deleted, tombstone ─▶ forgotten

One elected janitor for each partition (a lock with a time to live). It only asks, the script decides; and two that meet
do no harm, because each step may be asked for twice.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from processor.maintenance.inspector import Inspector
from processor.metrics import ProcessorMetrics
from processor.outcome import waited_too_long
from shared import clock, events, limits
from shared.errors import ObjectError, RedisRefused, UnavailableError
from shared.for_each import for_each
from shared.jobstore.lifetimes import ExpiryTerms, Lifetimes, Step, Taken
from shared.jobstore.store import JobStore
from shared.objects.store import ObjectStore
from shared.retention import Retention

log = structlog.get_logger(__name__)


def pause_seconds(random_ratio: float, *, more_is_due: bool) -> float:
    """Choose the time until the next look, ± 20 %: short while more is due than fits on a page."""
    usual = limits.JANITOR_FULL_PAGE_SECONDS if more_is_due else limits.JANITOR_EVERY_SECONDS
    return usual * (0.8 + 0.4 * random_ratio)


class Janitor:
    """Looks after the jobs of all partitions, those of which it is the janitor."""

    def __init__(
        self,
        store: JobStore,
        objects: ObjectStore,
        *,
        retention: Retention,
        metrics: ProcessorMetrics,
        processor: str,
    ) -> None:
        self._store = store
        self._lifetimes = Lifetimes(store.connection, partitions=store.partitions, tells_admins=store.tells_admins)
        self._objects = objects
        self._retention = retention
        self._metrics = metrics
        self._processor = processor
        self._inspector = Inspector(store, metrics)
        self._is_store_silent = False

    async def run(self) -> None:
        """Look every few seconds, until cancelled."""
        more_is_due = False
        while True:
            await asyncio.sleep(pause_seconds(random.random(), more_is_due=more_is_due))
            more_is_due = await self.look()

    async def look(self, now_ms: int | None = None) -> bool:
        """Take one page of each partition's due jobs a step further; True when there may be more of them.

        `now_ms` (milliseconds since 1970) is for tests that let days pass; None is Redis' own clock.
        """
        return any([await self._look_safely(partition, now_ms) for partition in range(self._store.partitions)])

    async def _look_safely(self, partition: int, now_ms: int | None) -> bool:
        if self._store.healthy_since(partition) is None:
            return False
        try:
            return await self._look_at(partition, now_ms)
        except UnavailableError as error:
            log.debug("cannot look for jobs that are due", partition=partition, trouble=error.message)
        except Exception:  # jobs must not suffer from a mistake in clearing up after them
            log.exception("the janitor broke", partition=partition)
        return False

    async def _look_at(self, partition: int, now_ms: int | None) -> bool:
        due = await self._lifetimes.next_due(partition, janitor=self._processor, now_ms=now_ms)
        if due is None:
            return False
        self._is_store_silent = False
        await for_each(due, lambda job_id: self._take_step(job_id, now_ms), at_once=limits.JANITOR_JOBS_AT_ONCE)
        await self._inspect_safely(partition)
        return len(due) == limits.JANITOR_PAGE_JOBS

    async def _inspect_safely(self, partition: int) -> None:
        """Take a step of the slow walk: behind what is due, which no trouble with the walk may hold up."""
        try:
            await self._inspector.step(partition)
        except UnavailableError as error:
            log.debug("cannot inspect the job store now", partition=partition, trouble=error.message)
        except Exception:  # the same goes for a mistake in the walk
            log.exception("the inspection of the job store broke", partition=partition)

    async def _take_step(self, job_id: str, now_ms: int | None) -> None:
        at_ms = clock.now_ms() if now_ms is None else now_ms
        terms = _expiry_terms(self._retention, at_ms)
        try:
            taken = await self._lifetimes.expire(job_id, terms, now_ms=now_ms)
            if taken.step is Step.ABORT:
                if taken.upload is not None:
                    await self._remove(partial(self._objects.abort, taken.upload))
                taken = await self._lifetimes.expire(job_id, terms, aborted=taken.checkpoint, now_ms=now_ms)
            if taken.step is Step.DELETE:
                await self._remove(partial(self._objects.delete, taken.object_key))
                taken = await self._lifetimes.expire(job_id, terms, deleted_key=taken.object_key, now_ms=now_ms)
        except (ObjectError, RedisRefused, TimeoutError) as error:
            # It goes behind the others: a page of such jobs must not keep everybody else's from being seen.
            await self._lifetimes.postpone(job_id, until_ms=at_ms + limits.JANITOR_TRY_AGAIN_MS)
            trouble = str(error) or "the store of archives does not answer"
            log.warning("a job cannot be cleared up yet", job_id=job_id, trouble=trouble)
            self._metrics.count_step("stuck")
        else:
            self._tell(job_id, taken)

    async def _remove(self, removal: Callable[[], Awaitable[None]]) -> None:
        if self._is_store_silent:  # the rest of the page need not wait for it too, longer than the lock lasts
            raise TimeoutError
        try:
            async with asyncio.timeout(limits.JANITOR_DELETE_WITHIN_SECONDS):
                await removal()
        except TimeoutError:
            self._is_store_silent = True
            raise

    def _tell(self, job_id: str, taken: Taken) -> None:
        if taken.step is Step.EXPIRED:
            log.error("job failed", job_id=job_id, reason="expired", code=waited_too_long().code)
        if taken.step is Step.CANCELLED:
            log.info("job cancelled", job_id=job_id)
        if taken.step is not Step.NOT_YET:
            log.debug("job cleared up", job_id=job_id, step=taken.step.value)
            self._metrics.count_step(taken.step.value.lower())


def _expiry_terms(retention: Retention, at_ms: int) -> ExpiryTerms:
    error = waited_too_long()
    return ExpiryTerms(
        message=events.encode(events.Failed(error, can_retry=True, at=events.timestamp(at_ms))),
        error=error,
        retention_ms=retention.redis_ms,
        expires_at_ms=retention.expires_at_ms(at_ms),
    )
