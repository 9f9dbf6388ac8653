"""How a run's object becomes visible: filled, confirmed, completed. What is not resumed leaves nothing when it fails.

    create_upload ─▶ fill ─▶ confirm the lease ─▶ complete
                       └────────────┴───────────────┴──── failed, or cancelled ─▶ abort

Only a cancellation in the midst of `complete` may leave the object, whole: its key must say what is in it, or which run
made it. An upload that the next run may go on with is bundle/resumption.py's.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence

import structlog

from shared import limits
from shared.errors import ObjectError
from shared.objects.info import PartTag, Upload, UploadName
from shared.objects.store import ObjectStore

log = structlog.get_logger(__name__)


async def publish(
    objects: ObjectStore,
    key: str,
    *,
    part_bytes: int,
    fill: Callable[[Upload], Awaitable[Sequence[PartTag]]],
    confirm: Callable[[], Awaitable[None]],
) -> None:
    """Make an object visible under `key`: `fill` uploads its parts, `confirm` returns while the job is still ours.

    Raises what these raise, and ObjectError.
    """
    upload = await objects.create_upload(key, part_bytes=part_bytes)
    try:
        await make_visible(objects, upload, await fill(upload), confirm)
    except BaseException as failure:  # cancellation too; it goes on once the store is clean
        await abort(objects, upload, failure)
        raise


async def make_visible(
    objects: ObjectStore, upload: Upload, parts: Sequence[PartTag], confirm: Callable[[], Awaitable[None]]
) -> None:
    """Complete an upload once `confirm` has returned. Raises what `confirm` raises, and ObjectError."""
    await confirm()
    await asyncio.sleep(0)  # a cancellation that is due by now strikes here, and not when it is too late
    await objects.complete(upload, parts)


async def abort(objects: ObjectStore, upload: UploadName, failure: BaseException) -> None:
    """Remove what was uploaded. What goes wrong with it is noted on the failure, which is the one to be seen."""
    try:
        await objects.abort(upload)
    except ObjectError as error:
        failure.add_note(f"The upload could not be aborted: {error.message}")


async def give_up(objects: ObjectStore, upload: UploadName, *, within_seconds: float = math.inf) -> None:
    """Abort an upload that nobody goes on with, if it can be done soon; else the janitor does, or it is an orphan.

    Raises nothing: what it is called after stands, whatever becomes of the upload.
    """
    try:
        async with asyncio.timeout(min(within_seconds, limits.ABORT_WITHIN_SECONDS)):
            await objects.abort(upload)
    except (ObjectError, TimeoutError) as error:
        trouble = str(error) or "the store of archives does not answer in time"
        log.warning("an upload is left behind", key=upload.key, upload=upload.upload_id, trouble=trouble)
    except Exception:  # a mistake in an adapter; let out, it would be taken for the end of the run
        log.exception("an upload is left behind", key=upload.key, upload=upload.upload_id)
