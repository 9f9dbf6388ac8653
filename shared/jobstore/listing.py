"""An owner's jobs, newest first, page by page.

    each partition's sorted set ──after the place──▶ merged ──▶ records, a batch at a time ──wanted──▶ page

A place is a moment and an id, not a number of jobs: what is created or forgotten between two pages neither doubles nor
hides another job. Nothing is written here.
"""

import asyncio
import heapq
from collections.abc import Callable
from itertools import chain
from typing import NamedTuple, cast

from shared import limits
from shared.errors import RecordUnreadable
from shared.jobs import JobRecord
from shared.jobstore import keys, script
from shared.jobstore.operations import ListPlace
from shared.jobstore.partitions import read_each
from shared.jobstore.store import JobStore


class JobsPage(NamedTuple):
    """Some of an owner's jobs, newest first; `next_place` is where to go on, None at the end."""

    records: list[JobRecord]
    next_place: ListPlace | None


async def list_jobs(
    store: JobStore, owner: str, *, after: ListPlace | None, limit: int, is_wanted: Callable[[JobRecord], bool]
) -> JobsPage:
    """Read at most `limit` wanted jobs of an owner that stand after a place; None is the beginning.

    A page may be short, or empty, and not the last: no more than LISTING_BATCHES batches of records are looked at for
    one. A record that cannot be read is passed over. Raises as the job store does.
    """
    records: list[JobRecord] = []
    for _ in range(limits.LISTING_BATCHES):
        places = await _places(store, owner, after=after, count=limits.LISTING_BATCH_JOBS + 1)
        batch = places[: limits.LISTING_BATCH_JOBS]
        found = await asyncio.gather(*(_read(store, place) for place in batch))
        for looked_at, record in enumerate(found, 1):
            if record is not None and is_wanted(record):
                records.append(record)
            if len(records) == limit:
                return JobsPage(records, batch[looked_at - 1] if looked_at < len(places) else None)
        if len(places) == len(batch):
            return JobsPage(records, None)
        after = batch[-1]
    return JobsPage(records, after)


async def _places(store: JobStore, owner: str, *, after: ListPlace | None, count: int) -> list[ListPlace]:
    found = await read_each(
        lambda partition: _places_in(store, partition, owner, after=after, count=count), range(store.partitions)
    )
    return heapq.nlargest(count, chain.from_iterable(found))


async def _places_in(
    store: JobStore, partition: int, owner: str, *, after: ListPlace | None, count: int
) -> list[ListPlace]:
    created_at_ms, job_id = after or ("", "")
    reply = await store.connection.run_script(
        script.LIST_OWNER, [keys.owner_jobs(partition, owner)], created_at_ms, job_id, count
    )
    flat = cast("list[bytes]", reply)
    pairs = zip(flat[::2], flat[1::2], strict=True)
    return [ListPlace(int(float(score)), job_id.decode(errors="replace")) for job_id, score in pairs]


async def _read(store: JobStore, place: ListPlace) -> JobRecord | None:
    try:
        return await store.find(place.job_id)
    except RecordUnreadable:
        return None  # one damaged record must not hide all the others; asked for by its id, it is told
