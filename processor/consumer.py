"""Takes command entries from the stream, never more than there are free slots, and has each of them executed.

look: entries to be taken up again, then new ones ─▶ none ─▶ wait
                                                               one partition:  a blocking read
                                                               several:        a wake message, or a second
"""

import asyncio
import contextlib
import random
from collections.abc import Callable

import structlog

from processor.execution import Execution
from shared import limits
from shared.errors import UnavailableError
from shared.jobstore.operations import Entry
from shared.jobstore.reader import BlockingReader
from shared.jobstore.store import JobStore

log = structlog.get_logger(__name__)


class Consumer:
    """Keeps up to `slots` executions going until it is told to stop."""

    def __init__(
        self,
        store: JobStore,
        reader: BlockingReader | None,
        *,
        processor: str,
        slots: int,
        may_work: Callable[[], bool],
        new_execution: Callable[[], Execution],
    ) -> None:
        self._store = store
        self._reader = reader
        self._processor = processor
        self._slots = slots
        self._may_work = may_work
        self._new_execution = new_execution
        self._running: dict[asyncio.Task[None], tuple[Entry, Execution]] = {}
        self._look = asyncio.Event()
        self._resting: set[str] = set()
        self._is_stopping = False

    async def wake(self) -> None:
        """Look for work now: an entry became ready, or (with several partitions) a job was created."""
        self._look.set()
        if self._reader:
            await self._reader.interrupt()

    def stop(self) -> None:
        """Take nothing more and hand back what is running; wake() ends a read that is waiting."""
        self._is_stopping = True
        for _, execution in self._running.values():
            execution.stop()
        self._look.set()

    async def run(self) -> None:
        """Work until stopped; returns when the last run has been settled."""
        while not self._is_stopping:
            self._look.clear()
            await self._fill_slots()
            await self._wait_for_work()
        if self._running:
            await asyncio.wait(self._running)
        if self._reader:
            await self._reader.close()

    @property
    def _free_slots(self) -> int:
        """How many jobs to take: none while the work cannot be done, for they would only fail."""
        return self._slots - len(self._running) if self._may_work() else 0

    async def _fill_slots(self) -> None:
        # Partitions in random order, so that none is served last by everybody.
        partitions = range(self._store.partitions)
        for partition in random.sample(partitions, len(partitions)):
            free = self._free_slots
            if free <= 0 or self._is_stopping:
                return
            if self._store.healthy_since(partition) is None:
                continue  # its server is away; the others' work is not to wait for it
            try:
                entries = await self._store.take(
                    partition, processor=self._processor, most=free, in_hand=self._in_hand()
                )
            except UnavailableError as error:
                log.debug("cannot take work", partition=partition, trouble=error.message)
                continue
            for entry in entries:
                self._start(entry)

    def jobs_in_hand(self) -> list[str]:
        """Name the jobs that are being executed."""
        return [entry.job_id for entry, _ in tuple(self._running.values())]

    def _in_hand(self) -> set[str]:
        return self._resting | {entry.entry_id for entry, _ in self._running.values()}

    def _start(self, entry: Entry) -> None:
        execution = self._new_execution()
        task = asyncio.create_task(execution.execute(entry), name=f"job-{entry.job_id}")
        self._running[task] = (entry, execution)
        task.add_done_callback(self._finished)
        if self._is_stopping:
            execution.stop()

    def _finished(self, task: asyncio.Task[None]) -> None:
        entry, execution = self._running.pop(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            # Nothing is lost: the lease runs out and the job is taken up again.
            log.error("execution broke", exc_info=error)
        if error is not None or execution.is_fruitless:
            self._rest(entry)
        self._look.set()

    def _rest(self, entry: Entry) -> None:
        """Let an entry lie for a while, though Redis still counts it as ours: it would come back without a pause."""
        self._resting.add(entry.entry_id)
        delay_seconds = random.uniform(0.8, 1.2) * limits.IDLE_LOOK_EVERY_SECONDS
        asyncio.get_running_loop().call_later(delay_seconds, self._resting.discard, entry.entry_id)

    async def _wait_for_work(self) -> None:
        free = self._free_slots
        if self._reader and free > 0:
            if not self._look.is_set():
                for entry in await self._reader.read(most=free):
                    self._start(entry)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(random.uniform(0.8, 1.2) * limits.IDLE_LOOK_EVERY_SECONDS):
                await self._look.wait()
