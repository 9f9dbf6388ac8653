"""Sources that are no files, may not be read, or change in every run; and a store whose disk is full."""

import asyncio
import ctypes
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from opentelemetry import metrics

from processor.execution import Execution
from processor.metrics import ProcessorMetrics
from processor.outcome import RetryPolicy, describe_for_operators
from processor.progress import Phase, Report
from processor.settlement import RunPolicy
from processor.work import Work
from shared.errors import RetryableRunError, SourceChanged, SourceMissing, StoreFull
from shared.jobs import JobError, JobRecord
from shared.jobstore.store import JobStore
from shared.objects.directory import ObjectDirectory
from shared.retention import Retention
from tests.integration.bundle.workshop import Workshop
from tests.support import inspection, jobs
from tests.support.tools import require_tool

NOBODY = 65534


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        # The path of a socket may have 108 bytes; that of a test is longer.
        before = Path.cwd()
        os.chdir(path.parent)
        listener.bind(path.name)
        os.chdir(before)


def make_endless_device(path: Path) -> None:
    try:
        os.mknod(path, stat.S_IFCHR | 0o644, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("only root makes device files")


def make_link_to_a_fifo(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


NOT_FILES = [make_fifo, make_socket, make_endless_device, make_link_to_a_fifo, Path.mkdir]


@pytest.mark.parametrize("make", NOT_FILES)
async def test_what_is_no_regular_file_is_refused_and_holds_nobody(
    workshop: Workshop, make: Callable[[Path], None]
) -> None:
    workshop.add("good.txt", b"good")
    path = workshop.path_of(workshop.add("odd.txt", b"odd"))
    path.unlink()
    make(path)

    with pytest.raises(SourceMissing, match="70001") as caught:
        await workshop.bundle()

    assert caught.value.file_ids == (70001,)
    assert workshop.left_behind() == []


@pytest.mark.parametrize("make", NOT_FILES)
@pytest.mark.parametrize("phase", [Phase.PLANNING, Phase.BUNDLING])
async def test_a_file_that_becomes_something_else_after_its_look_up_is_tried_again_and_holds_nobody(
    workshop: Workshop, make: Callable[[Path], None], phase: Phase
) -> None:
    path = workshop.path_of(workshop.add("odd.txt", b"odd"))
    looked_up: list[Report] = []

    def swap(report: Report) -> None:
        is_time = report.phase is phase and report.total_bytes is not None
        if is_time and not looked_up:
            looked_up.append(report)
            path.unlink()
            make(path)

    workshop.on_report = swap

    with pytest.raises(SourceChanged, match=r"File 70000 \(odd.txt\) went away") as caught:
        await workshop.bundle()

    assert caught.value.file_ids == (70000,)
    assert workshop.left_behind() == []


async def test_a_link_out_of_the_store_is_named_and_gives_nothing_away(workshop: Workshop) -> None:
    path = workshop.path_of(workshop.add("odd.txt", b"odd"))
    path.unlink()
    path.symlink_to("/etc/passwd")

    with pytest.raises(RetryableRunError, match=r"File 70000 \(odd.txt\) cannot be read now.$") as caught:
        await workshop.bundle()

    assert "leads out of its store" in describe_for_operators(caught.value).message
    assert workshop.left_behind() == []


@pytest.fixture
def public_home() -> Iterator[Path]:
    """A directory that nobody's threads can reach and write to; those above tmp_path are its owner's alone."""
    home = Path(tempfile.mkdtemp())
    if os.geteuid() == 0:
        os.chown(home, NOBODY, NOBODY)
    yield home
    shutil.rmtree(home)


def give_up_root() -> None:
    """Let all disk work of this test be done by nobody, because root may read everything.

    On Linux the identity for files is a thread's own (setfsuid(2)), and all disk work is done in the loop's threads.
    """
    if sys.platform != "linux":
        pytest.skip("uses setfsuid(2)")
    if os.geteuid() == 0:
        threads = ThreadPoolExecutor(initializer=ctypes.CDLL(None).setfsuid, initargs=(NOBODY,))
        asyncio.get_running_loop().set_default_executor(threads)


async def test_a_file_that_may_not_be_read_is_named_and_tried_again(public_home: Path) -> None:
    workshop = Workshop(public_home)
    workshop.add("open.txt", b"open")
    secret = workshop.add("secret.txt", b"secret")
    workshop.path_of(secret).chmod(0)
    give_up_root()

    readable = await workshop.bundle((70000,))
    with pytest.raises(RetryableRunError, match=r"File 70001 \(secret.txt\) cannot be read now.$") as caught:
        await workshop.bundle((70001,))

    assert "Permission denied" in describe_for_operators(caught.value).message
    assert caught.value.file_ids == (70001,)
    assert [name for name in workshop.left_behind() if name.endswith(".zip")] == [readable.object_key]
    assert not any(".upload-" in name for name in workshop.left_behind())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 12 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        [require_tool("mount"), "-t", "tmpfs", "-o", "size=12m", "tmpfs", place], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("this machine lets us mount nothing; test_failures.py has a store that says that it is full")
    yield place
    subprocess.run(["umount", place], check=True)


async def test_a_disk_that_is_full_fails_the_run_and_is_as_empty_as_before(
    workshop: Workshop, small_disk: Path
) -> None:
    workshop.objects = ObjectDirectory(small_disk / "objects")
    workshop.add("small.txt", b"small")
    free_before = shutil.disk_usage(small_disk).free
    big = workshop.add("big.bin", os.urandom(20_000_000))

    with pytest.raises(StoreFull, match="no room left"):
        await workshop.bundle()

    assert workshop.left_behind() == []
    assert shutil.disk_usage(small_disk).free >= free_before - 64 * 1024
    workshop.files.remove(big)
    assert (await workshop.bundle()).bundle.files == 1


# ── over several runs ─────────────────────────────────────────────────────────────────────────────────────────────────


async def run_to_its_end(store: JobStore, workshop: Workshop) -> tuple[JobRecord, list[str]]:
    """Let one processor work on a job for all files until it has ended; give its record and the types of its events."""
    file_ids = tuple(file.file_id for file in workshop.files)
    new_job = msgspec.structs.replace(jobs.new_job(store), file_ids=file_ids)
    await store.create(new_job)
    policy = RunPolicy(
        processor="p1",
        lease_ms=60_000,
        renew_every_ms=20_000,
        retention=Retention(60),
        retry=RetryPolicy(max_failures=3, base_ms=1, cap_ms=1, floor_ms=0),
    )
    processor_metrics = ProcessorMetrics(metrics.get_meter("test"))
    partition = jobs.partition_number(new_job.job_id)
    while True:
        record = await store.find(new_job.job_id)
        assert record is not None
        if record.state.is_terminal:
            types = await inspection.event_types(store, new_job.job_id)
            return record, [name for name in types if name != "progress"]
        await jobs.sweep(store, partition, lease_ms=0)
        for entry in await store.take(partition, processor="p1", most=1, in_hand=[]):
            await Execution(store, Work(workshop.handle, workshop.objects), policy, processor_metrics).execute(entry)


def in_each_run(times: int, act: Callable[[], object]) -> Callable[[Report], None]:
    """Make a watcher that acts once in each of the first runs, when its plan stands."""
    acted_on: list[Report] = []

    def watch(report: Report) -> None:
        is_first_of_phase = report.phase is Phase.BUNDLING and report.bytes_processed == 0
        if is_first_of_phase and len(acted_on) < times:
            acted_on.append(report)
            act()

    return watch


async def test_a_file_that_changes_in_every_run_fails_the_job_in_the_end_and_leaves_nothing(
    store: JobStore, workshop: Workshop
) -> None:
    path = workshop.path_of(workshop.add("log.txt", b"line\n"))

    def grow() -> None:
        with path.open("ab") as log:
            log.write(b"line\n")

    workshop.on_report = in_each_run(99, grow)

    record, types = await run_to_its_end(store, workshop)

    assert types == ["queued", "started", "retrying", "started", "retrying", "started", "error"]
    assert record.error == JobError("SOURCE_CHANGED", "File 70000 (log.txt) changed while it was bundled.", (70000,))
    assert workshop.left_behind() == []


@pytest.mark.parametrize("content", [b"", b"old content"], ids=["empty", "full"])
async def test_a_file_that_changes_once_is_bundled_as_it_is_then(
    store: JobStore, workshop: Workshop, content: bytes
) -> None:
    path = workshop.path_of(workshop.add("log.txt", content))
    workshop.on_report = in_each_run(1, lambda: path.write_bytes(b"new"))

    record, types = await run_to_its_end(store, workshop)

    assert types == ["queued", "started", "retrying", "started", "completed"]
    with zipfile.ZipFile(workshop.objects.root / (record.object_key or "")) as archive:
        assert archive.read("log.txt") == b"new"


async def test_a_file_that_is_gone_for_good_is_told_by_the_second_run(store: JobStore, workshop: Workshop) -> None:
    path = workshop.path_of(workshop.add("log.txt", b"line"))
    workshop.on_report = in_each_run(1, path.unlink)

    record, types = await run_to_its_end(store, workshop)

    assert types == ["queued", "started", "retrying", "started", "error"]
    assert record.error is not None
    assert (record.error.code, record.error.file_ids) == ("SOURCE_MISSING", (70000,))
    assert workshop.left_behind() == []
