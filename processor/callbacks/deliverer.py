"""Delivers the callbacks of all partitions, beside the jobs and never in one of their slots.

    outbox ─take (lease)─▶ enough under way there? ─yes─▶ put off, uncounted
                                  │ no
                                  ▼
                               carried ─▶ delivered | try again after a pause | given up

All processors do it side by side; the outbox gives each callback to one of them. Who dies leaves a lease that runs out,
and the callback is told again, with the same id. Who stops lets those under way end for a few seconds, and hands back
the rest.
"""

import asyncio
import contextlib
import heapq
import random
import time
import traceback
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import structlog
from opentelemetry import trace

from processor.callbacks.courier import Courier
from processor.callbacks.crowd import Crowd, receiver_of
from processor.callbacks.metrics import DeliveryMetrics, outcome_of
from processor.callbacks.outcome import (
    Cause,
    Delivered,
    GiveUp,
    Reception,
    Trouble,
    TryAgain,
    Verdict,
    after_try,
    has_waited_too_long,
)
from processor.callbacks.schedule import put_off_ms
from processor.repeater import Repeater
from shared import limits
from shared.clock import now_ms as clock_ms
from shared.errors import UnavailableError
from shared.jobstore.callback import DeliveryOutcome, TakenCallback
from shared.jobstore.outbox import Outbox
from shared.telemetry.tracing import spanning_callback

log = structlog.get_logger(__name__)
tracer = trace.get_tracer("waybill.processor")


