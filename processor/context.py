"""The seam between the engine and a handler: what a handler gets besides the job, and what it gives back.

A handler is `async (job: JobRecord, context: RunContext) -> Result`. It may be cancelled at any await; it must clean up
only what is its own. The engine knows nothing of ZIPs.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import msgspec

from processor.progress import Report
from processor.publication import publish
from shared import limits
from shared.errors import HandlerMisbehaved
from shared.jobs import BundleSummary, Checkpoint, JobRecord
from shared.objects.info import PartTag, Upload
from shared.objects.store import ObjectStore


class Result(msgspec.Struct, frozen=True):
    """What a finished run leaves behind: the key of its object in the store, and what is in it.

    With `archive_bytes` 0 nothing is left, and nothing can be fetched; else the object must be there.
    """

    object_key: str
    bundle: BundleSummary


class RunContext:
    """One run's line to the engine.

    `confirm` is called right before the step that makes the result visible: it returns once the lease has been renewed
    at this moment, and does not return (the run is cancelled) when somebody else owns the job by now.
    `keep` does the same, and keeps a checkpoint with it; `checkpoint` is the one that the job has now.
    `objects` is the store in which the handler leaves its object. `on_first_report` is called when there is something
    to tell: many runs have nothing to. `object_key`: set it before an object is made visible under that key; when the
    run is cancelled in the midst of it, or fails after it, the janitor knows what to remove. `resumed_bytes`: set it to
    what was done by earlier runs and was not done again; it is counted.
    """

    def __init__(
        self,
        *,
        objects: ObjectStore,
        confirm: Callable[[], Awaitable[None]],
        keep: Callable[[Checkpoint], Awaitable[None]],
        on_first_report: Callable[[], object],
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self.objects = objects
        self.confirm = confirm
        self.checkpoint = checkpoint
        self.resumed_bytes = 0
        self._keep = keep
        self.report_so_far: Report | None = None
        self.object_key: str | None = None
        self._on_first_report = on_first_report
        self._news = asyncio.Event()

    def report(self, report: Report) -> None:
        """Say how far the run is. Cheap; only the latest report counts."""
        is_first = self.report_so_far is None
        self.report_so_far = report
        self._news.set()
        if is_first:
            self._on_first_report()

    async def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Keep what the job's next run may go on from, in place of the checkpoint before; it is in that run's `job`.

        Returns once it is kept and the lease was renewed with it, as `confirm` does: so it is for steps that took a
        while. An upload that it names is aborted when the job ends for good. Raises HandlerMisbehaved for a checkpoint
        of more than MAX_CHECKPOINT_BYTES.
        """
        size_bytes = len(msgspec.json.encode(checkpoint))
        if size_bytes > limits.MAX_CHECKPOINT_BYTES:
            sentence = (
                f"The handler's checkpoint has {size_bytes:,} bytes; the limit is {limits.MAX_CHECKPOINT_BYTES:,}"
            )
            raise HandlerMisbehaved(f"{sentence}. Keep the rest in a store, and its key in the checkpoint.")
        self.checkpoint = checkpoint  # first: interrupted in the midst of it, it may be kept
        await self._keep(checkpoint)

    async def leave(self, key: str, content: bytes) -> None:
        """Put a small object into the store; it becomes visible once the lease is confirmed.

        Nothing is left when it fails or is cancelled (publication.py). For large ones use the calls of `objects`, part
        by part. Raises ObjectError, and HandlerMisbehaved for an object of no bytes, which no store takes in parts.
        """
        if not content:
            raise HandlerMisbehaved(f"The handler leaves nothing under {key}: there must be at least one byte.")

        self.object_key = key

        async def fill(upload: Upload) -> list[PartTag]:
            return [await self.objects.upload_part(upload, 1, content)]

        await publish(self.objects, key, part_bytes=len(content), fill=fill, confirm=self.confirm)

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
