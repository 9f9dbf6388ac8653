"""A place with real source files, in which a handler bundles real jobs."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from processor.bundle.handler import BundleHandler
from processor.context import Result, RunContext
from processor.progress import Report
from shared.jobs import Checkpoint, JobOptions, JobRecord, JobState, OnMissing, make_job_id
from shared.objects.catalogue import CatalogueFile
from shared.objects.directory import ObjectDirectory
from shared.objects.manifest import Manifest
from shared.objects.store import ObjectStore

JOB_ID = make_job_id(0, 12345)


class Workshop:
    """Sources, a catalogue with ids from 70000, and an object store. Keeps every report; `on_report` may interfere."""

    def __init__(self, home: Path) -> None:
        self.sources = ObjectDirectory(home / "sources")
        self.objects = ObjectDirectory(home / "objects")
        self.files: list[CatalogueFile] = []
        self.reports: list[Report] = []
        self.on_report = self.reports.append
        self.confirmations = 0
        self.checkpoint: Checkpoint | None = None
        self.resumed_bytes = 0
        self.copy_rate_bytes_per_second: int | None = None

    def add(self, name: str, content: bytes) -> CatalogueFile:
        """Add a source file that is not called like its key."""
        file_id = 70000 + len(self.files)
        file = CatalogueFile(file_id, name, f"files/{file_id}.src")
        self.files.append(file)
        path = self.path_of(file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, ns=(0, 1_700_000_000_000_000_000 + file_id))
        return file

    def path_of(self, file: CatalogueFile) -> Path:
        """Give the place of a source."""
        return self.sources.root / file.key

    async def confirm(self) -> None:
        """Stand in for the lease; the object must not be visible yet."""
        assert not list(self.objects.root.rglob("*.zip"))
        self.confirmations += 1

    async def keep(self, checkpoint: Checkpoint) -> None:
        """Stand in for the record: the next run finds it."""
        self.checkpoint = checkpoint

    async def bundle(
        self, file_ids: tuple[int, ...] | None = None, *, on_missing: OnMissing = OnMissing.FAIL
    ) -> Result:
        """Run one job for these ids, or for all files."""
        job = job_for(file_ids or tuple(file.file_id for file in self.files), on_missing)
        return await self.handle(job, self._watched())

    async def handle(self, job: JobRecord, context: RunContext) -> Result:
        """Run a job as a processor's handler; reports go to whoever watches, and nowhere else."""
        handler = BundleHandler(
            Manifest(self.files, path=self.sources.root / "catalogue.jsonl"),
            sources=self.sources,
            copy_rate_bytes_per_second=self.copy_rate_bytes_per_second,
        )
        watched = context if isinstance(context, WatchedContext) else self._watched()
        try:
            return await handler(job, watched)
        finally:
            self.resumed_bytes = watched.resumed_bytes

    def _watched(self) -> "WatchedContext":
        return WatchedContext(
            self.objects,
            confirm=self.confirm,
            keep=self.keep,
            checkpoint=self.checkpoint,
            on_report=self.on_report,
        )

    async def bundled_path(self) -> Path:
        """Bundle all files, and give the path of the archive."""
        return self.objects.root / (await self.bundle()).object_key

    def left_behind(self) -> list[str]:
        """List everything in the object store, directories and hidden files too."""
        return sorted(str(path.relative_to(self.objects.root)) for path in self.objects.root.rglob("*"))

    async def end(self) -> None:
        """Do what the engine does when a job ends for good: abort the upload that the checkpoint names."""
        if self.checkpoint and self.checkpoint.upload:
            await self.objects.abort(self.checkpoint.upload)


class WatchedContext(RunContext):
    """A context that hands on every report, where an engine takes the latest only."""

    def __init__(
        self,
        objects: ObjectStore,
        *,
        confirm: Callable[[], Awaitable[None]],
        keep: Callable[[Checkpoint], Awaitable[None]],
        checkpoint: Checkpoint | None,
        on_report: Callable[[Report], None],
    ) -> None:
        super().__init__(
            objects=objects, confirm=confirm, keep=keep, checkpoint=checkpoint, on_first_report=lambda: None
        )
        self._on_report = on_report

    def report(self, report: Report) -> None:
        """Hand the report to whoever watches."""
        self._on_report(report)


def job_for(file_ids: tuple[int, ...], on_missing: OnMissing = OnMissing.FAIL) -> JobRecord:
    """Make the record of a job that a processor has just claimed."""
    return JobRecord(
        job_id=JOB_ID,
        owner="anyone",
        state=JobState.PROCESSING,
        file_ids=file_ids,
        options=JobOptions(on_missing=on_missing),
        epoch=1,
        seq=2,
        entry="1-0",
        created_at_ms=0,
        updated_at_ms=0,
    )