class Deliverer:
    """One processor's deliveries. Times passed in (`now_ms`) are for tests that let days pass; None is Redis' clock."""

    def __init__(
        self,
        outbox: Outbox,
        courier: Courier,
        metrics: DeliveryMetrics,
        *,
        processor: str,
        schedule_seconds: Sequence[int],
    ) -> None:
        self._outbox = outbox
        self._courier = courier
        self._metrics = metrics
        self._processor = processor
        self._schedule_seconds = schedule_seconds
        self._crowd = Crowd()
        self._under_way: set[asyncio.Task[None]] = set()
        self._has_left_some = False
        self._put_off_until: list[float] = []
        """Monotonic seconds, a heap: when those are due again that this deliverer has put off."""
        self._wake = asyncio.Event()
        self._is_stopping = False

    # ── the loop ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def run(self) -> None:
        """Deliver until stop(), or until cancelled, which hands back at once what is under way."""
        async with asyncio.TaskGroup() as group:
            while not self._is_stopping:
                await self.look(group)
                await self._pause()
            await self._see_out()

    def wake(self) -> None:
        """Look now: something was put into an outbox."""
        self._wake.set()

    def stop(self) -> None:
        """Take nothing more; run() returns within CALLBACK_DRAIN_WITHIN_SECONDS and the time of handing back."""
        self._is_stopping = True
        self._wake.set()

    def hurry(self) -> None:
        """Hand back at once what is under way; after stop()."""
        for task in self._under_way:
            task.cancel()

    async def look(self, group: asyncio.TaskGroup, *, now_ms: int | None = None) -> int:
        """Take what is due in every partition and begin to deliver it in `group`; give how many were taken."""
        found = 0
        self._has_left_some = False
        while self._put_off_until and self._put_off_until[0] <= time.monotonic():
            heapq.heappop(self._put_off_until)
        for partition in random.sample(range(self._outbox.partitions), self._outbox.partitions):
            if self._is_stopping:  # while Redis is away each partition takes its time
                break
            most = max(limits.CALLBACKS_AT_ONCE - len(self._under_way), limits.CALLBACKS_LOOKED_AT_LEAST)
            taken = await self._take(partition, most, now_ms)
            self._has_left_some |= len(taken) == most
            found += len(taken)
            for callback in taken:
                self._begin(group, callback, now_ms)
        return found

    async def _take(self, partition: int, most: int, now_ms: int | None) -> list[TakenCallback]:
        with _MistakesTold("taking callbacks broke", partition=partition):
            try:
                return await self._outbox.take(
                    partition, self._processor, lease_ms=limits.CALLBACK_LEASE_MS, count=most, now_ms=now_ms
                )
            except UnavailableError as error:
                log.debug("cannot read the outbox", partition=partition, trouble=error.message)
        return []

    async def _pause(self) -> None:
        """Wait for a word that there is something, for those put off, or for about a second."""
        pause_seconds = random.uniform(0.8, 1.2) * limits.CALLBACKS_LOOKED_FOR_EVERY_SECONDS
        if self._put_off_until:
            pause_seconds = min(pause_seconds, self._put_off_until[0] - time.monotonic())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_seconds):
                await self._wake.wait()
                # Those that end together are looked for together, and not by all processors in one moment.
                if not self._is_stopping:
                    await asyncio.sleep(random.uniform(0, limits.CALLBACKS_GATHERED_FOR_SECONDS))
        self._wake.clear()

    async def _see_out(self) -> None:
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=limits.CALLBACK_DRAIN_WITHIN_SECONDS)
            self.hurry()

    # ── one callback ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _begin(self, group: asyncio.TaskGroup, taken: TakenCallback, now_ms: int | None) -> None:
        if self._is_stopping:  # it was taken while somebody said so
            work = self._hand_back(taken, 0, now_ms)
        elif taken.lost >= limits.CALLBACK_DELIVERERS_LOST:
            work = self._give_up_untried(taken, Cause.DELIVERERS_DIED)
        elif (turn_ms := self._crowd.enter(taken, now_ms=time.monotonic() * 1000)) is None:
            work = self._deliver_safely(taken, now_ms)
        elif has_waited_too_long(taken.waited_ms, self._schedule_seconds):
            work = self._give_up_untried(taken, Cause.NO_TURN)
        else:
            delay_ms = put_off_ms(turn_ms, random.random())
            heapq.heappush(self._put_off_until, time.monotonic() + delay_ms / 1000)
            self._metrics.count_put_off()
            work = self._hand_back(taken, delay_ms, now_ms)
        task = group.create_task(work, name=f"callback {taken.callback_id}")
        self._under_way.add(task)
        task.add_done_callback(self._end)

    def _end(self, done: asyncio.Task[None]) -> None:
        self._under_way.discard(done)
        if self._has_left_some:
            self._wake.set()

    async def _deliver_safely(self, taken: TakenCallback, now_ms: int | None) -> None:
        began = time.monotonic()
        try:
            with _MistakesTold("settling a callback broke", **_facts(taken)):
                await self._deliver(taken, now_ms)
        finally:
            now = time.monotonic()
            self._crowd.leave(taken, took_ms=(now - began) * 1000, now_ms=now * 1000)

    async def _give_up_untried(self, taken: TakenCallback, cause: Cause) -> None:
        verdict = GiveUp(cause)
        with _MistakesTold("settling a callback broke", **_facts(taken)):
            is_ours = await Repeater().insist(lambda: self._outbox.give_up_untried(taken, verdict.reason))
            self._note(taken, verdict, None, is_ours)

    async def _deliver(self, taken: TakenCallback, now_ms: int | None) -> None:
        began_at_ms = clock_ms() if now_ms is None else now_ms
        began = time.monotonic()
        with spanning_callback(tracer, taken.record.traceparent, taken.name.epoch) as span:
            span.set_attributes({"job_id": taken.name.job_id, "attempt": taken.attempt})
            try:
                reception = await self._carry(taken)
            except asyncio.CancelledError:  # whether it has arrived is not known: it is told again, by somebody else
                await self._hand_back(taken, 0, None)
                raise
            reception, verdict = self._judge(reception, taken, began_at_ms)
            span.set_attribute("outcome", outcome_of(reception))
            took_ms = round((time.monotonic() - began) * 1000)
            tried = _Try(reception, _outcome(reception, began_at_ms, duration_ms=took_ms))
            self._metrics.count_try(reception, duration_ms=took_ms)
            # Again and again until Redis answers: else it would be told once more.
            is_ours = await Repeater().insist(lambda: self._write(taken, verdict, tried.outcome, now_ms))
            self._note(taken, verdict, tried, is_ours)

    async def _carry(self, taken: TakenCallback) -> Reception:
        with _MistakesTold("delivering a callback broke", **_facts(taken)):
            return await self._courier.carry(taken)
        return Reception(trouble=Trouble.BROKE)

    def _judge(self, reception: Reception, taken: TakenCallback, at_ms: int) -> tuple[Reception, Verdict]:
        """Say what follows from a reception. A mistake of ours in it is a try that broke: else it would never count."""
        follow = partial(
            after_try,
            tries=taken.attempt,
            schedule_seconds=self._schedule_seconds,
            random_ratio=random.random(),
            now_ms=at_ms,
            waited_ms=taken.waited_ms,
        )
        with _MistakesTold("judging a try broke", **_facts(taken)):
            return reception, follow(reception)
        broken = Reception(trouble=Trouble.BROKE)
        return broken, follow(broken)

    def _note(self, taken: TakenCallback, verdict: Verdict, tried: "_Try | None", is_ours: bool | None) -> None:
        """Count and log what became of it, as far as that was written."""
        if is_ours and isinstance(verdict, GiveUp):
            self._metrics.count_given_up(is_for_admins=taken.is_for_admins, cause=verdict.cause)
        if is_ours:
            _tell(taken, verdict, tried)
        elif is_ours is None:  # its lease has run out by now, so it is told again, by its id
            log.warning("callback not settled", job_id=taken.name.job_id, callback_id=taken.callback_id)
        else:  # its lease ran out while Redis was away, or its owner wanted it anew: it is told again, by its id
            log.info("callback is in other hands", job_id=taken.name.job_id, callback_id=taken.callback_id)

    async def _write(
        self, taken: TakenCallback, verdict: Verdict, outcome: DeliveryOutcome, now_ms: int | None
    ) -> bool:
        match verdict:
            case Delivered():
                return await self._outbox.delivered(taken, outcome)
            case TryAgain(delay_ms=delay_ms):
                return await self._outbox.try_again(taken, outcome, delay_ms=delay_ms, now_ms=now_ms)
            case GiveUp():
                return await self._outbox.give_up(taken, outcome)

    async def _hand_back(self, taken: TakenCallback, delay_ms: int, now_ms: int | None) -> None:
        """Let somebody try it later, uncounted. Where that cannot be written, the end of the lease does the same."""
        with _MistakesTold("handing back a callback broke", **_facts(taken)):
            try:
                async with asyncio.timeout(limits.CALLBACK_HANDED_BACK_WITHIN_SECONDS):
                    await self._outbox.release(taken, delay_ms=delay_ms, now_ms=now_ms)
            except (UnavailableError, TimeoutError) as error:
                log.debug("callback not handed back", callback_id=taken.callback_id, trouble=str(error))


