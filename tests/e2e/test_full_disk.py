"""The disk under the local store is full: the run fails with a sentence, nothing is left, and room is all it takes."""

import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import cargo
from tests.support.system import QUICK_LEASE, System

LARGE = cargo.LONG[0]
"""Half a megabyte: more than the disk has, which still takes cargo.MIXED."""


class Disk:
    """A small file system in memory, at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        _run("mount", "-t", "tmpfs", "-o", "size=300k", "waybill-test", str(path))

    def grow(self) -> None:
        """Give it room for everything."""
        _run("mount", "-o", "remount,size=8m", str(self.path))

    def remove(self) -> None:
        """Take it away; lazily, because a process of a failed test may still be there."""
        _run("umount", "--lazy", str(self.path))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A small disk where the objects will be; skipped where nothing may be mounted (test_failure.py limits files)."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounts a small disk, which takes root")
    try:
        made = Disk(tmp_path / "objects")
    except subprocess.CalledProcessError as refused:
        pytest.skip(f"no disk can be mounted here: {refused.stderr.strip()}")
    yield made
    made.remove()


def test_a_full_disk_fails_runs_cleanly_until_there_is_room(disk: Disk, tmp_path: Path) -> None:
    settings = QUICK_LEASE | {"WAYBILL_RETRY_BASE_MS": "1", "WAYBILL_MAX_FAILURES": "100"}
    with System(tmp_path, settings=settings) as system:
        path = system.create_job(LARGE)
        error = system.wait_for_status(path, "retrying")["error"]
        system.wait_for_end(fitting := system.create_job(*cargo.MIXED))

        disk.grow()
        record = system.wait_for_end(path)

        assert error["code"] == "STORE_FULL"
        assert "no room left for this archive" in error["message"]
        assert system.record(fitting)["status"] == record["status"] == "completed"
        assert record["attempt"] > 1
        with zipfile.ZipFile(io.BytesIO(system.archive(path))) as archive:
            assert [archive.read(entry) for entry in archive.infolist()] == [LARGE.content]
        left = [file for file in disk.path.rglob("*") if file.is_file()]
        assert sorted(file.parent.name for file in left) == sorted([fitting.rpartition("/")[2], record["job_id"]])
