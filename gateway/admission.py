"""Whether one more job is taken, of its owner and of all. Beyond a bound nothing is created, and all else goes on.

    ask ─▶ memory of Redis (looked at every 3 s) ─▶ jobs in flight, callbacks ─▶ creates of the last minute ─▶ Permit
    create ─▶ the job store, which holds the owner's jobs, callbacks and the backlog against their bounds in the create

A failed job that its owner begins anew is one more job as well (ask_retry, begin_anew), and held against the same.
Callbacks that wait are a bound for those jobs alone that will have one, and each job that was let in has its own in the
end: so as many more may wait as were in flight.

With one partition the owner's bounds are exact. With several the other partitions are counted right before: creates
that are under way in different partitions at the same moment do not see each other, and are as many too many at most.
"""

import asyncio
import hashlib
import math
import random
import secrets
from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple, TypeVar

from gateway.metrics import GatewayMetrics
from gateway.queue_watch import QueueWatch
from gateway.rate_limit_headers import CALLBACKS_WAITING, CREATES, JOBS_IN_FLIGHT, Standing, rate_limit_headers
from shared import limits
from shared.errors import RedisFull, WaybillError
from shared.gateway_settings import Allowance
from shared.jobs import JobRecord, partition_of
from shared.jobstore.access import Commands
from shared.jobstore.dead_letters import DeadLetters, Redriven
from shared.jobstore.in_flight import count_in_flight, count_waiting_callbacks
from shared.jobstore.operations import Bounds, Created, Full, NewJob, Refused
from shared.jobstore.outbox import Outbox, Redelivered
from shared.jobstore.owner_limits import OwnerLimits, Pace
from shared.jobstore.store import JobStore
from shared.limit_errors import (
    BacklogFull,
    RedisNearlyFull,
    TooManyCreates,
    TooManyJobsInFlight,
    TooManyWaitingCallbacks,
)

T = TypeVar("T")
Count = Callable[[Commands, str, Iterable[int]], Awaitable[list[int]]]
_WINDOW_SECONDS = limits.CREATES_WINDOW_MS // 1000


class Elsewhere(NamedTuple):
    """What an owner has in other partitions than the one of a job."""

    in_flight: int
    callbacks: int


class Permit(NamedTuple):
    """A create that may go on, as far as could be seen.

    `name`: by which it is taken off its owner's creates of the minute if nothing comes of it, None: it is not.
    `in_flight`, `callbacks`: the owner's unfinished jobs, and callbacks that wait, in each partition where they were
    counted.
    """

    owner: str
    name: str | None = None
    pace: Pace | None = None
    in_flight: tuple[int, ...] = ()
    callbacks: tuple[int, ...] = ()

    def elsewhere(self, partition: int) -> Elsewhere:
        """Count what the owner has in the other partitions."""
        return Elsewhere(_but(partition, self.in_flight), _but(partition, self.callbacks))


def name_of_key(key: str) -> str:
    """Name the creates under an Idempotency-Key: all of them are one."""
    return f"key {hashlib.sha256(key.encode()).hexdigest()[:32]}"