class _Try(NamedTuple):
    """A try that was made, and how it went."""

    reception: Reception
    outcome: DeliveryOutcome

    @property
    def facts(self) -> dict[str, object]:
        """Tell of it in the log."""
        trouble = self.reception.details or str(self.reception.trouble or self.reception.words)
        facts: dict[str, object] = {"status": self.outcome.status, "took_ms": self.outcome.duration_ms}
        return facts if self.reception.is_success else {**facts, "trouble": trouble}


class _MistakesTold:
    """Logs a mistake of ours about some callbacks, which must end neither the others nor the jobs of this processor.

    By its kind and its places: its words, and those of a traceback, may have the URL in them, which may be a secret.
    """

    def __init__(self, event: str, **facts: object) -> None:
        self._event = event
        self._facts = facts

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, _: object, error: BaseException | None, trace: TracebackType | None) -> bool:
        if not isinstance(error, Exception):
            return False
        places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in traceback.extract_tb(trace)]
        log.error(
            self._event,
            **self._facts,
            error=type(error).__name__,
            places=places[-limits.MAX_CAUSES :],
        )
        return True


def _facts(taken: TakenCallback) -> dict[str, object]:
    """Name a callback in the log; its URL may be a secret, so of it the host alone."""
    return {"job_id": taken.name.job_id, "callback_id": taken.callback_id, "receiver": receiver_of(taken)}


def _outcome(reception: Reception, at_ms: int, *, duration_ms: int) -> DeliveryOutcome:
    # A name that leads into our network and one that leads nowhere take different times: owners are not told which.
    return DeliveryOutcome(
        at_ms=at_ms,
        duration_ms=0 if reception.trouble is Trouble.NO_ADDRESS else duration_ms,
        status=reception.status,
        error=None if reception.is_success else reception.words,
    )


def _tell(taken: TakenCallback, verdict: Verdict, tried: _Try | None) -> None:
    """Log what became of a callback."""
    attempt = taken.attempt if tried else taken.attempt - 1
    facts = {**_facts(taken), "attempt": attempt, **(tried.facts if tried else {})}
    match verdict:
        case Delivered():
            log.info("callback delivered", **facts)
        case TryAgain(delay_ms=delay_ms):
            log.info("callback not delivered yet", **facts, delay_ms=delay_ms)
        case GiveUp():
            write = log.error if taken.is_for_admins else log.warning
            write("callback given up", **facts, reason=verdict.reason)
