"""Writes the events of one job as a processor does, through the job store, when the test wants them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from shared.jobstore.operations import Answer, Ending, Run
from shared.jobstore.store import JobStore
from tests.support import cargo, jobs
from tests.support.stores import running_store
from tests.support.system import System

T = TypeVar("T")

AWKWARD = (
    'Zürich — 航海日誌 🚢 "quoted" \\ tab\t CRLF\r\n end, U+2028 \u2028 U+0085 \x85 VT \x0b FS \x1c, data: id: 9-9\n\n'
)
"""Two, three and four bytes a character, and all that some reader of lines may take for the end of one."""


class Author:
    """Has created a job and begun its run; nothing is written by itself."""

    def __init__(self, system: System) -> None:
        self._redis_url = system.redis.url
        self.path = system.create_job(*cargo.MIXED)
        self._job_id = self.path.rpartition("/")[2]
        self._run = self._do(self._start)
        self._seq = self._run.record.seq
        self._ratio = 0.0

    def write(self, *texts: str) -> None:
        """Write a progress event for each text."""

        async def append(store: JobStore) -> None:
            for text in texts:
                self._seq += 1
                self._ratio += 0.01
                answer = await store.append_progress(
                    self._run, seq=self._seq, message=jobs.progress(round(self._ratio, 2), text)
                )
                assert answer is Answer.OK

        self._do(append)

    def end(self, ending: Ending | None = None) -> None:
        """Write the last event; that of a finished archive unless told."""

        async def finish(store: JobStore) -> None:
            assert await store.finish(self._run, ending or jobs.completion()) is Answer.OK

        self._do(finish)

    async def _start(self, store: JobStore) -> Run:
        return await jobs.claim(store, await jobs.take(store, self._job_id))

    def _do(self, operation: Callable[[JobStore], Awaitable[T]]) -> T:
        async def run() -> T:
            async with running_store(self._redis_url, partitions=1) as store:
                return await operation(store)

        return asyncio.run(run())
