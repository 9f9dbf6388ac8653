"""Writes the events of thousands of running jobs at a given rate, through the job store, in a process of its own."""

import asyncio
import contextlib
import functools
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeVar

import uvloop

from shared.jobstore.operations import Run
from tests.support import jobs
from tests.support.stores import running_store

T = TypeVar("T")

CALLERS = 200
TICK_SECONDS = 0.01
FIRST_SEQ = 2
"""The started event's: the last one of a job that was just begun."""
MESSAGE = jobs.progress(0.5, "@%d").replace(b"%", b"%%").replace(b"@%%d", b"@%d")


class Blown(NamedTuple):
    """What was written: how many events, in how many seconds, and the CPU of it."""

    events: int
    took_seconds: float
    cpu_seconds: float


class Storm:
    """Owns its jobs' runs and a job store; blocks while it works."""

    def __init__(self, url: str) -> None:
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self._stack = contextlib.AsyncExitStack()
        self._store = self._do(lambda: self._stack.enter_async_context(running_store(url, partitions=1)))
        self._runs: list[Run] = []
        self._seqs: list[int] = []
        self._turn = 0

    def begin(self, count: int) -> list[str]:
        """Create so many jobs and begin their runs; give their ids."""
        self._runs, self._turn = self._do(lambda: self._begin(count)), 0
        self._seqs = [FIRST_SEQ] * count
        return [run.job_id for run in self._runs]

    def blow(self, events: int, events_per_second: float) -> Blown:
        """Write so many events, the jobs in turn, at this rate or as fast as it goes."""
        return self._do(lambda: self._blow(events, events_per_second))

    async def _begin(self, count: int) -> list[Run]:
        await _in_turns([lambda: jobs.create(self._store)] * count)
        entries = await self._store.take(0, processor="p1", most=count, in_hand=())
        return await _in_turns([functools.partial(jobs.claim, self._store, entry) for entry in entries])

    async def _blow(self, events: int, events_per_second: float) -> Blown:
        began_at, cpu_seconds = time.monotonic(), time.process_time()
        written = 0
        while written < events:
            due = min(events, int((time.monotonic() - began_at) * events_per_second) + 1)
            if due > written:
                # Never two at a time of one job, whose events must arrive in order.
                batch = min(due - written, len(self._runs), 5_000)
                await asyncio.gather(*(self._append() for _ in range(batch)))
                written += batch
            else:
                await asyncio.sleep(max(TICK_SECONDS, began_at + written / events_per_second - time.monotonic()))
        return Blown(written, time.monotonic() - began_at, time.process_time() - cpu_seconds)

    def _append(self) -> Awaitable[object]:
        number = self._turn
        self._turn = (number + 1) % len(self._runs)
        self._seqs[number] += 1
        message = MESSAGE % time.monotonic_ns()
        return self._store.append_progress(self._runs[number], seq=self._seqs[number], message=message)

    def _do(self, operation: Callable[[], Awaitable[T]]) -> T:
        async def run() -> T:
            return await operation()

        return self._runner.run(run())


async def _in_turns(operations: list[Callable[[], Awaitable[T]]]) -> list[T]:
    left, results = iter(operations), list[T]()

    async def call() -> None:
        for operation in left:
            results.append(await operation())

    await asyncio.gather(*(call() for _ in range(CALLERS)))
    return results
