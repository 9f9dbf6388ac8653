"""The seam between the engine and a handler: what a handler gets besides the job, and what it gives back.

A handler is `async (job: JobRecord, context: RunContext) -> Result`. It may be cancelled at any await; it must clean up
only what is its own. The engine knows nothing of ZIPs.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import msgspec

from processor.progress import Report
from shared.jobs import BundleSummary, JobRecord


class Result(msgspec.Struct, frozen=True):
    """What a finished run leaves behind: the key of its object in the store, and what is in it."""

    object_key: str
    bundle: BundleSummary


class RunContext:
    """One run's line to the engine.

    `confirm` is called right before the step that makes the result visible: it returns once the lease has been renewed
    at this moment, and does not return (the run is cancelled) when somebody else owns the job by now.
    """

    def __init__(self, *, confirm: Callable[[], Awaitable[None]]) -> None:
        self.confirm = confirm
        self.report_so_far: Report | None = None
        self._news = asyncio.Event()

    def report(self, report: Report) -> None:
        """Say how far the run is. Cheap; only the latest report counts."""
        self.report_so_far = report
        self._news.set()

    async def next_report(self) -> Report:
        """Wait for a report that is newer than the last one taken."""
        await self._news.wait()
        return self.latest()

    def latest(self) -> Report:
        """Take the newest report; there must be one."""
        self._news.clear()
        assert self.report_so_far is not None
        return self.report_so_far


Handler = Callable[[JobRecord, RunContext], Coroutine[Any, Any, Result]]
