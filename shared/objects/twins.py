"""Uploads that were begun twice, because the reply to the first try was lost and the upload's id with it. Pure."""

from collections.abc import Sequence

from shared.objects.info import OpenUpload, UploadName

STORES_TELL_MS = 1000  # how exactly a store says when an upload began


def twins_of(upload: UploadName, found: Sequence[OpenUpload], *, tried_for_ms: int) -> list[OpenUpload]:
    """Choose those among the open uploads that earlier tries to begin `upload` have begun unheard.

    They have its key, and began in the `tried_for_ms` before it, by the store's own clock: an older or a newer one is
    somebody else's.
    """
    began_at_ms = next((one.started_at_ms for one in found if one.upload_id == upload.upload_id), None)
    if began_at_ms is None:
        return []
    first_at_ms = began_at_ms - tried_for_ms - STORES_TELL_MS
    return [
        one
        for one in found
        if one.key == upload.key
        and one.upload_id != upload.upload_id
        and first_at_ms <= one.started_at_ms <= began_at_ms
    ]
