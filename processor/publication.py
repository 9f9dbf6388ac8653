"""The one way in which a run's object becomes visible: filled, confirmed, completed; or nothing is left of it.

    create_upload ─▶ fill ─▶ confirm the lease ─▶ complete
                       └────────────┴───────────────┴──── failed, or cancelled ─▶ abort

Only a cancellation in the midst of `complete` may leave the object, whole: its key must say what is in it, or which run
made it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from shared.errors import ObjectError
from shared.objects.info import PartTag, Upload
from shared.objects.store import ObjectStore


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
        parts = await fill(upload)
        await confirm()
        await asyncio.sleep(0)  # a cancellation that is due by now strikes here, and not when it is too late
        await objects.complete(upload, parts)
    except BaseException as failure:  # cancellation too; it goes on once the store is clean
        await _abort(objects, upload, failure)
        raise


async def _abort(objects: ObjectStore, upload: Upload, failure: BaseException) -> None:
    """Remove what was uploaded. What goes wrong with it is noted on the failure, which is the one to be seen."""
    try:
        await objects.abort(upload)
    except ObjectError as error:
        failure.add_note(f"The upload could not be aborted: {error.message}")
