"""A bundle goes on from the parts that an earlier run has uploaded: nothing twice, nothing wrong, never in a circle."""

import asyncio
import io
import random
import secrets
import zipfile
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from processor.bundle.handler import BundleHandler
from processor.context import Result
from processor.progress import Phase, Report
from shared import limits
from shared.errors import ObjectForbidden, SourceChanged, StoreFull, StoreUnavailable, UploadInvalid
from shared.jobs import Checkpoint
from shared.objects.catalogue import CatalogueFile
from shared.objects.directory import ObjectDirectory
from shared.objects.info import PartTag, Upload
from shared.objects.manifest import Manifest
from shared.objects.opening import open_store
from shared.objects.store import ObjectStore
from tests.integration.bundle.workshop import WatchedContext, job_for
from tests.integration.objects.uploads import read_all
from tests.support.depots import Depot, DirectoryDepot, S3Depot
from tests.support.s3_server import S3Server, new_client, options_for

PART_BYTES = 5 * 1024 * 1024  # the smallest that S3 takes
SIZES_BYTES = {"first.bin": 7_000_000, "empty": 0, "small.txt": 300, "last.bin": 11_000_000}
PARTS = 4


class Yard:
    """Sources in a directory, archives in a store of any kind; runs one job again and again, as a processor would.

    `uploaded` are the numbers of the parts that were sent since the run began, `begun` counts its uploads.
    `before_part` is called right before each part is sent.
    """

    def __init__(self, home: Path, objects: ObjectStore, depot: Depot, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sources = DirectoryDepot(home / "sources")
        self.objects = objects
        self.depot = depot
        self.checkpoint: Checkpoint | None = None
        self.uploaded: list[int] = []
        self.filled: set[str] = set()
        self.begun = 0
        self.resumed_bytes = 0
        self.reports: list[Report] = []
        self.before_part: Callable[[int], None] = lambda _: None
        self.on_report: Callable[[Report], None] = self.reports.append
        self._home = home
        self._upload_part, self._create_upload = objects.upload_part, objects.create_upload
        monkeypatch.setattr(objects, "upload_part", self._send)
        monkeypatch.setattr(objects, "create_upload", self._begin)
        self.files = [CatalogueFile(number, name, name) for number, name in enumerate(SIZES_BYTES, start=1)]
        for file in self.files:
            self.sources.put(file.key, random.Random(file.file_id).randbytes(SIZES_BYTES[file.name]))

    async def _send(self, upload: Upload, number: int, data: Any, *, crc32: int | None = None) -> PartTag:
        self.before_part(number)
        await asyncio.sleep(0)
        tag = await self._upload_part(upload, number, data, crc32=crc32)
        self.uploaded.append(number)
        self.filled.add(upload.upload_id)
        return tag

    async def _begin(self, key: str, *, part_bytes: int) -> Upload:
        self.begun += 1
        return await self._create_upload(key, part_bytes=part_bytes)

    async def run(self) -> Result:
        """Run the job; what a run before it kept is known."""
        self.uploaded, self.begun = [], 0
        self.reports.clear()
        context = WatchedContext(
            self.objects,
            confirm=self._confirmed,
            keep=self._keep,
            checkpoint=self.checkpoint,
            on_report=self.on_report,
        )
        handler = BundleHandler(
            Manifest(self.files, path=Path("catalogue.jsonl")), sources=ObjectDirectory(self._home / "sources")
        )
        try:
            return await handler(job_for(tuple(file.file_id for file in self.files)), context)
        finally:
            self.resumed_bytes = context.resumed_bytes

    async def be_interrupted(self, *, after_parts: int) -> None:
        """Run until so many parts are there, and no further."""
        task = asyncio.ensure_future(self.run())

        def strike(_number: int) -> None:
            if len(self.uploaded) == after_parts:
                task.cancel()

        self.before_part = strike
        with pytest.raises(asyncio.CancelledError):
            await task
        self.before_part = lambda _: None

    async def assert_right(self, result: Result) -> None:
        """Read the archive, and compare every byte of every file; nothing else may be in the store."""
        content = await read_all(self.objects, result.object_key)
        assert f"{zlib.crc32(content):08x}" == result.bundle.archive_crc32
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert archive.testzip() is None
            for file in self.files:
                assert archive.read(file.name) == (self._home / "sources" / file.key).read_bytes()
        assert (self.depot.objects(), self.depot.count_uploads()) == ([result.object_key], 0)

    @property
    def upload(self) -> Upload:
        """The upload that the checkpoint names."""
        assert self.checkpoint is not None
        assert self.checkpoint.upload is not None
        return self.checkpoint.upload

    async def _confirmed(self) -> None:
        """Stand in for the lease."""

    async def _keep(self, checkpoint: Checkpoint) -> None:
        assert checkpoint.upload
        assert checkpoint.upload.upload_id not in self.filled, "a checkpoint comes before the first part"
        self.checkpoint = checkpoint


def new_depot(kind: str, request: pytest.FixtureRequest, home: Path) -> Depot:
    """Give an empty place for archives."""
    if kind == "directory":
        return DirectoryDepot(home / "archives")
    if kind == "moto":
        client = new_client(request.getfixturevalue("moto_url"), "anybody", "anything")
        bucket = f"archives-{secrets.token_hex(4)}"
        client.create_bucket(Bucket=bucket)
        return S3Depot(options_for(request.getfixturevalue("moto_url"), bucket), client)
    server: S3Server = request.getfixturevalue("s3_server")
    return S3Depot(server.options(server.new_bucket()), server.client)


@pytest_asyncio.fixture(params=["directory", "moto", "real server"])
async def yard(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Yard]:
    """A yard with each kind of store; one part is sent at a time."""
    monkeypatch.setattr(limits, "PART_BYTES", PART_BYTES)
    monkeypatch.setattr(limits, "PARTS_IN_FLIGHT", 1)
    depot = new_depot(request.param, request, tmp_path)
    async with open_store(depot.location) as objects:
        yield Yard(tmp_path, objects, depot, monkeypatch)


def insist_on_refusals(yard: Yard, request: pytest.FixtureRequest) -> None:
    """Leave out moto: it answers 500 to what a server refuses, and lists no checksums."""
    if "moto" in request.node.callspec.id:
        pytest.skip("moto answers 500 in place of a refusal, and lists no checksums")


# ── what is there is not done again ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("done", [0, 1, 2, PARTS - 1])
async def test_an_interrupted_run_is_gone_on_with_and_no_part_is_sent_twice(yard: Yard, done: int) -> None:
    await yard.be_interrupted(after_parts=done)
    first = list(yard.uploaded)

    with capture_logs() as lines:
        result = await yard.run()

    assert (first, yard.uploaded) == (list(range(1, done + 1)), list(range(done + 1, PARTS + 1)))
    assert (yard.begun, yard.resumed_bytes) == (0, done * PART_BYTES)
    told = [(line["parts"], line["bytes"]) for line in lines if line["event"] == "upload resumed"]
    assert told == ([(done, done * PART_BYTES)] if done else [])
    await yard.assert_right(result)


async def test_runs_that_are_interrupted_again_and_again_send_each_part_once(yard: Yard) -> None:
    sent: list[int] = []
    for _ in range(PARTS - 1):
        await yard.be_interrupted(after_parts=1)
        sent += yard.uploaded

    result = await yard.run()

    assert sent + yard.uploaded == list(range(1, PARTS + 1))
    await yard.assert_right(result)


async def test_what_was_resumed_counts_as_done_from_the_first_report_of_copying(yard: Yard) -> None:
    await yard.be_interrupted(after_parts=2)

    await yard.run()

    copying = [report for report in yard.reports if report.phase is Phase.BUNDLING]
    assert copying[1].bytes_processed > 2 * PART_BYTES - 1_000  # headers are no bytes of files
    assert copying[1].files_processed == 3
    assert yard.reports[-1].bytes_processed == sum(SIZES_BYTES.values())
    ratios = [report.work_ratio for report in copying[1:]]
    assert ratios == sorted(ratios)


async def test_a_run_that_died_before_it_completed_leaves_nothing_to_send(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def die(*_: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(yard.objects, "complete", die)
        with pytest.raises(asyncio.CancelledError):
            await asyncio.ensure_future(yard.run())

    result = await yard.run()

    assert (yard.uploaded, yard.begun) == ([], 0)
    await yard.assert_right(result)


async def test_a_run_that_died_right_after_it_completed_leaves_nothing_to_do(
    yard: Yard, request: pytest.FixtureRequest
) -> None:
    insist_on_refusals(yard, request)
    first = await yard.run()

    with capture_logs() as lines:
        second = await yard.run()

    assert (yard.uploaded, yard.begun, second) == ([], 0, first)
    assert "archive was complete already" in [line["event"] for line in lines]
    assert (yard.reports[-1].bytes_processed, yard.reports[-1].files_processed) == (sum(SIZES_BYTES.values()), 4)
    await yard.assert_right(second)


# ── what cannot be gone on with is begun anew, once ───────────────────────────────────────────────────────────────────


async def test_an_upload_that_is_gone_is_begun_anew_once(yard: Yard, request: pytest.FixtureRequest) -> None:
    insist_on_refusals(yard, request)
    await yard.be_interrupted(after_parts=2)
    gone = yard.upload
    await yard.objects.abort(gone)

    result = await yard.run()

    assert (yard.uploaded, yard.begun, yard.resumed_bytes) == (list(range(1, PARTS + 1)), 1, 0)
    assert yard.upload != gone
    await yard.assert_right(result)


async def test_an_upload_that_goes_away_under_way_is_begun_anew_in_the_same_run(
    yard: Yard, request: pytest.FixtureRequest
) -> None:
    insist_on_refusals(yard, request)
    await yard.be_interrupted(after_parts=2)
    is_resumed = asyncio.Event()
    yard.before_part = lambda _: is_resumed.set()
    running, gone = asyncio.ensure_future(yard.run()), yard.upload
    await is_resumed.wait()
    await yard.objects.abort(gone)  # while the part is on its way, or right after it

    result = await running

    assert yard.begun == 1
    assert yard.uploaded[-PARTS:] == list(range(1, PARTS + 1))
    await yard.assert_right(result)


async def test_an_upload_with_parts_of_something_else_is_aborted_and_begun_anew(yard: Yard) -> None:
    await yard.be_interrupted(after_parts=1)
    await yard._upload_part(yard.upload, 2, b"too short for a second part")

    result = await yard.run()

    assert (yard.uploaded, yard.begun) == (list(range(1, PARTS + 1)), 1)
    await yard.assert_right(result)


async def test_a_part_of_other_bytes_is_found_out_before_the_archive_is_visible(
    yard: Yard, request: pytest.FixtureRequest
) -> None:
    insist_on_refusals(yard, request)
    await yard.be_interrupted(after_parts=2)
    await yard._upload_part(yard.upload, 2, bytes(PART_BYTES), crc32=zlib.crc32(bytes(PART_BYTES)))

    result = await yard.run()

    assert yard.uploaded == [3, 4, *range(1, PARTS + 1)]
    assert (yard.begun, yard.resumed_bytes) == (1, 0)
    await yard.assert_right(result)


async def test_an_upload_that_is_refused_again_ends_the_run(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    await yard.be_interrupted(after_parts=2)
    tries: list[str] = []

    async def refuse(upload: Upload, _parts: object) -> None:
        tries.append(upload.upload_id)
        raise UploadInvalid("the store does not have the parts", key=upload.key)

    monkeypatch.setattr(yard.objects, "complete", refuse)

    with pytest.raises(UploadInvalid):
        await yard.run()

    assert len(tries) == len(set(tries)) == 2
    assert yard.begun == 1


async def test_a_changed_source_makes_another_plan_and_the_old_upload_goes(yard: Yard) -> None:
    await yard.be_interrupted(after_parts=2)
    old = yard.upload
    yard.sources.put("last.bin", random.Random(99).randbytes(12_000_000))

    result = await yard.run()

    assert (yard.uploaded, yard.begun) == (list(range(1, PARTS + 1)), 1)
    assert yard.upload.key != old.key
    await yard.assert_right(result)


async def test_a_checkpoint_of_other_parts_is_not_gone_on_with(yard: Yard) -> None:
    await yard.be_interrupted(after_parts=2)
    assert yard.checkpoint is not None
    larger = msgspec.structs.replace(yard.upload, part_bytes=2 * PART_BYTES)
    yard.checkpoint = msgspec.structs.replace(yard.checkpoint, upload=larger)

    result = await yard.run()

    assert (yard.uploaded, yard.begun) == (list(range(1, PARTS + 1)), 1)
    await yard.assert_right(result)


async def test_a_store_that_lists_no_parts_is_used_as_before(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(upload: Upload) -> list[PartTag]:
        raise ObjectForbidden("Grant it s3:ListMultipartUploadParts.", key=upload.key)

    monkeypatch.setattr(yard.objects, "list_parts", refuse)
    await yard.be_interrupted(after_parts=2)

    with capture_logs() as lines:
        result = await yard.run()

    assert yard.uploaded == list(range(1, PARTS + 1))
    assert [line["problem"] for line in lines if line["event"] == "upload cannot be resumed"] == [
        "Grant it s3:ListMultipartUploadParts."
    ]
    await yard.assert_right(result)


# ── what becomes of the upload of a run that fails ────────────────────────────────────────────────────────────────────


async def test_a_store_that_is_away_costs_no_part(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    async def be_away(upload: Upload, *_: object) -> list[PartTag]:
        raise StoreUnavailable("It does not answer.", key=upload.key)

    await yard.be_interrupted(after_parts=2)
    for call in ("list_parts", "complete"):
        with monkeypatch.context() as patch:
            patch.setattr(yard.objects, call, be_away)
            with pytest.raises(StoreUnavailable):
                await yard.run()

    result = await yard.run()

    assert (yard.uploaded, yard.begun) == ([], 0)
    await yard.assert_right(result)


async def test_a_source_that_changes_under_way_leaves_no_part_to_be_believed(yard: Yard) -> None:
    yard.before_part = lambda number: yard.sources.put("last.bin", b"another") if number == 3 else None

    with pytest.raises(SourceChanged):
        await yard.run()

    assert yard.depot.count_uploads() == 0


async def test_a_superseded_run_aborts_nothing(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    async def be_superseded() -> None:
        raise asyncio.CancelledError

    await yard.be_interrupted(after_parts=2)
    monkeypatch.setattr(yard, "_confirmed", be_superseded)
    yard.before_part = lambda number: yard.sources.put("last.bin", b"another") if number == 3 else None

    for _ in range(2):  # the source changes under its hands, and then there is another plan
        with pytest.raises(asyncio.CancelledError):
            await asyncio.ensure_future(yard.run())

    assert yard.depot.count_uploads() == 1


async def test_a_store_that_is_full_gets_its_room_back(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    async def be_full(upload: Upload, number: int, *_: object, **__: object) -> PartTag:
        raise StoreFull(f"No room for part {number}.", key=upload.key)

    await yard.be_interrupted(after_parts=2)
    monkeypatch.setattr(yard.objects, "upload_part", be_full)

    with pytest.raises(StoreFull):
        await yard.run()

    assert yard.depot.count_uploads() == 0


async def test_an_interruption_before_the_checkpoint_is_kept_leaves_nothing(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def be_interrupted(_checkpoint: Checkpoint) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(yard, "_keep", be_interrupted)

    with pytest.raises(asyncio.CancelledError):
        await asyncio.ensure_future(yard.run())

    assert yard.depot.count_uploads() == 0


async def test_an_archive_of_one_part_has_no_checkpoint(yard: Yard) -> None:
    del yard.files[0], yard.files[-1]

    await yard.assert_right(await yard.run())

    assert (yard.checkpoint, yard.uploaded) == (None, [1])


async def test_an_archive_that_became_one_part_leaves_the_old_upload_to_nobody(yard: Yard) -> None:
    await yard.be_interrupted(after_parts=2)
    del yard.files[0], yard.files[-1]

    await yard.assert_right(await yard.run())
