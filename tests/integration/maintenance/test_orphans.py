"""Uploads that nobody works on any more are aborted and counted; all others are left alone."""

import asyncio
import os
import time
from pathlib import Path

import msgspec
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint
from structlog.testing import capture_logs

from processor.maintenance.orphans import OrphanSearch
from processor.metrics import ProcessorMetrics
from shared import limits
from shared.objects import disk
from shared.objects.opening import open_store
from tests.support.depots import Depot, DirectoryDepot, S3Depot
from tests.support.s3_server import S3Server
from tests.support.stores import running

HOUR_MS = 3_600_000
AGE_MS = limits.ORPHAN_AGE_MS
PART_BYTES = limits.PART_BYTES


@pytest.fixture(params=["directory", "real server"])
def depot(request: pytest.FixtureRequest, tmp_path: Path) -> Depot:
    """A place whose uploads begin now (moto's all began in 2010)."""
    if request.param == "directory":
        return DirectoryDepot(tmp_path)
    server: S3Server = request.getfixturevalue("s3_server")
    return S3Depot(server.options(server.new_bucket()), server.client)


class Counted:
    """Metrics whose orphans can be read."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self.metrics = ProcessorMetrics(MeterProvider([self._reader]).get_meter("test"))

    def orphans(self) -> float:
        """Read the counter."""
        collected = self._reader.get_metrics_data()
        assert collected is not None
        [point] = [
            point
            for metric in collected.resource_metrics[0].scope_metrics[0].metrics
            if metric.name == "download_orphaned_uploads_aborted"
            for point in metric.data.data_points
        ]
        assert isinstance(point, NumberDataPoint)
        return point.value


async def test_uploads_of_last_week_are_aborted_and_counted_and_those_of_this_week_go_on(depot: Depot) -> None:
    counted = Counted()
    began_at_ms = int(time.time() * 1000)
    async with open_store(depot.location) as store:
        search = OrphanSearch(store, counted.metrics)
        upload = await store.create_upload("job/a", part_bytes=PART_BYTES)
        await store.create_upload("job/b", part_bytes=PART_BYTES)
        part = await store.upload_part(upload, 1, b"hello")

        with capture_logs() as lines:
            await search.abort_old(began_at_ms + AGE_MS - HOUR_MS)
            assert (depot.count_uploads(), counted.orphans(), lines) == (2, 0, [])
            await store.complete(upload, [part])
            await search.abort_old(began_at_ms + AGE_MS + HOUR_MS)

    assert (depot.objects(), depot.count_uploads(), counted.orphans()) == (["job/a"], 0, 1)
    assert [(line["event"], line["uploads"]) for line in lines] == [("orphaned uploads aborted", 1)]


async def test_uploads_that_cannot_be_aborted_hide_none_behind_them(tmp_path: Path) -> None:
    """A directory's name need not be text, and S3 takes keys of others that we would not."""
    depot, counted = DirectoryDepot(tmp_path), Counted()
    for name in (b"a\xff", b"z\xff"):
        strange = os.fsencode(tmp_path) + b"/" + name
        os.mkdir(strange)
        os.mknod(strange + b"/.upload-0")

    async with open_store(depot.location) as store:
        for key in ("job/a", "m/b"):
            await store.create_upload(key, part_bytes=PART_BYTES)
        with capture_logs() as lines:
            await OrphanSearch(store, counted.metrics).abort_old(int(time.time() * 1000) + AGE_MS + HOUR_MS)

    assert (depot.count_uploads(), counted.orphans()) == (2, 2)
    [aborted, left] = lines
    assert (aborted["event"], aborted["uploads"]) == ("orphaned uploads aborted", 2)
    assert (left["event"], left["uploads"], left["log_level"]) == ("orphaned uploads left", 2, "warning")
    assert "cannot be written as UTF-8" in left["problem"]


async def test_an_upload_of_somebody_elses_strange_key_hides_none_behind_it(s3_server: S3Server) -> None:
    counted, options = Counted(), s3_server.options(s3_server.new_bucket())
    depot = S3Depot(options, s3_server.client)
    s3_server.client.create_multipart_upload(Bucket=options.bucket, Key=depot.name("a//b"))

    async with open_store(options) as store:
        await store.create_upload("job/a", part_bytes=PART_BYTES)
        with capture_logs() as lines:
            await OrphanSearch(store, counted.metrics).abort_old(int(time.time() * 1000) + AGE_MS + HOUR_MS)

    assert (depot.count_uploads(), counted.orphans()) == (1, 1)
    assert "two in a row" in lines[-1]["problem"]


async def test_a_store_that_is_away_or_refuses_is_told_and_disturbs_nothing(
    s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "STORE_RETRY_CAP_MS", 1)
    options, counted = s3_server.options(s3_server.new_bucket()), Counted()
    away = msgspec.structs.replace(options, endpoint_url="http://127.0.0.1:1")
    refused = msgspec.structs.replace(options, secret_access_key="a-wrong-one")

    for location, problem in (
        (away, "could not list the uploads of the bucket"),
        (refused, "does not accept the signature"),
    ):
        async with open_store(location) as store:
            with capture_logs() as lines:
                await OrphanSearch(store, counted.metrics).abort_old(int(time.time() * 1000))
        [line] = lines
        assert line["event"] == "cannot look for orphaned uploads"
        assert problem in line["problem"]
    assert counted.orphans() == 0


async def test_a_directory_that_cannot_be_listed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(disk, "hidden_files", fail)
    async with open_store(DirectoryDepot(tmp_path).location) as store:
        with capture_logs() as lines:
            await OrphanSearch(store, Counted().metrics).abort_old(0)

    assert lines[0]["problem"] == f"The directory {tmp_path} cannot be listed: Permission denied."


async def test_the_loop_looks_by_itself_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ORPHANS_FIRST_MIN_SECONDS", "ORPHANS_FIRST_MAX_SECONDS", "ORPHANS_EVERY_SECONDS"):
        monkeypatch.setattr(limits, name, 0.001)
    monkeypatch.setattr(limits, "ORPHAN_AGE_MS", -HOUR_MS)  # everything is old
    depot = DirectoryDepot(tmp_path)

    async with open_store(depot.location) as store, running(OrphanSearch(store, Counted().metrics).run):
        for key in ("a", "b"):
            await store.create_upload(key, part_bytes=PART_BYTES)
            async with asyncio.timeout(10):
                while depot.count_uploads():  # noqa: ASYNC110  # what is on the disk is only there to be looked at
                    await asyncio.sleep(0.005)
