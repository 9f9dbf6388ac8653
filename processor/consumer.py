"""Takes command entries from the stream, never more than there are free slots, and has each of them executed.

look: entries to be taken up again, then new ones ─▶ none ─▶ wait
                                                               one partition:  a blocking read
                                                               several:        a wake message, or a second

drain: entries that were not claimed go back ─▶ runs end, or are handed back after a time ─▶ run() returns
"""

import asyncio
import contextlib
import random
from collections.abc import Callable

import structlog

from processor.drain import Drain
from processor.execution import Execution
from shared import limits
from shared.errors import UnavailableError
from shared.jobstore.operations import Entry
from shared.jobstore.reader import BlockingReader
from shared.jobstore.store import JobStore

log = structlog.get_logger(__name__)


class Consumer:
    """Keeps up to `slots` executions going until it is told to drain, or to stop; `drain` keeps the account of that."""

    def __init__(
        self,
        store: JobStore,
        reader: BlockingReader | None,
        *,
        processor: str,
        slots: int,
        may_work: Callable[[], bool],
        new_execution: Callable[[], Execution],
        drain: Drain,
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
        self._drain = drain
        self._bound: asyncio.TimerHandle | None = None

    async def wake(self) -> None:
        """Look for work now: an entry became ready, or (with several partitions) a job was created."""
        self._look.set()
        if self._reader:
            await self._reader.interrupt()

    def drain(self, *, within_seconds: float) -> None:
        """Take and claim nothing more, and let what is running go on; wake() ends a read that is waiting.

        What has not ended after so long is handed back.
        """
        for _, execution in self._running.values():
            execution.claim_no_more()
        self._drain.begin(len(self.jobs_in_hand()), within_seconds=within_seconds)
        self._bound = asyncio.get_running_loop().call_later(within_seconds, self.stop)
        self._look.set()

    def stop(self) -> None:
        """Take nothing more and hand back what is running, now."""
        if not self._drain.has_begun:
            self.drain(within_seconds=0)
        for _, execution in self._running.values():
            execution.stop()

    async def run(self) -> None:
        """Work until told to drain; returns when the last run has been settled."""
        while not self._drain.has_begun:
            self._look.clear()
            await self._fill_slots()
            await self._wait_for_work()
        await asyncio.gather(*map(self._leave, range(self._store.partitions)))
        if self._running:
            await asyncio.wait(self._running)
        if self._bound:
            self._bound.cancel()
        self._drain.end()
        if self._reader:
            await self._reader.close()

    async def _leave(self, partition: int) -> None:
        """Let others have at once what was not claimed here; else it would lie for a lease until it is found."""
        if self._store.healthy_since(partition) is None:
            return
        try:
            await self._store.leave(partition, processor=self._processor, in_hand=self._in_hand())
        except UnavailableError as error:
            log.debug("cannot leave", partition=partition, trouble=error.message)

    @property
    def _free_slots(self) -> int:
        """How many jobs to take: none while the work cannot be done, for they would only fail."""
        return self._slots - len(self._running) if self._may_work() else 0

    async def _fill_slots(self) -> None:
        # Partitions in random order, so that none is served last by everybody.
        partitions = range(self._store.partitions)
        for partition in random.sample(partitions, len(partitions)):
            free = self._free_slots
            if free <= 0 or self._drain.has_begun:
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
        return [entry.job_id for entry, execution in tuple(self._running.values()) if not execution.is_void]

    def _in_hand(self) -> set[str]:
        running = {entry.entry_id for entry, execution in self._running.values() if not execution.is_void}
        return self._resting | running

    def _start(self, entry: Entry) -> None:
        if self._drain.has_begun:
            return  # it came in a reply that was on its way; it goes back with all that was not claimed
        execution = self._new_execution()
        task = asyncio.create_task(execution.execute(entry), name=f"job-{entry.job_id}")
        self._running[task] = (entry, execution)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        entry, execution = self._running.pop(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            # Nothing is lost: the lease runs out and the job is taken up again.
            log.error("execution broke", exc_info=error)
        if error is not None or execution.is_fruitless:
            self._rest(entry)
        if self._drain.has_begun and execution.fate is not None:
            self._drain.note(execution.fate)
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
        every_seconds = limits.IDLE_LOOK_EVERY_SECONDS if self._may_work() else limits.MAY_WORK_EVERY_SECONDS
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(random.uniform(0.8, 1.2) * every_seconds):
                await self._look.wait()
