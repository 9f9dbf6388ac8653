"""The handler of bundles: look up, check, plan, copy, sum up. One run of one job, from its ids to its archive."""

from collections.abc import Sequence
from typing import NamedTuple

from opentelemetry import trace

from processor.bundle.archive_key import archive_key
from processor.bundle.assemble import Assembly
from processor.bundle.belief import KeptPart
from processor.bundle.pace import Pace
from processor.bundle.plan import BundlePlan, plan_bundle
from processor.bundle.resumption import Resumption
from processor.bundle.sources import FoundFile, check, look_up, missing_files
from processor.bundle.tally import Tally
from processor.context import Result, RunContext
from shared import limits
from shared.jobs import BundleSummary, JobRecord, OnMissing, RenamedFile, SkippedFile, SkipReason
from shared.objects.catalogue import Catalogue, select
from shared.objects.info import PartTag, Upload
from shared.objects.store import ObjectStore
from shared.objects.threads import in_thread
from shared.telemetry.tracing import spanning

tracer = trace.get_tracer("waybill.processor")


class Contents(NamedTuple):
    """What goes into an archive, and what was asked for and does not; each in the order asked."""

    found: list[FoundFile]
    skipped: tuple[SkippedFile, ...]


class BundleHandler:
    """Bundles the files of a job into one ZIP, which it leaves under its archive_key.

    `copy_rate_bytes_per_second` slows each run's copying down; None or 0 is as fast as it goes.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        sources: ObjectStore,
        copy_rate_bytes_per_second: int | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._sources = sources
        self._copy_rate_bytes_per_second = copy_rate_bytes_per_second

    async def __call__(self, job: JobRecord, context: RunContext) -> Result:
        """Run the job.

        Raises a RunError that names the files which caused it, FilesForbidden, CatalogueUnavailable, or ObjectError
        about the archive.
        """
        tally = Tally(len(job.file_ids), context.report)
        with spanning(tracer, "plan"):
            contents = await self._look_up(job)
            plan = await self._plan(contents, tally)
        key = archive_key(job.job_id, plan.plan_hash)
        pace = Pace(self._copy_rate_bytes_per_second)

        async def fill(upload: Upload, kept: Sequence[KeptPart]) -> list[PartTag]:
            assembly = Assembly(plan, sources=self._sources, objects=context.objects, tally=tally, pace=pace)
            return await assembly.fill(upload, kept)

        context.object_key = key
        with spanning(tracer, "copy") as span:
            span.set_attributes({"files": len(plan.files), "size_bytes": plan.size_bytes})
            await Resumption(context, plan, key, tally=tally, fill=fill).publish()
        return Result(key, _summary(plan, contents.skipped))

    async def _look_up(self, job: JobRecord) -> Contents:
        """Find the files, and decide about those that are missing.

        All were known when the job was created, or could be skipped; the catalogue may have been changed since.
        """
        selection = await select(self._catalogue, job.file_ids, job.owner)
        found, missing = await look_up(selection.files, self._sources)
        skipped = {file_id: SkippedFile(file_id, None, SkipReason.UNKNOWN) for file_id in selection.unknown}
        skipped |= {file.file_id: SkippedFile(file.file_id, file.name, SkipReason.MISSING) for file in missing}
        left_out = tuple(skipped[file_id] for file_id in job.file_ids if file_id in skipped)
        if left_out and (job.options.on_missing is OnMissing.FAIL or not found):
            raise missing_files(left_out, asked_files=len(job.file_ids))
        return Contents(found, left_out)

    async def _plan(self, contents: Contents, tally: Tally) -> BundlePlan:
        total_bytes = sum(one.info.size_bytes for one in contents.found)
        tally.looked_up(total_bytes, skipped_files=len(contents.skipped))
        sources = await check(contents.found, self._sources, tally)
        return await in_thread(plan_bundle, sources, contents.skipped)


def _summary(plan: BundlePlan, skipped: Sequence[SkippedFile]) -> BundleSummary:
    renamed = [RenamedFile(file.source.file_id, file.name) for file in plan.files if file.is_renamed]
    return BundleSummary(
        files=len(plan.files),
        archive_bytes=plan.size_bytes,
        archive_crc32=f"{plan.archive_crc32:08x}",
        renamed_files=len(renamed),
        renamed=tuple(renamed[: limits.MAX_RENAMED_LISTED]),
        skipped_files=len(skipped),
        skipped=tuple(map(_shortened, skipped[: limits.MAX_SKIPPED_LISTED])),
    )


def _shortened(skipped: SkippedFile) -> SkippedFile:
    name = skipped.name and skipped.name[: limits.MAX_LISTED_NAME_CHARS]
    return SkippedFile(skipped.file_id, name, skipped.reason)
