"""The upload of an archive that the job's next run goes on with, when this one does not come to its end.

    checkpoint of this plan ──▶ list its parts ──▶ upload the rest ──▶ confirm the lease ──▶ complete
        │ none                       │ it is gone, or another one     │ its parts are refused  ▲
        ▼                            ▼                                ▼                        │
    abort what the checkpoint names, if any ──▶ begin, keep the checkpoint ──▶ upload everything

The way down is taken once in a run: what is refused of an upload that was just begun ends the run. A run that ends
before its time leaves its upload alone; whoever ends the job for good aborts it (settlement.py, the janitor).
"""

from collections.abc import Awaitable, Callable, Sequence

import structlog

from processor.bundle.belief import KeptPart, kept_parts
from processor.bundle.plan import BundlePlan
from processor.bundle.tally import Tally
from processor.context import RunContext
from processor.publication import abort, give_up, make_visible, publish
from shared.errors import (
    ObjectError,
    ObjectForbidden,
    SourceChanged,
    StoreFull,
    StoreRefused,
    StoreUnavailable,
    UploadInvalid,
)
from shared.jobs import Checkpoint
from shared.objects.info import PartTag, Upload

log = structlog.get_logger(__name__)

Fill = Callable[[Upload, Sequence[KeptPart]], Awaitable[list[PartTag]]]
"""Uploads the parts that are not kept, and gives all; raises UploadInvalid when the kept ones are not the archive's."""


class Resumption:
    """Makes one archive visible under `key`, which names its content."""

    def __init__(self, context: RunContext, plan: BundlePlan, key: str, *, tally: Tally, fill: Fill) -> None:
        self._context = context
        self._objects = context.objects
        self._plan = plan
        self._key = key
        self._tally = tally
        self._fill = fill

    async def publish(self) -> None:
        """Go on where the run before ended, or begin.

        Raises what `fill` raises, and ObjectError. Cancelled, it leaves the upload that the checkpoint names, or the
        archive, whole, when that happens in the midst of `complete`.
        """
        checkpoint = self._context.checkpoint
        upload = self._own_upload_of(checkpoint) if checkpoint else None
        if upload and await self._resume(upload):
            return
        if checkpoint and checkpoint.upload:
            await self._give_up(checkpoint.upload)
        await self._begin()

    async def _give_up(self, upload: Upload) -> None:
        """Abort an upload that another run may have by now: only while the job is ours."""
        await self._context.confirm()
        await give_up(self._objects, upload)

    def _own_upload_of(self, checkpoint: Checkpoint) -> Upload | None:
        upload = checkpoint.upload
        if upload is None or checkpoint.note != self._plan.plan_hash:
            return None
        return upload if (upload.key, upload.part_bytes) == (self._key, self._plan.part_bytes) else None

    async def _resume(self, upload: Upload) -> bool:
        """Go on with the upload; False when nobody can."""
        try:
            kept = kept_parts(self._plan, await self._parts_of(upload))
            if kept is None:
                raise UploadInvalid(f"The upload of {self._key} has parts of another archive.", key=self._key)
            self._note(kept)
            await self._fill_and_complete(upload, kept)
        except UploadInvalid as error:
            self._context.resumed_bytes = 0
            if not await self._is_there():
                log.warning("upload cannot be resumed", problem=error.message)
                return False
            # A run before this one completed it, and did not live to say so, or does not know that it is superseded.
            await self._take_as_it_is()
        return True

    async def _parts_of(self, upload: Upload) -> list[PartTag]:
        try:
            return await self._objects.list_parts(upload)
        except (ObjectForbidden, StoreRefused) as error:  # a store that lists no parts is used as well
            raise UploadInvalid(error.message, key=self._key) from error

    def _note(self, kept: Sequence[KeptPart]) -> None:
        resumed_bytes = sum(part.tag.size_bytes for part in kept)
        self._context.resumed_bytes = resumed_bytes
        if kept:
            log.info("upload resumed", parts=len(kept), bytes=resumed_bytes, of_bytes=self._plan.size_bytes)

    async def _is_there(self) -> bool:
        """Tell whether the archive is there: nothing else of its size can have its key."""
        try:
            return (await self._objects.head(self._key)).size_bytes == self._plan.size_bytes
        except StoreUnavailable:
            raise
        except ObjectError:
            return False

    async def _take_as_it_is(self) -> None:
        self._context.resumed_bytes = self._plan.size_bytes
        log.info("archive was complete already", bytes=self._plan.size_bytes)
        self._tally.planned(self._plan.files)
        self._tally.all_copied()
        await self._context.confirm()

    async def _begin(self) -> None:
        if self._plan.size_bytes <= self._plan.part_bytes:
            await self._begin_and_end()
            return
        upload = await self._objects.create_upload(self._key, part_bytes=self._plan.part_bytes)
        try:
            await self._context.save_checkpoint(Checkpoint(self._plan.plan_hash, upload))
        except BaseException as failure:  # nobody else knows of it
            await abort(self._objects, upload, failure)
            raise
        await self._fill_and_complete(upload, ())

    async def _begin_and_end(self) -> None:
        """Upload an archive of one part: it is there or it is not, and a checkpoint would only cost."""
        self._tally.planned(self._plan.files)
        await publish(
            self._objects,
            self._key,
            part_bytes=self._plan.part_bytes,
            fill=lambda upload: self._fill(upload, ()),
            confirm=self._context.confirm,
        )

    async def _fill_and_complete(self, upload: Upload, kept: Sequence[KeptPart]) -> None:
        self._tally.planned(self._plan.files)
        try:
            parts = await self._fill(upload, kept)
        except (SourceChanged, StoreFull):  # it is not what was planned, or takes the room that another job waits for
            await self._give_up(upload)
            raise
        await make_visible(self._objects, upload, parts, self._context.confirm)
