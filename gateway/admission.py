"""Whether one more job is taken, of its owner and of all. Beyond a bound nothing is created, and all else goes on.

    ask ─▶ memory of Redis (looked at every 3 s) ─▶ jobs in flight ─▶ creates of the last minute ─▶ Permit
    create ─▶ the job store, which holds the owner's jobs and the backlog against their bounds in the create itself

A failed job that its owner begins anew is one more job as well (ask_retry, begin_anew), and held against the same.

With one partition the owner's bound is exact. With several the other partitions are counted right before: creates that
are under way in different partitions at the same moment do not see each other, and are as many too many at most.
"""

import hashlib
import math
import random
import secrets
from collections.abc import Awaitable
from typing import NamedTuple, TypeVar

from gateway.metrics import GatewayMetrics
from gateway.queue_watch import QueueWatch
from gateway.rate_limit_headers import CREATES, JOBS_IN_FLIGHT, Standing, rate_limit_headers
from shared import limits
from shared.errors import RedisFull, WaybillError
from shared.gateway_settings import Allowance
from shared.jobs import JobRecord, partition_of
from shared.jobstore.dead_letters import DeadLetters, Redriven
from shared.jobstore.in_flight import count_in_flight
from shared.jobstore.operations import Bounds, Created, Full, NewJob, Refused
from shared.jobstore.outbox import Outbox, Redelivered
from shared.jobstore.owner_limits import OwnerLimits, Pace
from shared.jobstore.store import JobStore
from shared.limit_errors import BacklogFull, RedisNearlyFull, TooManyCreates, TooManyJobsInFlight

T = TypeVar("T")
_WINDOW_SECONDS = limits.CREATES_WINDOW_MS // 1000


