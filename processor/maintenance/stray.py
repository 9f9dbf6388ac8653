"""Which archives no job knows of, and when there are too many of them to be believed. Pure: the time is passed in.

old enough ── its job is forgotten ─────────────────────────▶ a stray
           ── its job completed or cancelled, without it ───▶ a stray
           ── anything else: it runs, it may be redriven ───▶ left alone
"""

from shared import limits
from shared.jobs import JobState


def is_old(modified_at_ms: int, *, at_ms: int, keep_seconds: int) -> bool:
    """Tell whether an archive is older than any that can still be wanted, at this moment (milliseconds since 1970).

    A store dates an object by the beginning of its upload (Amazon S3, "Multipart upload"), so the longest run counts
    besides the life of an archive. The store's clock and ours may differ by CLOCKS_DIFFER_MS.
    """
    oldest_wanted_ms = limits.ORPHAN_AGE_MS + keep_seconds * 1000 + limits.CLOCKS_DIFFER_MS
    return modified_at_ms < at_ms - oldest_wanted_ms


def is_stray(key: str, *, state: str | None, object_key: str | None) -> bool:
    """Tell whether a job can never come to want the archive `key` again.

    `state` and `object_key` are what its record says; without a record both are None. A failed job may be redriven, and
    its next run leave its archive under the same key, between this look and the deletion: it is forgotten soon enough.
    """
    if state is None:
        return True
    return state in (JobState.COMPLETED, JobState.CANCELLED) and object_key != key


def are_too_many(strays: int, *, seen: int) -> bool:
    """Tell whether so many archives seem to be strays that something else is wrong: a Redis that was emptied, or the
    archives of another Waybill.
    """
    return strays > limits.STRAYS_UNASKED and strays > seen * limits.STRAYS_UNASKED_RATIO
