"""The handler of bundles: look up, check, plan, copy, sum up. One run of one job, from its ids to its archive."""

from processor.bundle.assemble import Assembly
from processor.bundle.pace import Pace
from processor.bundle.plan import BundlePlan, plan_bundle
from processor.bundle.sources import check, look_up, missing_files
from processor.bundle.tally import Tally
from processor.context import Result, RunContext
from shared import limits
from shared.errors import UnknownFiles
from shared.jobs import BundleSummary, JobRecord, RenamedFile
from shared.objects.catalogue import Catalogue, CatalogueFile
from shared.objects.store import ObjectStore
from shared.objects.threads import in_thread


class BundleHandler:
    """Bundles the files of a job into one ZIP, which it leaves at `bundles/<job id>/<start of the plan's hash>.zip`.

    `copy_rate_bytes_per_second` slows each run's copying down; None or 0 is as fast as it goes.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        sources: ObjectStore,
        objects: ObjectStore,
        copy_rate_bytes_per_second: int | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._sources = sources
        self._objects = objects
        self._copy_rate_bytes_per_second = copy_rate_bytes_per_second

    async def __call__(self, job: JobRecord, context: RunContext) -> Result:
        """Run the job. Raises a RunError that names the files which caused it, or ObjectError about the archive."""
        tally = Tally(len(job.file_ids), context.report)
        plan = await self._plan(self._files_of(job), tally)
        key = f"bundles/{job.job_id}/{plan.plan_hash[:16]}.zip"
        tally.planned(plan.files)
        pace = Pace(self._copy_rate_bytes_per_second)
        assembly = Assembly(plan, sources=self._sources, objects=self._objects, tally=tally, pace=pace)
        await assembly.run(key, context.confirm)
        return Result(key, _summary(plan))

    def _files_of(self, job: JobRecord) -> tuple[CatalogueFile, ...]:
        """Look the ids up. They were known when the job was created: the catalogue may have been changed since."""
        try:
            return self._catalogue.find(job.file_ids)
        except UnknownFiles as error:
            raise missing_files(error.file_ids) from error

    async def _plan(self, files: tuple[CatalogueFile, ...], tally: Tally) -> BundlePlan:
        found = await look_up(files, self._sources)
        tally.looked_up(sum(one.info.size_bytes for one in found))
        return await in_thread(plan_bundle, await check(found, self._sources, tally))


def _summary(plan: BundlePlan) -> BundleSummary:
    renamed = [RenamedFile(file.source.file_id, file.name) for file in plan.files if file.is_renamed]
    return BundleSummary(
        files=len(plan.files),
        archive_bytes=plan.size_bytes,
        archive_crc32=f"{plan.archive_crc32:08x}",
        renamed_files=len(renamed),
        renamed=tuple(renamed[: limits.MAX_RENAMED_LISTED]),
    )
