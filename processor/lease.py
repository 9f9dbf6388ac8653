"""One run's right to work on its job, renewed until the run ends.

A lease survives a Redis that is away for a while: the run goes on copying, but `confirm` lets nothing become visible
until a renewal has succeeded. Whoever is superseded learns it from the next answer and is cancelled at once.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from shared import limits
from shared.errors import UnavailableError
from shared.jobs import Checkpoint
from shared.jobstore.operations import Answer, Run
from shared.jobstore.store import JobStore

log = structlog.get_logger(__name__)


class Lease:
    """Keeps a run; `on_over` is called once when the run must end: somebody else owns the job (`is_lost`: it touches
    nothing more), or somebody wants the job to end (`is_cancelled`).

    `accompany` runs something beside the run, until the run ends. `turn` is held during every operation on the job: one
    in flight for each job, never two.
    """

    def __init__(
        self,
        store: JobStore,
        run: Run,
        *,
        processor: str,
        lease_ms: int,
        renew_every_ms: int,
        on_over: Callable[[], object],
        accompany: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self._store = store
        self._run = run
        self._processor = processor
        self._lease_ms = lease_ms
        self._renew_every_seconds = renew_every_ms / 1000
        self._on_over = on_over
        self._accompany = accompany
        self._timer: asyncio.TimerHandle | None = None
        self.turn = asyncio.Lock()
        self.is_lost = False
        self.is_cancelled = False

    def keep(self) -> None:
        """Renew from now on, until let_go(). A run that is over before its first renewal costs a timer, not a task."""
        delay_seconds = random.uniform(0.8, 1.0) * self._renew_every_seconds
        self._timer = asyncio.get_running_loop().call_later(delay_seconds, self._begin_renewal)

    def let_go(self) -> None:
        """Begin no further renewal; one that is under way is its companion's business."""
        if self._timer is not None:
            self._timer.cancel()

    def _begin_renewal(self) -> None:
        self._accompany(self._renew_and_keep())

    async def _renew_and_keep(self) -> None:
        await self._renew()
        if not self.is_lost:
            self.keep()

    async def confirm(self) -> None:
        """Return once the lease has been renewed at this moment; when it is lost, the run is cancelled instead."""
        await self._insist()

    async def save(self, checkpoint: Checkpoint) -> None:
        """Do as confirm(), and keep the checkpoint with the renewal."""
        await self._insist(checkpoint)

    async def _insist(self, checkpoint: Checkpoint | None = None) -> None:
        while not await self._renew(checkpoint) or self.is_cancelled:
            if self.is_lost or self.is_cancelled:
                await asyncio.Event().wait()  # the cancellation arrives here
            await asyncio.sleep(random.uniform(0.5, 1.0) * limits.RECONNECT_MAX_SECONDS)

    def note(self, answer: Answer) -> bool:
        """Look at an operation's answer; True when this run still owns the job."""
        if answer is Answer.CANCEL and not self.is_cancelled:
            self.is_cancelled = True
            self._on_over()
        if answer in (Answer.OK, Answer.DUP, Answer.CANCEL):
            return True
        if not self.is_lost:
            self.is_lost = True
            log.warning("job superseded", answer=answer.value)
            self._on_over()
        return False

    async def _renew(self, checkpoint: Checkpoint | None = None) -> bool:
        try:
            async with self.turn:
                answer = await self._store.renew(
                    self._run, processor=self._processor, lease_ms=self._lease_ms, checkpoint=checkpoint
                )
        except UnavailableError:
            return False
        return self.note(answer)
