"""Real archives, read by programs that are not ours."""

import itertools
import os
import random
import subprocess
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from processor.progress import Phase
from shared import limits
from shared.jobs import RenamedFile
from tests.integration.bundle.workshop import JOB_ID, Workshop
from tests.support.tools import require_tool

NAMES = (
    "Quarterly report.pdf",
    "Übersicht – 日本語 😀.txt",
    "same.bin",
    "same.bin",
    "../../escape.txt",
    "C:\\windows\\con.txt",
    "deep/er/file.bin",
    "empty",
    "invoice\u202efdp.exe",
)
ARCHIVE_NAMES = (
    "Quarterly report.pdf",
    "Übersicht – 日本語 😀.txt",
    "same.bin",
    "same (2).bin",
    "escape.txt",
    "windows/_con.txt",
    "deep/er/file.bin",
    "empty",
    "invoicefdp.exe",
)
SIZES_BYTES = (300_000, 17, 9_000_000, limits.PART_BYTES, 1, 65_536, 20_000_000, 0, 5)


@pytest.fixture
def stocked(workshop: Workshop) -> Workshop:
    for number, (name, size_bytes) in enumerate(zip(NAMES, SIZES_BYTES, strict=True)):
        workshop.add(name, random.Random(number).randbytes(size_bytes))
    return workshop


def assert_same_files(directory: Path, workshop: Workshop) -> None:
    unpacked = {str(path.relative_to(directory)): path for path in directory.rglob("*") if path.is_file()}
    assert sorted(unpacked) == sorted(ARCHIVE_NAMES)
    for name, file in zip(ARCHIVE_NAMES, workshop.files, strict=True):
        assert unpacked[name].read_bytes() == workshop.path_of(file).read_bytes(), name
        assert unpacked[name].stat().st_mode & 0o777 == 0o644


async def test_zipfile_reads_every_byte_and_the_summary_is_right(stocked: Workshop) -> None:
    result = await stocked.bundle()

    archive = stocked.objects.root / result.object_key
    content = archive.read_bytes()
    with zipfile.ZipFile(archive) as reader:
        assert tuple(reader.namelist()) == ARCHIVE_NAMES
        assert [reader.read(name) for name in ARCHIVE_NAMES] == [
            stocked.path_of(file).read_bytes() for file in stocked.files
        ]
    assert result.object_key.startswith(f"bundles/{JOB_ID}/")
    assert (result.bundle.files, result.bundle.archive_bytes) == (9, len(content))
    assert result.bundle.archive_crc32 == f"{zlib.crc32(content):08x}"
    assert result.bundle.renamed_files == 4
    assert result.bundle.renamed[0] == RenamedFile(70003, "same (2).bin")
    assert stocked.left_behind() == ["bundles", f"bundles/{JOB_ID}", result.object_key]


def unzip(archive: Path, directory: Path) -> None:
    tool = require_tool("unzip")
    tested = subprocess.run([tool, "-t", archive], capture_output=True, text=True, check=True)
    assert "No errors detected" in tested.stdout
    # Without a UTF-8 locale unzip writes the names of non-ASCII files in its own escapes.
    subprocess.run([tool, "-q", archive, "-d", directory], check=True, env={**os.environ, "LC_ALL": "C.UTF-8"})


def bsdtar(archive: Path, directory: Path) -> None:
    tool = require_tool("bsdtar")
    subprocess.run([tool, "-tvf", archive], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([tool, "-xf", archive, "-C", directory], check=True, env={**os.environ, "LC_ALL": "C.UTF-8"})


def bsdtar_from_a_pipe(archive: Path, directory: Path) -> None:
    """Unpack without seeking: what a reader does that unpacks while it downloads."""
    tool = require_tool("bsdtar")
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    with subprocess.Popen(["cat", archive], stdout=subprocess.PIPE) as cat:
        subprocess.run([tool, "-xf", "-", "-C", directory], stdin=cat.stdout, check=True, env=environment)


@pytest.mark.parametrize("unpack", [unzip, bsdtar, bsdtar_from_a_pipe])
async def test_other_programs_unpack_every_byte(
    stocked: Workshop, tmp_path: Path, unpack: Callable[[Path, Path], None]
) -> None:
    directory = tmp_path / "unpacked"
    directory.mkdir()

    unpack(await stocked.bundled_path(), directory)

    if unpack is bsdtar_from_a_pipe:
        # The mode stands in the directory at the end, which a streaming reader has not seen yet.
        for path in directory.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
    assert_same_files(directory, stocked)


async def test_the_same_sources_give_the_same_object_again(stocked: Workshop) -> None:
    first = await stocked.bundled_path()
    before = first.read_bytes()
    first.unlink()

    second = await stocked.bundled_path()

    assert (second, second.read_bytes()) == (first, before)


async def test_progress_never_goes_back_and_ends_with_all_work_done(stocked: Workshop) -> None:
    await stocked.bundle()

    reports = stocked.reports
    ratios = [report.work_ratio for report in reports]
    assert ratios == sorted(ratios)
    assert [report.bytes_processed for report in reports] == sorted(report.bytes_processed for report in reports)
    assert list(dict.fromkeys(report.phase for report in reports)) == list(Phase)
    assert reports[-1].work_ratio == 1
    assert (reports[-1].bytes_processed, reports[-1].files_processed) == (sum(SIZES_BYTES), len(NAMES))
    messages = [report.message for report in reports]
    assert {"Checking 3 of 9 files", "Bundling Quarterly report.pdf", "Finishing the archive"} <= set(messages)
    assert stocked.confirmations == 1


async def test_empty_files_alone_make_an_archive(workshop: Workshop) -> None:
    workshop.add("a", b"")
    workshop.add("b", b"")

    with zipfile.ZipFile(await workshop.bundled_path()) as reader:
        assert [(info.filename, info.file_size) for info in reader.infolist()] == [("a", 0), ("b", 0)]


async def test_a_thousand_small_files_make_an_archive(workshop: Workshop) -> None:
    for number in range(1000):
        workshop.add("same.txt", str(number).encode())

    result = await workshop.bundle()

    with zipfile.ZipFile(workshop.objects.root / result.object_key) as reader:
        assert reader.testzip() is None
        assert len(set(reader.namelist())) == 1000
    assert result.bundle.renamed_files == 999
    assert len(result.bundle.renamed) == limits.MAX_RENAMED_LISTED


async def test_a_rate_slows_copying_and_shows_progress_within_a_part(workshop: Workshop) -> None:
    workshop.add("a.bin", bytes(1_000_000))
    workshop.copy_rate_bytes_per_second = 4_000_000

    await workshop.bundle()

    copied = {report.bytes_processed for report in workshop.reports}
    assert copied == {0, 1_000_000}


@pytest.mark.parametrize(
    ("rate", "files", "size_bytes", "most_bytes"),
    [(None, 640, 100, 100 * limits.BATCH_OBJECTS), (100_000, 100, 1000, 25_000)],
)
async def test_progress_of_many_small_files_is_shown_in_small_steps(
    workshop: Workshop, rate: int | None, files: int, size_bytes: int, most_bytes: int
) -> None:
    for number in range(files):
        workshop.add(f"{number}", bytes(size_bytes))
    workshop.copy_rate_bytes_per_second = rate

    await workshop.bundle()

    copied = sorted({report.bytes_processed for report in workshop.reports})
    checked = {report.message for report in workshop.reports if report.message.startswith("Checking")}
    assert copied[-1] == files * size_bytes
    assert max(after - before for before, after in itertools.pairwise(copied)) <= most_bytes
    assert len(checked) > files // limits.BATCH_OBJECTS
