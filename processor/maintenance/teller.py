"""Tells the admins of every dead letter, in order: one elected teller for each partition (a lock with a time to live).

next letter after the cursor ─▶ POST ─▶ 2xx ─▶ cursor behind it
                ▲                 └──▶ anything else: again after a pause ──too often──▶ logged, cursor behind it
                └── the endpoint is away: all partitions pause

A round tells one letter of each partition: while one with many was told, the locks of the others would lapse. A mistake
of ours about a letter counts as a refusal, or it would block those behind it for ever.

The cursor is in Redis and moves only after the answer: a crash between the two tells the letter twice, with the same
webhook-id, and never not at all.
"""

import asyncio
import random
import time
from typing import NamedTuple

import structlog

from processor.callbacks.delivery import Delivery, Reception
from processor.dead_letters.message import (
    DEFAULT_POLICY,
    GivenUp,
    TellAgain,
    TellPolicy,
    Told,
    Tries,
    after_reception,
    body_of,
    headers_of,
)
from processor.metrics import AdminCallbackMetrics
from shared.errors import UnavailableError
from shared.jobstore.dead_letters import DeadLetters, Untold
from shared.jobstore.letter import DeadLetter

log = structlog.get_logger(__name__)

VARIABLE = "WAYBILL_ADMIN_CALLBACK_URL"


class _Pause(NamedTuple):
    """A letter that waits for its next try, at `until` of the monotonic clock."""

    dead_id: str
    tries: Tries
    until: float


class Teller:
    """Tells the letters of all partitions, those of which it is the teller, to one URL."""

    def __init__(
        self,
        letters: DeadLetters,
        url: str,
        metrics: AdminCallbackMetrics,
        *,
        processor: str,
        policy: TellPolicy = DEFAULT_POLICY,
    ) -> None:
        self._letters = letters
        self._url = url
        self._metrics = metrics
        self._processor = processor
        self._policy = policy
        self._pauses: dict[int, _Pause] = {}
        self._resting_until: dict[int, float] = {}
        self._endpoint_back_at = 0.0

    async def run(self) -> None:
        """Tell until cancelled; without a URL return at once. Raises SettingsError for one that cannot be called."""
        if not self._url:
            return
        async with Delivery.opened(self._url, variable=VARIABLE) as delivery:
            while True:
                moved = [await self._tell_safely(delivery, number) for number in range(self._letters.partitions)]
                if not any(moved):
                    await asyncio.sleep(random.uniform(0.8, 1.2) * self._policy.look_every_seconds)

    async def _tell_safely(self, delivery: Delivery, partition: int) -> bool:
        """Try to tell the next letter of a partition; True when it is dealt with, and the one behind it is next."""
        if time.monotonic() < self._resting_until.get(partition, 0.0):
            return False
        try:
            return await self._tell_next(delivery, partition)
        except UnavailableError as error:
            log.debug("cannot read dead letters", partition=partition, trouble=error.message)
        except (
            Exception
        ):  # jobs must not suffer from a mistake in telling of their end, nor the log from its repetition
            self._resting_until[partition] = time.monotonic() + random.uniform(0.8, 1.2) * self._policy.cap_ms / 1000
            self._metrics.count("broke")
            log.exception("telling admins broke", partition=partition)
        return False

    async def _tell_next(self, delivery: Delivery, partition: int) -> bool:
        # Asked also during a pause: it keeps the lock, and with it the count of tries, in these hands.
        turn = await self._letters.next_untold(partition, teller=self._processor)
        if turn.untold is None:
            return False
        letter, now = turn.untold.letter, time.monotonic()
        pause = self._pauses.get(partition)
        if pause is None or pause.dead_id != letter.dead_id:
            pause = _Pause(letter.dead_id, Tries(), now)
        if now < max(pause.until, self._endpoint_back_at):
            return False

        reception = await self._post(delivery, letter)
        status, trouble = reception or Reception(None, "it broke here, see the log")
        facts: dict[str, object] = {"status": status, "trouble": trouble}
        match after_reception(
            status, pause.tries, self._policy, random_ratio=random.random(), is_broken=reception is None
        ):
            case Told():
                await self._move_on(turn.untold, "told")
                log.info("admins told", job_id=letter.job_id, dead_id=letter.dead_id)
                return True
            case GivenUp():
                await self._move_on(turn.untold, "given_up")
                log.error("admins not told", job_id=letter.job_id, dead_id=letter.dead_id, **facts)
                return True
            case TellAgain() as again:
                self._wait(partition, letter, again, facts)
                return False

    async def _post(self, delivery: Delivery, letter: DeadLetter) -> Reception | None:
        """Send a letter; None: that broke."""
        try:
            return await delivery.post(body_of(letter), headers_of(letter))
        except Exception:  # a mistake of ours about this letter; it must not block those behind it for ever
            self._metrics.count("broke")
            log.exception("telling admins broke", job_id=letter.job_id, dead_id=letter.dead_id)
            return None

    async def _move_on(self, untold: Untold, outcome: str) -> None:
        trimmed = await self._letters.mark_told(untold)
        self._pauses.pop(untold.letter.partition, None)
        self._metrics.count(outcome)
        if trimmed:
            self._metrics.count("trimmed", trimmed)
            log.error(
                "dead letters trimmed before admins were told", letters=trimmed, partition=untold.letter.partition
            )

    def _wait(self, partition: int, letter: DeadLetter, again: TellAgain, facts: dict[str, object]) -> None:
        until = time.monotonic() + again.delay_ms / 1000
        self._pauses[partition] = _Pause(letter.dead_id, again.tries, until)
        if again.is_away:
            self._endpoint_back_at = until
        self._metrics.count("away" if again.is_away else "refused")
        log.warning(
            "admins not told yet", job_id=letter.job_id, tries=again.tries.all, delay_ms=again.delay_ms, **facts
        )
