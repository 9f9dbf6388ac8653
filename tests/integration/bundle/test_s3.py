"""Bundles from one bucket into another: every byte, and every way in which it goes wrong."""

import asyncio
import os
import random
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from processor.bundle.handler import BundleHandler
from processor.context import Result
from processor.outcome import describe_for_operators
from processor.progress import Phase, Report
from shared import limits
from shared.errors import (
    ObjectForbidden,
    RetryableRunError,
    SourceArchived,
    SourceChanged,
    SourceForbidden,
    SourceMissing,
    StoreRefused,
)
from shared.jobs import Checkpoint
from shared.objects.catalogue import CatalogueFile
from shared.objects.manifest import Manifest
from shared.objects.opening import open_store
from tests.integration.bundle.workshop import WatchedContext, job_for
from tests.support.depots import S3Depot
from tests.support.proxy import FaultProxy
from tests.support.s3_server import S3Server, new_client, options_for
from tests.support.tools import require_tool

SIZES_BYTES = {
    "Übersicht.txt": 17,
    "empty": 0,
    "large.bin": 20_000_000,
    "part.bin": limits.PART_BYTES,
    "deep/er/last.bin": 300_000,
}


class Warehouse:
    """Two buckets of a real server: sources with ids from 1, and bundles. `on_report` may interfere with a run."""

    def __init__(self, sources: S3Depot, bundles: S3Depot) -> None:
        self.sources = sources
        self.bundles = bundles
        self.files: list[CatalogueFile] = []
        self.on_report: Callable[[Report], None] = lambda _: None
        self.checkpoint: Checkpoint | None = None
        self.source_options = sources.location
        self.bundle_options = bundles.location

    def add(self, name: str, content: bytes) -> None:
        """Add a source."""
        file = CatalogueFile(len(self.files) + 1, name, f"files/{len(self.files) + 1}")
        self.files.append(file)
        self.sources.put(file.key, content)

    async def _confirmed(self) -> None:
        assert self.bundles.objects() == [], "an archive is visible before its lease is confirmed"

    async def bundle(self) -> Result:
        """Bundle all files."""
        async with open_store(self.source_options) as sources, open_store(self.bundle_options) as objects:
            handler = BundleHandler(Manifest(self.files, path=Path("catalogue.jsonl")), sources=sources)
            context = WatchedContext(
                objects,
                confirm=self._confirmed,
                keep=self._keep,
                checkpoint=self.checkpoint,
                on_report=self.on_report,
            )
            return await handler(job_for(tuple(file.file_id for file in self.files)), context)

    async def _keep(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint

    async def end(self) -> None:
        """Do what the engine does when a job ends for good: abort the upload that the checkpoint names."""
        if self.checkpoint and self.checkpoint.upload:
            async with open_store(self.bundle_options) as objects:
                await objects.abort(self.checkpoint.upload)

    def is_clean(self) -> bool:
        """Tell whether neither an object nor an open upload was left."""
        return self.bundles.objects() == [] and self.bundles.count_uploads() == 0


def once_in(phase: Phase, act: Callable[[], object]) -> Callable[[Report], None]:
    """Make a watcher that acts at the first report of a phase."""
    waiting = [act]

    def watch(report: Report) -> None:
        if report.phase is phase and waiting:
            waiting.pop()()

    return watch


@pytest_asyncio.fixture
async def warehouse(s3_server: S3Server) -> AsyncIterator[Warehouse]:
    """Two buckets, the first one stocked."""
    depots = [S3Depot(s3_server.options(s3_server.new_bucket()), s3_server.client) for _ in range(2)]
    stocked = Warehouse(*depots)
    for number, (name, size_bytes) in enumerate(SIZES_BYTES.items()):
        stocked.add(name, random.Random(number).randbytes(size_bytes))
    yield stocked


def assert_unpacks(warehouse: Warehouse, result: Result, home: Path) -> None:
    """Unpack the archive with unzip, and compare every byte."""
    archive = home / "archive.zip"
    archive.write_bytes(warehouse.bundles.get(result.object_key))
    assert archive.stat().st_size == result.bundle.archive_bytes
    unzip = require_tool("unzip")
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    subprocess.run([unzip, "-q", archive, "-d", home / "unpacked"], check=True, env=environment)
    for file in warehouse.files:
        assert (home / "unpacked" / file.name).read_bytes() == warehouse.sources.get(file.key), file.name


async def test_every_byte_goes_from_one_bucket_into_the_other(warehouse: Warehouse, tmp_path: Path) -> None:
    result = await warehouse.bundle()

    assert_unpacks(warehouse, result, tmp_path)
    assert (warehouse.bundles.objects(), warehouse.bundles.count_uploads()) == ([result.object_key], 0)


async def test_a_small_archive_is_one_part(warehouse: Warehouse, tmp_path: Path) -> None:
    del warehouse.files[1:]

    assert_unpacks(warehouse, await warehouse.bundle(), tmp_path)


async def test_the_crc_that_the_store_knows_is_taken_and_proven(warehouse: Warehouse, tmp_path: Path) -> None:
    file, client = warehouse.files[2], warehouse.sources.client
    content = warehouse.sources.get(file.key)
    client.put_object(
        Bucket=warehouse.sources.location.bucket,
        Key=warehouse.sources.name(file.key),
        Body=content,
        ChecksumAlgorithm="CRC32",
    )

    assert_unpacks(warehouse, await warehouse.bundle(), tmp_path)


# ── sources ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_source_that_is_not_there_is_named(warehouse: Warehouse) -> None:
    warehouse.files.append(CatalogueFile(99, "gone.txt", "files/99"))

    with pytest.raises(SourceMissing, match="1 file does not exist any more: 99"):
        await warehouse.bundle()

    assert warehouse.is_clean()


async def test_a_source_deleted_between_plan_and_copy_is_named(warehouse: Warehouse) -> None:
    depot = warehouse.sources
    name = depot.name(warehouse.files[2].key)
    warehouse.on_report = once_in(
        Phase.BUNDLING, lambda: depot.client.delete_object(Bucket=depot.location.bucket, Key=name)
    )

    with pytest.raises(SourceChanged) as caught:
        await warehouse.bundle()

    assert caught.value.file_ids == (3,)
    assert warehouse.is_clean()


@pytest.mark.parametrize("size_bytes", [20_000_000, 10_000_000, 21_000_000])
async def test_a_source_changed_between_plan_and_copy_is_named(warehouse: Warehouse, size_bytes: int) -> None:
    key = warehouse.files[2].key
    warehouse.on_report = once_in(Phase.BUNDLING, lambda: warehouse.sources.put(key, bytes(size_bytes)))

    with pytest.raises(SourceChanged, match=r"File 3 \(large.bin\) changed") as caught:
        await warehouse.bundle()

    assert caught.value.file_ids == (3,)
    assert warehouse.is_clean()


async def test_sources_without_permission_end_the_job_and_are_named(warehouse: Warehouse, s3_server: S3Server) -> None:
    s3_server.add_user("reader", "reader-secret")
    warehouse.source_options = msgspec.structs.replace(
        warehouse.source_options, access_key_id="reader", secret_access_key="reader-secret"
    )

    with pytest.raises(SourceForbidden, match=r"File \d \(.*\) may not be read by this service.$") as caught:
        await warehouse.bundle()

    assert "Grant it s3:GetObject" in describe_for_operators(caught.value).message
    assert not caught.value.is_retryable
    assert warehouse.is_clean()


async def test_a_wrong_bucket_of_sources_is_named(warehouse: Warehouse) -> None:
    warehouse.source_options = msgspec.structs.replace(warehouse.source_options, bucket="no-such-bucket")

    with pytest.raises(RetryableRunError, match=r"cannot be read now.$") as caught:
        await warehouse.bundle()

    assert "The bucket no-such-bucket does not exist" in describe_for_operators(caught.value).message
    assert warehouse.is_clean()


async def test_an_archived_source_is_told_before_anything_is_read(moto_warehouse: Warehouse) -> None:
    depot, file = moto_warehouse.sources, moto_warehouse.files[1]
    depot.client.put_object(
        Bucket=depot.location.bucket, Key=depot.name(file.key), Body=b"cold", StorageClass="DEEP_ARCHIVE"
    )
    phases: list[str] = []
    moto_warehouse.on_report = lambda report: phases.append(report.message)

    with pytest.raises(SourceArchived, match=r"File 2 \(b\) lies in an archive and must be restored") as caught:
        await moto_warehouse.bundle()

    assert "DEEP_ARCHIVE" in describe_for_operators(caught.value).message
    assert caught.value.file_ids == (2,)
    assert not any(message.startswith("Checking") for message in phases)
    assert moto_warehouse.is_clean()


@pytest.fixture
def moto_warehouse(moto_url: str) -> Warehouse:
    """Two buckets of moto's."""
    client = new_client(moto_url, "anybody", "anything")
    for bucket in ("sources", "bundles"):
        client.create_bucket(Bucket=bucket)
    stocked = Warehouse(*(S3Depot(options_for(moto_url, bucket), client) for bucket in ("sources", "bundles")))
    for name in "ab":
        stocked.add(name, name.encode())
    return stocked


# ── bundles ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_wrong_bucket_of_bundles_is_named(warehouse: Warehouse) -> None:
    warehouse.bundle_options = msgspec.structs.replace(warehouse.bundle_options, bucket="no-such-bucket")

    with pytest.raises(StoreRefused, match="The bucket no-such-bucket does not exist"):
        await warehouse.bundle()


async def test_bundles_without_permission_end_the_job(warehouse: Warehouse, s3_server: S3Server) -> None:
    s3_server.add_user("writer", "writer-secret")
    warehouse.bundle_options = msgspec.structs.replace(
        warehouse.bundle_options, access_key_id="writer", secret_access_key="writer-secret"
    )

    with pytest.raises(ObjectForbidden, match="Grant it s3:PutObject"):
        await warehouse.bundle()

    assert warehouse.is_clean()


@pytest.mark.parametrize("phase", list(Phase))
async def test_a_cancelled_run_leaves_nothing_but_what_its_checkpoint_names(warehouse: Warehouse, phase: Phase) -> None:
    task = asyncio.ensure_future(warehouse.bundle())
    warehouse.on_report = once_in(phase, task.cancel)

    with pytest.raises(asyncio.CancelledError):
        await task

    await warehouse.end()
    assert warehouse.is_clean()


# ── the way between ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_server_restarted_in_the_midst_is_waited_for(
    warehouse: Warehouse, s3_server: S3Server, tmp_path: Path
) -> None:
    def restart() -> None:
        s3_server.stop()
        s3_server.start()

    warehouse.on_report = once_in(Phase.BUNDLING, restart)

    assert_unpacks(warehouse, await warehouse.bundle(), tmp_path)


async def test_connections_that_break_again_and_again_cost_no_byte(
    warehouse: Warehouse, s3_server: S3Server, tmp_path: Path
) -> None:
    cuts = [15_000_000, 9_000_000, 3_000_000]
    async with FaultProxy(s3_server.port).listening() as wire:
        through = f"http://127.0.0.1:{wire.port}"
        warehouse.source_options = msgspec.structs.replace(warehouse.source_options, endpoint_url=through)
        warehouse.bundle_options = msgspec.structs.replace(warehouse.bundle_options, endpoint_url=through)

        def cut(report: Report) -> None:
            if cuts and report.bytes_processed > cuts[-1]:
                cuts.pop()
                wire.cut()

        warehouse.on_report = cut
        result = await warehouse.bundle()

    assert cuts == []
    assert_unpacks(warehouse, result, tmp_path)
    assert warehouse.bundles.count_uploads() == 0
