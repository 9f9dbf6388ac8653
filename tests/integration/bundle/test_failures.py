"""Runs that end badly: the file is named, and nothing is left in the store."""

import asyncio
import errno
import os
from collections.abc import Callable

import pytest

from processor.outcome import describe_for_operators
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
    with pytest.raises(SourceMissing, match=r"1 file id is not in the catalogue: 9\. Ask for the others") as caught:
        await stocked.bundle((70000, 9))

    assert caught.value.file_ids == (9,)


async def test_a_file_that_cannot_be_read_is_named_and_tried_again(
    stocked: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "preadv", refuse)

    with pytest.raises(RetryableRunError, match=r"File 70000 \(first.txt\) cannot be read now.$") as caught:
        await stocked.bundle((70000,))

    assert "Input/output" in describe_for_operators(caught.value).message
    assert caught.value.file_ids == (70000,)


async def test_missing_files_among_many_small_ones_are_all_named(workshop: Workshop) -> None:
    files = [workshop.add(f"{number}", b"x") for number in range(300)]
    gone = [files[0], files[63], files[64], files[299]]
    for file in gone:
        workshop.path_of(file).unlink()

    with pytest.raises(SourceMissing) as caught:
        await workshop.bundle()

    assert caught.value.file_ids == tuple(file.file_id for file in gone)


@pytest.mark.parametrize("phase", [Phase.PLANNING, Phase.BUNDLING])
@pytest.mark.parametrize("content", [b"!", b"", b"longer than before"])
async def test_a_small_file_that_changes_among_many_is_named(workshop: Workshop, phase: Phase, content: bytes) -> None:
    files = [workshop.add(f"{number}.txt", b"x") for number in range(300)]
    changed = files[222]
    skip = iter([phase is Phase.PLANNING])  # the second report of planning is the first one after the look-up
    change = once_in(phase, lambda: workshop.path_of(changed).write_bytes(content))
    workshop.on_report = lambda report: None if next(skip, False) else change(report)

    with pytest.raises(SourceChanged, match=r"File 70222 \(222.txt\) changed") as caught:
        await workshop.bundle()

    assert caught.value.file_ids == (70222,)
    assert workshop.left_behind() == []


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
    assert stocked.confirmations == 1, "for the abort; nothing was completed"
    assert stocked.left_behind() == []


@pytest.mark.parametrize("phase", [Phase.PLANNING, Phase.BUNDLING])
async def test_a_file_that_goes_away_after_its_look_up_is_named_and_tried_again(
    stocked: Workshop, phase: Phase
) -> None:
    # The second report of planning is the first one after the look-up.
    skip = iter([phase is Phase.PLANNING])
    gone = once_in(phase, stocked.path_of(stocked.files[1]).unlink)
    stocked.on_report = lambda report: None if next(skip, False) else gone(report)

    with pytest.raises(SourceChanged, match=r"File 70001 \(big.bin\) went away") as caught:
        await stocked.bundle()

    assert caught.value.file_ids == (70001,)
    assert stocked.left_behind() == []


async def test_an_empty_file_that_grows_after_the_plan_is_named_and_not_taken_for_empty(workshop: Workshop) -> None:
    workshop.add("full.txt", b"full")
    empty = workshop.add("empty.txt", b"")
    workshop.on_report = once_in(Phase.BUNDLING, lambda: grow(workshop, empty))

    with pytest.raises(SourceChanged, match=r"File 70001 \(empty.txt\) changed") as caught:
        await workshop.bundle()

    assert caught.value.file_ids == (70001,)
    assert workshop.confirmations == 0
    assert workshop.left_behind() == []


async def test_an_empty_file_that_goes_away_after_the_plan_is_named(workshop: Workshop) -> None:
    empty = workshop.add("empty.txt", b"")
    workshop.on_report = once_in(Phase.BUNDLING, workshop.path_of(empty).unlink)

    with pytest.raises(SourceChanged, match=r"File 70000 \(empty.txt\) went away"):
        await workshop.bundle()

    assert workshop.left_behind() == []


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
async def test_a_cancelled_run_leaves_nothing_but_what_its_checkpoint_names(stocked: Workshop, phase: Phase) -> None:
    task = asyncio.ensure_future(stocked.bundle())
    stocked.on_report = once_in(phase, task.cancel)

    with pytest.raises(asyncio.CancelledError):
        await task

    await stocked.end()
    assert stocked.left_behind() == []


async def test_a_run_cancelled_while_it_waits_for_its_pace_ends_at_once(stocked: Workshop) -> None:
    stocked.copy_rate_bytes_per_second = 1000
    task = asyncio.ensure_future(stocked.bundle())
    stocked.on_report = once_in(Phase.BUNDLING, lambda: asyncio.get_running_loop().call_later(0.05, task.cancel))

    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(asyncio.shield(task), timeout=10)

    await stocked.end()
    assert stocked.left_behind() == []


async def test_a_run_whose_lease_is_gone_completes_nothing(stocked: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    async def superseded() -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(stocked, "confirm", superseded)

    with pytest.raises(asyncio.CancelledError):
        await asyncio.ensure_future(stocked.bundle())

    await stocked.end()
    assert stocked.left_behind() == []


async def test_an_abort_that_fails_does_not_hide_what_went_wrong(
    stocked: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    del stocked.files[1:]  # an archive of one part has no checkpoint: its run aborts it

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "pwrite", refuse)
    monkeypatch.setattr("shared.objects.disk.remove", refuse)

    with pytest.raises(Exception, match="cannot be used: Input/output") as caught:
        await stocked.bundle()

    assert any("could not be aborted" in note for note in caught.value.__notes__)
