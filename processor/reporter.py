"""Turns what a handler reports into progress events: written one after the other, each until it is answered."""

import asyncio
import random

from processor.context import RunContext
from processor.lease import Lease
from processor.progress import ProgressPace
from shared import events, limits
from shared.clock import monotonic_ms, now_ms
from shared.errors import RedisFull, UnavailableError
from shared.jobstore.operations import Answer, Behind, Run
from shared.jobstore.store import JobStore


class ProgressReporter:
    """Writes the progress of one run."""

    def __init__(self, store: JobStore, run: Run, context: RunContext, lease: Lease) -> None:
        self._store = store
        self._run = run
        self._context = context
        self._lease = lease
        self._pace = ProgressPace(floor_ratio=run.record.progress.progress)
        self._seq = run.record.seq

    async def report(self) -> None:
        """Write events until cancelled, or until the run is superseded."""
        while True:
            report = await self._context.next_report()
            wait_ms = self._pace.due_in_ms(report, monotonic_ms())
            if wait_ms is None:
                continue
            if wait_ms:
                await asyncio.sleep(wait_ms / 1000)
                report = self._context.latest()
            event = self._pace.event(report, now_ms=monotonic_ms(), at_ms=now_ms())
            if not await self._append(events.encode(event)):
                return

    async def _append(self, message: bytes) -> bool:
        """Append one event, again and again until it is answered; False when the run is superseded."""
        while True:
            try:
                answer = await self._try_append(message)
            except RedisFull:
                await asyncio.sleep(random.uniform(1, 2) * limits.PROGRESS_EVERY_MS / 1000)
            except UnavailableError:
                await asyncio.sleep(random.uniform(0.5, 1.0) * limits.RECONNECT_MAX_SECONDS)
            else:
                if not isinstance(answer, Behind):
                    self._seq += 1
                    return self._lease.note(answer)
                self._seq = answer.seq  # events were lost in a failover: go on where the log ends now

    async def _try_append(self, message: bytes) -> Answer | Behind:
        async with self._lease.turn:
            return await self._store.append_progress(self._run, seq=self._seq + 1, message=message)