class Permit(NamedTuple):
    """A create that may go on, as far as could be seen.

    `name`: by which it is taken off its owner's creates of the minute if nothing comes of it, None: it is not.
    `in_flight`: the owner's jobs in each partition, where they were counted.
    """

    owner: str
    name: str | None = None
    pace: Pace | None = None
    in_flight: tuple[int, ...] = ()

    def elsewhere(self, partition: int) -> int:
        """Count the owner's jobs in the other partitions."""
        return sum(jobs for number, jobs in enumerate(self.in_flight) if number != partition)


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

    async def ask(self, owner: str, job_id: str, *, key: str | None = None) -> Permit:
        """Let a create begin, before anything of it is kept; with an Idempotency-Key everything is looked at now.

        A key that is let in counts whatever comes of it.

        Raises LimitReached, BacklogFull, RedisNearlyFull, and as the job store does.
        """
        partition = partition_of(job_id) or 0
        self._insist_on_memory(partition)
        in_flight = await self._in_flight(owner) if self._looks_at_jobs(has_key=key is not None) else ()
        # What is refused must not use its key up, and the create itself comes after the key is taken.
        if key is not None and self._is_backlog_full(self._queue.unfinished(partition)):
            raise self._backlog_full()
        if key is not None and self._is_owner_full(sum(in_flight)):
            raise self._too_many_in_flight(Permit(owner), sum(in_flight))
        permit = await self._count(owner, job_id if key is None else name_of_key(key), in_flight)
        # The key is taken next. Whatever becomes of the create, the key may make its job for a day and is not counted
        # again, and other calls under it share the count.
        return permit if key is None else permit._replace(name=None)

    async def ask_retry(self, owner: str, job_id: str) -> Permit:
        """Let a failed job be begun anew, before anything of it is changed; raises as ask()."""
        self._insist_on_memory(partition_of(job_id) or 0)
        in_flight = await self._in_flight(owner) if self._looks_at_jobs(has_key=False) else ()
        # By a name of its own: what one of two at once gives back is not the count of the other, which began the job.
        return await self._count(owner, f"retry {secrets.token_hex(8)}", in_flight)

    async def tell_again(self, outbox: Outbox, job_id: str, owner: str) -> Redelivered:
        """Have a callback told again: it sends a request into the world, as a create does, and counts as one.

        Nothing is counted where nothing is told. Raises TooManyCreates, and as the job store does.
        """
        permit = await self._count(owner, f"redeliver {secrets.token_hex(8)}", ())
        answer = await self._within(permit, outbox.redeliver(job_id))
        if answer is not Redelivered.OK:
            await self._give_back(permit)
        return answer

    async def ask_again(self, owner: str) -> Permit:
        """Let a repetition go on: it counts among no creates, and is refused only when there is no job yet."""
        return Permit(owner, in_flight=await self._in_flight(owner) if self._looks_at_jobs(has_key=False) else ())

    async def create(self, job: NewJob, permit: Permit) -> Created:
        """Create the job, or find that it exists. Raises LimitReached, BacklogFull, and as the job store does."""
        partition = partition_of(job.job_id) or 0
        answer = await self._within(permit, self._store.create_within(job, self._bounds(permit, partition)))
        if isinstance(answer, Refused):
            raise await self._nothing_came(permit, answer, partition)
        return answer

    async def begin_anew(self, letters: DeadLetters, failed: JobRecord, permit: Permit, *, message: bytes) -> Redriven:
        """Begin a failed job anew, with `message` as its queued event; raises as create()."""
        partition = partition_of(failed.job_id) or 0
        redrive = letters.redrive_within(
            failed.job_id,
            self._bounds(permit, partition),
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
        return rate_limit_headers(self._standings(permit, created.in_flight + permit.elsewhere(partition)))

    def headers_after_the_end(self, permit: Permit) -> dict[str, str]:
        """Say the same once the job has ended: what the create has counted in flight is not so any more.

        To count anew would be a further question to Redis, one for each partition, for an answer that nobody needs
        to go on: so the policy is told, and not what is left of it.
        """
        return rate_limit_headers(self._standings(permit, None))

    # ── counting ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _count(self, owner: str, name: str, in_flight: tuple[int, ...]) -> Permit:
        """Count a create, after all else was asked: what is not answered, or refused, has not counted."""
        if (most := self._allowance.creates_per_minute) is None:
            return Permit(owner, in_flight=in_flight)
        pace = await self._owners.count_create(owner, name, most=most)
        permit = Permit(owner, name, pace, in_flight)
        if not pace.is_counted:
            raise self._too_many_creates(permit)
        return permit

    def _looks_at_jobs(self, *, has_key: bool) -> bool:
        """Tell whether to count jobs in flight before the create, which counts its own partition itself.

        That is all there is to count, where there is no other partition, and no key that must not be taken in vain.
        """
        return self._allowance.jobs_in_flight is not None and (has_key or self._store.partitions > 1)

    async def _in_flight(self, owner: str) -> tuple[int, ...]:
        return tuple(await count_in_flight(self._store.connection, owner, range(self._store.partitions)))

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

    def _bounds(self, permit: Permit, partition: int) -> Bounds:
        most = self._allowance.jobs_in_flight
        return Bounds(None if most is None else most - permit.elsewhere(partition), self._most_entries)

    def _is_owner_full(self, in_flight: int) -> bool:
        most = self._allowance.jobs_in_flight
        return most is not None and in_flight >= most

    def _is_backlog_full(self, unfinished: int | None) -> bool:
        return self._most_entries is not None and unfinished is not None and unfinished >= self._most_entries

    # ── refusing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _nothing_came(self, permit: Permit, answer: Refused, partition: int) -> WaybillError:
        """Give a permit back that met a bound, and say which."""
        await self._give_back(permit)
        if answer.full is Full.BACKLOG:
            return self._backlog_full()
        return self._too_many_in_flight(permit, answer.in_flight + permit.elsewhere(partition))

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


def _seconds(ms: int) -> int:
    return max(1, math.ceil(ms / 1000))


def _spread(seconds: int) -> int:
    return random.randint(seconds, 2 * seconds)