class Admission:
    """Admits creates at one gateway, and what its owners begin anew."""

    def __init__(
        self,
        store: JobStore,
        queue: QueueWatch,
        metrics: GatewayMetrics,
        *,
        allowance: Allowance,
        max_backlog: int,
    ) -> None:
        self._store = store
        self._owners = OwnerLimits(store.connection)
        self._queue = queue
        self._metrics = metrics
        self._allowance = allowance
        # Each partition has its share, so that the whole is never exceeded and no create asks another partition.
        self._most_entries = max(1, max_backlog // store.partitions) if max_backlog else None

    async def ask(self, owner: str, job_id: str, *, key: str | None = None, has_callback: bool = False) -> Permit:
        """Let a create begin, before anything of it is kept; with an Idempotency-Key everything is looked at now.

        A key that is let in counts whatever comes of it.

        Raises LimitReached, BacklogFull, RedisNearlyFull, and as the job store does.
        """
        partition = partition_of(job_id) or 0
        self._insist_on_memory(partition)
        asked = await self._look(owner, has_key=key is not None, has_callback=has_callback)
        # What is refused must not use its key up, and the create itself comes after the key is taken.
        if key is not None and self._is_backlog_full(self._queue.unfinished(partition)):
            raise self._backlog_full()
        if key is not None and _is_reached(self._allowance.jobs_in_flight, sum(asked.in_flight)):
            raise self._too_many_in_flight(asked, sum(asked.in_flight))
        if key is not None and has_callback and _is_reached(self._allowance.callbacks_waiting, sum(asked.callbacks)):
            raise self._too_many_callbacks()
        permit = await self._count(asked, job_id if key is None else name_of_key(key))
        # The key is taken next. Whatever becomes of the create, the key may make its job for a day and is not counted
        # again, and other calls under it share the count.
        return permit if key is None else permit._replace(name=None)

    async def ask_retry(self, owner: str, job_id: str, *, has_callback: bool = False) -> Permit:
        """Let a failed job be begun anew, before anything of it is changed; raises as ask()."""
        self._insist_on_memory(partition_of(job_id) or 0)
        asked = await self._look(owner, has_callback=has_callback)
        # By a name of its own: what one of two at once gives back is not the count of the other, which began the job.
        return await self._count(asked, f"retry {secrets.token_hex(8)}")

    async def tell_again(self, outbox: Outbox, job_id: str, owner: str) -> Redelivered:
        """Have a callback told again: it sends a request into the world, as a create does, and counts as one.

        Nothing is counted where nothing is told. Raises LimitReached, and as the job store does.
        """
        callbacks = await self._counts(count_waiting_callbacks, owner, self._allowance.callbacks_waiting)
        permit = await self._count(Permit(owner, callbacks=callbacks), f"redeliver {secrets.token_hex(8)}")
        partition = partition_of(job_id) or 0
        most = self._bounds(permit, partition, has_callback=True).callbacks
        answer = await self._within(permit, outbox.redeliver(job_id, most=most))
        if answer is not Redelivered.OK:
            await self._give_back(permit)
        if answer is Redelivered.FULL:
            raise self._too_many_callbacks()
        return answer

    async def ask_again(self, owner: str, *, has_callback: bool = False) -> Permit:
        """Let a repetition go on: it counts among no creates, and is refused only when there is no job yet."""
        return await self._look(owner, has_callback=has_callback)

    async def create(self, job: NewJob, permit: Permit) -> Created:
        """Create the job, or find that it exists. Raises LimitReached, BacklogFull, and as the job store does."""
        partition = partition_of(job.job_id) or 0
        bounds = self._bounds(permit, partition, has_callback=job.callback_url is not None)
        answer = await self._within(permit, self._store.create_within(job, bounds))
        if isinstance(answer, Refused):
            raise await self._nothing_came(permit, answer, partition)
        return answer

    async def begin_anew(self, letters: DeadLetters, failed: JobRecord, permit: Permit, *, message: bytes) -> Redriven:
        """Begin a failed job anew, with `message` as its queued event; raises as create()."""
        partition = partition_of(failed.job_id) or 0
        redrive = letters.redrive_within(
            failed.job_id,
            self._bounds(permit, partition, has_callback=failed.callback_url is not None),
            epoch=failed.epoch,
            token=secrets.token_hex(8),
            message=message,
        )
        answer = await self._within(permit, redrive)
        if isinstance(answer, Refused):
            raise await self._nothing_came(permit, answer, partition)
        if answer is not Redriven.OK:
            await self._give_back(permit)
        return answer

    def headers(self, permit: Permit, created: Created, partition: int) -> dict[str, str]:
        """Say what is left of the owner's limits after a create."""
        elsewhere, waiting = permit.elsewhere(partition), None
        if created.callbacks is not None:
            waiting = created.callbacks + elsewhere.callbacks
        standings = self._standings(permit, created.in_flight + elsewhere.in_flight)
        return rate_limit_headers([*standings, *self._of_callbacks(created, waiting)])

    def headers_after_the_end(self, permit: Permit, created: Created) -> dict[str, str]:
        """Say the same once the job has ended: what the create has counted in flight, and waiting, is not so any more.

        To count anew would be a further question to Redis, one for each partition, for an answer that nobody needs
        to go on: so the policy is told, and not what is left of it.
        """
        return rate_limit_headers([*self._standings(permit, None), *self._of_callbacks(created, None)])

    # ── counting ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _count(self, asked: Permit, name: str) -> Permit:
        """Count a create, after all else was asked: what is not answered, or refused, has not counted."""
        if (most := self._allowance.creates_per_minute) is None:
            return asked
        pace = await self._owners.count_create(asked.owner, name, most=most)
        permit = asked._replace(name=name, pace=pace)
        if not pace.is_counted:
            raise self._too_many_creates(permit)
        return permit

    async def _look(self, owner: str, *, has_key: bool = False, has_callback: bool) -> Permit:
        """Count what of an owner is bounded before the create."""
        most_callbacks = self._allowance.callbacks_waiting if has_callback else None
        in_flight, callbacks = await asyncio.gather(
            self._counts(count_in_flight, owner, self._allowance.jobs_in_flight, has_key=has_key),
            self._counts(count_waiting_callbacks, owner, most_callbacks, has_key=has_key),
        )
        return Permit(owner, in_flight=in_flight, callbacks=callbacks)

    async def _counts(self, count: Count, owner: str, most: int | None, *, has_key: bool = False) -> tuple[int, ...]:
        """Count what `most` bounds in all partitions, before the change itself, which counts its own.

        That is all there is to count, where there is no other partition, and no key that must not be taken in vain.
        """
        if most is None or not (has_key or self._store.partitions > 1):
            return ()
        return tuple(await count(self._store.connection, owner, range(self._store.partitions)))

    async def _give_back(self, permit: Permit) -> None:
        if permit.name is not None:
            await self._owners.uncount_create(permit.owner, permit.name)

    async def _within(self, permit: Permit, change: Awaitable[T]) -> T:
        """Wait for what a permit was given for; a Redis that is full takes nothing, which then does not count."""
        try:
            return await change
        except RedisFull as error:
            await self._give_back(permit)
            raise self._refused("redis_full", error) from None

    def _bounds(self, permit: Permit, partition: int, *, has_callback: bool) -> Bounds:
        elsewhere, allowance = permit.elsewhere(partition), self._allowance
        callbacks = _left(allowance.callbacks_waiting, elsewhere.callbacks) if has_callback else None
        return Bounds(_left(allowance.jobs_in_flight, elsewhere.in_flight), self._most_entries, callbacks)

    def _is_backlog_full(self, unfinished: int | None) -> bool:
        return self._most_entries is not None and unfinished is not None and unfinished >= self._most_entries

    # ── refusing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _nothing_came(self, permit: Permit, answer: Refused, partition: int) -> WaybillError:
        """Give a permit back that met a bound, and say which."""
        await self._give_back(permit)
        if answer.full is Full.BACKLOG:
            return self._backlog_full()
        if answer.full is Full.CALLBACKS:
            return self._too_many_callbacks()
        return self._too_many_in_flight(permit, answer.in_flight + permit.elsewhere(partition).in_flight)

    def _insist_on_memory(self, partition: int) -> None:
        if self._queue.is_short_of_memory(partition):
            raise self._refused(
                "memory",
                RedisNearlyFull(
                    "This service has no memory to spare for new jobs at the moment; nothing was created. Try again "
                    "later, with the same Idempotency-Key if you sent one.",
                    retry_after_seconds=_spread(RedisFull.retry_after_seconds),
                ),
            )

    def _standings(self, permit: Permit, in_flight: int | None) -> list[Standing]:
        most, creates = self._allowance.jobs_in_flight, self._allowance.creates_per_minute
        standings = []
        if most is not None:
            standings.append(Standing(JOBS_IN_FLIGHT, most, None if in_flight is None else max(0, most - in_flight)))
        if creates is not None:
            left, next_seconds = None, None
            if permit.pace is not None:
                left, next_seconds = permit.pace.left, _seconds(permit.pace.next_ms)
            standings.append(Standing(CREATES, creates, left, _WINDOW_SECONDS, next_seconds))
        return standings

    def _of_callbacks(self, created: Created, waiting: int | None) -> list[Standing]:
        """Tell the limit of callbacks to a create that has one."""
        most = self._allowance.callbacks_waiting
        if most is None or created.callbacks is None:
            return []
        return [Standing(CALLBACKS_WAITING, most, None if waiting is None else max(0, most - waiting))]

    def _too_many_creates(self, permit: Permit) -> WaybillError:
        assert permit.pace is not None
        wait_seconds = _seconds(permit.pace.next_ms)
        return self._refused(
            "creates",
            TooManyCreates(
                f"You have created {self._allowance.creates_per_minute:,} jobs within a minute, or begun them anew, "
                f"or had their ends told again, which is your limit. Wait {wait_seconds} s, or put more files into one "
                "job.",
                retry_after_seconds=wait_seconds,
                headers=rate_limit_headers(self._standings(permit, None)),
            ),
        )

    def _too_many_in_flight(self, permit: Permit, in_flight: int) -> WaybillError:
        return self._refused(
            "jobs_in_flight",
            TooManyJobsInFlight(
                f"You have {in_flight:,} unfinished jobs, and your limit is {self._allowance.jobs_in_flight:,}. Wait "
                "until one has ended, or cancel one.",
                retry_after_seconds=self._queue.seconds_until_room(in_flight),
                headers=rate_limit_headers(self._standings(permit._replace(pace=None), in_flight)),
            ),
        )

    def _too_many_callbacks(self) -> WaybillError:
        most = self._allowance.callbacks_waiting or 0
        return self._refused(
            "callbacks_waiting",
            TooManyWaitingCallbacks(
                f"{most:,} callbacks of yours wait to be delivered, which is your limit: their receivers do not take "
                "them. See to the receivers (GET …/{job_id}/deliveries has their answers), or create jobs without "
                "callback_url meanwhile.",
                retry_after_seconds=_spread(limits.FEWER_CALLBACKS_AFTER_SECONDS),
                headers=rate_limit_headers([Standing(CALLBACKS_WAITING, most, 0)]),
            ),
        )

    def _backlog_full(self) -> WaybillError:
        return self._refused(
            "backlog",
            BacklogFull(
                "This service has as many unfinished jobs as it takes; nothing was created. Try again in a while, with "
                "the same Idempotency-Key if you sent one.",
                retry_after_seconds=self._queue.seconds_until_room(),
            ),
        )

    def _refused(self, reason: str, error: WaybillError) -> WaybillError:
        self._metrics.count_refused_create(reason)
        return error


def _but(partition: int, counts: tuple[int, ...]) -> int:
    return sum(count for number, count in enumerate(counts) if number != partition)


def _left(most: int | None, elsewhere: int) -> int | None:
    return None if most is None else most - elsewhere


def _is_reached(most: int | None, count: int) -> bool:
    return most is not None and count >= most


def _seconds(ms: int) -> int:
    return max(1, math.ceil(ms / 1000))


def _spread(seconds: int) -> int:
    return random.randint(seconds, 2 * seconds)
