"""Lets the days pass after a storm, by passing the time in: what the janitor and the searches leave in the end.

now ─▶ logs trimmed ─▶ archives' time over ─▶ tombstones' time over ─▶ strays' time over ─▶ nothing
"""

from opentelemetry.metrics import NoOpMeter

from processor.maintenance.archives import ArchiveSearch
from processor.maintenance.janitor import Janitor
from processor.maintenance.orphans import OrphanSearch
from processor.metrics import ProcessorMetrics
from shared import limits
from shared.clock import now_ms
from shared.jobstore.store import JobStore
from shared.objects.directory import ObjectDirectory
from shared.retention import Retention
from tests.support import inspection

KEEP_SECONDS = 86_400
MOST_LOOKS = 200
DAY_MS = 86_400_000


async def what_time_leaves(store: JobStore, objects: ObjectDirectory) -> list[str]:
    """Give what is still there, by its name, once everything's time is over. Nobody else may work meanwhile."""
    retention, metrics, at_ms = (
        Retention(keep_seconds=KEEP_SECONDS),
        ProcessorMetrics(NoOpMeter("passing time")),
        now_ms(),
    )
    janitor = Janitor(store, objects, retention=retention, metrics=metrics, processor="passing time")
    ages_ms = (limits.LOG_TRIMMED_AFTER_MS, KEEP_SECONDS * 1000, limits.TOMBSTONE_SECONDS * 1000)
    for day, age_ms in enumerate(ages_ms):
        at_ms += age_ms + DAY_MS * bool(day)
        await _look_until_nothing_is_due(store, janitor, at_ms)
    at_ms += limits.ORPHAN_AGE_MS + limits.CLOCKS_DIFFER_MS + KEEP_SECONDS * 1000
    await OrphanSearch(objects, metrics).abort_old(at_ms)
    await ArchiveSearch(store, objects, retention=retention, metrics=metrics).search(at_ms)
    uploads = [f"upload {upload.upload_id} of {upload.key}" async for upload in objects.open_uploads()]
    archives = [f"archive {info.key}" async for page in objects.listing() for info in page]
    names = await inspection.expiries(store.connection)
    left = (":job:", ":events:", ":owner:", ":in_flight", ":outbox", ":waiting_callbacks")
    for_ever = [name for name, ttl in names.items() if ":callbacks:" in name and ttl == inspection.NO_EXPIRY]
    return uploads + archives + for_ever + [name for name in names if any(part in name for part in left)]


async def _look_until_nothing_is_due(store: JobStore, janitor: Janitor, at_ms: int) -> None:
    for _ in range(MOST_LOOKS):
        visits = [await inspection.visits(store, partition) for partition in range(store.partitions)]
        if all(visit_ms > at_ms for found in visits for visit_ms in found.values()):
            return
        await janitor.look(at_ms)
