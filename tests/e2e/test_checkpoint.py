"""A large bundle whose processor is killed: the next one goes on from its parts."""

import io
import json
import random
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared.objects.part_journal import parts_in
from tests.support.buckets import Buckets
from tests.support.cargo import SourceFile
from tests.support.proxy import FaultProxy
from tests.support.s3_server import S3Server
from tests.support.service import Service
from tests.support.system import QUICK_LEASE, System
from tests.support.waiting import until

PART_BYTES = 8 * 1024 * 1024
LARGE = tuple(
    SourceFile(number, f"{number}.raw", random.Random(number).randbytes(13_000_000)) for number in range(1, 7)
)
"""Ten parts."""


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    """A catalogue of large files, copied in about four seconds."""
    catalogue = tmp_path / "large.jsonl"
    entries = [{"file_id": file.file_id, "name": file.name, "key": file.key} for file in LARGE]
    catalogue.write_text("".join(f"{json.dumps(entry)}\n" for entry in entries))
    return QUICK_LEASE | {"WAYBILL_CATALOGUE": str(catalogue), "WAYBILL_COPY_RATE_BYTES_PER_SECOND": "20000000"}


@pytest.fixture
def on_disk(tmp_path: Path, settings: dict[str, str]) -> Iterator[System]:
    """A system in a directory."""
    with System(tmp_path / "system", settings=settings) as system:
        for file in LARGE:
            (system.sources_dir / file.key).write_bytes(file.content)
        yield system


@pytest.fixture
def buckets(s3_server: S3Server) -> Buckets:
    """Buckets with the large files."""
    made = Buckets(s3_server)
    for file in LARGE:
        made.sources.put(file.key, file.content)
    return made


def kill_in_the_midst(system: System, path: str, count_parts: Callable[[], int]) -> None:
    """Kill the processor when some parts are there, and others not."""
    until(lambda: count_parts() >= 3, f"three parts of {path} are there")
    system.processors[0].kill()
    assert count_parts() < 10, "the processor was killed too late"


def assert_whole(system: System, path: str) -> None:
    """Compare every byte of every file, and the progress that people saw."""
    with zipfile.ZipFile(io.BytesIO(system.archive(path))) as archive:
        assert archive.testzip() is None
        assert [archive.read(name) for name in archive.namelist()] == [file.content for file in LARGE]
    ratios = [event["progress"] for event in system.log(path) if event["type"] == "progress"]
    assert ratios == sorted(ratios)


def resumption_of(system: System, successor: Service) -> tuple[int, float]:
    """Give how many parts the successor found, and how many bytes it counted as resumed."""
    [resumed] = [line for line in successor.log_lines() if line["event"] == "upload resumed"]
    assert resumed["parts"] * PART_BYTES == resumed["bytes"] or resumed["parts"] == 10
    return resumed["parts"], successor.metric("download_resumed_bytes_total")


def test_a_killed_run_in_a_directory_is_gone_on_with(on_disk: System) -> None:
    path = on_disk.create_job(*LARGE)

    def count_parts() -> int:
        journals = list(on_disk.objects_dir.rglob("*.parts"))
        return len(parts_in(journals[0].read_bytes())) if journals else 0

    kill_in_the_midst(on_disk, path, count_parts)
    there = count_parts()
    successor = on_disk.start("processor")
    record = on_disk.wait_for_end(path)

    assert (record["status"], record["attempt"]) == ("completed", 2)
    assert resumption_of(on_disk, successor) == (there, there * PART_BYTES)
    assert_whole(on_disk, path)
    assert not [left for left in on_disk.objects_dir.rglob("*") if left.is_file() and left.suffix != ".zip"]


def test_a_killed_run_in_a_bucket_is_gone_on_with_and_nothing_is_sent_twice(
    tmp_path: Path, settings: dict[str, str], buckets: Buckets
) -> None:
    bundles = buckets.bundles
    with (
        System(tmp_path / "system", settings=settings, buckets=buckets) as system,
        FaultProxy(buckets.server.port).in_thread() as wire,
    ):
        path = system.create_job(*LARGE)
        kill_in_the_midst(system, path, bundles.count_parts)
        there = bundles.count_parts()
        successor = system.start("processor", **buckets.settings(port=wire.port))
        record = system.wait_for_end(path)

        assert (record["status"], record["attempt"]) == ("completed", 2)
        assert resumption_of(system, successor) == (there, there * PART_BYTES)
        rest_bytes = record["archive_bytes"] - there * PART_BYTES
        assert rest_bytes < wire.request_bytes < rest_bytes + PART_BYTES // 2
        assert_whole(system, path)
        assert bundles.count_uploads() == 0
