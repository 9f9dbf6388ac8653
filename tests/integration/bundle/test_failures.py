"""Runs that end badly: the file is named, and nothing is left in the store."""

import asyncio
import errno
import os
from collections.abc import Callable

import pytest

from processor.progress import Phase, Report
from shared.errors import RetryableRunError, SourceChanged, SourceMissing, StoreFull
from shared.objects.catalogue import CatalogueFile
from tests.integration.bundle.workshop import Workshop

BIG = bytes(range(256)) * 80_000  # 20 MB: three parts


@pytest.fixture
def stocked(workshop: Workshop) -> Workshop:
    workshop.add("first.txt", b"first")
    workshop.add("big.bin", BIG)
    workshop.add("last.bin", BIG)
    return workshop


def once_in(phase: Phase, act: Callable[[], object]) -> Callable[[Report], None]:
    """Make a watcher that acts at the first report of a phase."""
    waiting = [act]

    def watch(report: Report) -> None:
        if report.phase is phase and waiting:
            waiting.pop()()

    return watch


async def test_missing_files_are_all_named(stocked: Workshop) -> None:
    for file in (stocked.files[2], stocked.files[0]):
        stocked.path_of(file).unlink()

    with pytest.raises(SourceMissing, match="2 files do not exist any more: 70000, 70002") as caught:
        await stocked.bundle()

    assert caught.value.file_ids == (70000, 70002)


async def test_ids_that_left_the_catalogue_are_missing_files(stocked: Workshop) -> None:
    with pytest.raises(SourceMissing, match="1 file does not exist any more: 9") as caught:
        await stocked.bundle((70000, 9))

    assert caught.value.file_ids == (9,)


async def test_a_file_that_cannot_be_read_is_named_and_tried_again(
    stocked: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "preadv", refuse)

    with pytest.raises(RetryableRunError, match=r"File 70000 \(first.txt\) cannot be read.*Input/output") as caught:
        await stocked.bundle((70000,))

    assert caught.value.file_ids == (70000,)


def grow(workshop: Workshop, file: CatalogueFile) -> None:
    with workshop.path_of(file).open("ab") as source:
        source.write(b"more")


def shrink(workshop: Workshop, file: CatalogueFile) -> None:
    os.truncate(workshop.path_of(file), 10_000)


def change_in_secret(workshop: Workshop, file: CatalogueFile) -> None:
    """Change one byte and put the time back: only the CRC can tell."""
    path = workshop.path_of(file)
    status = path.stat()
    with path.open("r+b") as source:
        source.seek(15_000_000)
        source.write(b"!")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("change", [grow, shrink, change_in_secret])
async def test_a_file_that_changes_after_the_plan_is_named_and_nothing_is_left(
    stocked: Workshop, change: Callable[[Workshop, CatalogueFile], None]
) -> None:
    stocked.on_report = once_in(Phase.BUNDLING, lambda: change(stocked, stocked.files[2]))

    with pytest.raises(SourceChanged, match=r"File 70002 \(last.bin\) changed") as caught:
        await stocked.bundle()

    assert caught.value.file_ids == (70002,)
    assert stocked.confirmations == 0
    assert stocked.left_behind() == []


async def test_a_file_that_goes_away_while_it_is_copied_is_missing(stocked: Workshop) -> None:
    stocked.on_report = once_in(Phase.BUNDLING, stocked.path_of(stocked.files[1]).unlink)

    with pytest.raises(SourceMissing, match="70001"):
        await stocked.bundle()

    assert stocked.left_behind() == []


async def test_a_full_store_fails_the_run_and_is_clean_again(
    stocked: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", refuse)

    with pytest.raises(StoreFull):
        await stocked.bundle()

    assert stocked.left_behind() == []


@pytest.mark.parametrize("phase", list(Phase))
async def test_a_cancelled_run_leaves_nothing_in_any_phase(stocked: Workshop, phase: Phase) -> None:
    task = asyncio.ensure_future(stocked.bundle())
    stocked.on_report = once_in(phase, task.cancel)

    with pytest.raises(asyncio.CancelledError):
        await task

    assert stocked.left_behind() == []


async def test_a_run_cancelled_while_it_waits_for_its_pace_ends_at_once(stocked: Workshop) -> None:
    stocked.copy_rate_bytes_per_second = 1000
    task = asyncio.ensure_future(stocked.bundle())
    stocked.on_report = once_in(Phase.BUNDLING, lambda: asyncio.get_running_loop().call_later(0.05, task.cancel))

    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(asyncio.shield(task), timeout=10)

    assert stocked.left_behind() == []


async def test_a_run_whose_lease_is_gone_completes_nothing(stocked: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    async def superseded() -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(stocked, "confirm", superseded)

    with pytest.raises(asyncio.CancelledError):
        await asyncio.ensure_future(stocked.bundle())

    assert stocked.left_behind() == []


async def test_an_abort_that_fails_does_not_hide_what_went_wrong(
    stocked: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "pwrite", refuse)
    monkeypatch.setattr("shared.objects.disk.remove", refuse)

    with pytest.raises(Exception, match="cannot be used: Input/output") as caught:
        await stocked.bundle()

    assert any("could not be aborted" in note for note in caught.value.__notes__)
