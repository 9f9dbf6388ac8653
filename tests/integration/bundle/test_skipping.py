"""`on_missing: skip`: what is missing is left out, and told in the summary and inside the archive."""

import json
import zipfile

import pytest

from processor.progress import Phase
from shared import limits
from shared.errors import SourceChanged, SourceMissing
from shared.jobs import OnMissing, SkippedFile, SkipReason
from tests.integration.bundle.workshop import Workshop


@pytest.fixture
def stocked(workshop: Workshop) -> Workshop:
    for name in ("a.txt", "b.txt", "c.txt"):
        workshop.add(name, name.encode())
    return workshop


async def test_missing_and_unknown_files_are_left_out_and_reported_in_the_order_asked(stocked: Workshop) -> None:
    stocked.path_of(stocked.files[1]).unlink()

    result = await stocked.bundle((70001, 5, 70002, 70000), on_missing=OnMissing.SKIP)

    expected = (SkippedFile(70001, "b.txt", SkipReason.MISSING), SkippedFile(5, None, SkipReason.UNKNOWN))
    assert (result.bundle.files, result.bundle.skipped_files, result.bundle.skipped) == (2, 2, expected)
    with zipfile.ZipFile(stocked.objects.root / result.object_key) as archive:
        assert archive.namelist() == ["c.txt", "a.txt", "skipped-files.json"]
        assert json.loads(archive.read("skipped-files.json")) == {
            "skipped": [
                {"file_id": 70001, "name": "b.txt", "reason": "missing"},
                {"file_id": 5, "name": None, "reason": "unknown"},
            ]
        }


async def test_skipped_files_count_as_done(stocked: Workshop) -> None:
    await stocked.bundle((70001, 5, 70002), on_missing=OnMissing.SKIP)

    last = stocked.reports[-1]
    assert (last.files_processed, last.total_files, last.work_ratio) == (3, 3, 1.0)
    ratios = [report.work_ratio for report in stocked.reports]
    assert ratios == sorted(ratios)


async def test_an_archive_of_which_nothing_is_missing_is_the_same_as_without_skip(stocked: Workshop) -> None:
    strict = await stocked.bundle()
    await stocked.objects.delete(strict.object_key)
    lenient = await stocked.bundle(on_missing=OnMissing.SKIP)

    assert lenient == strict


async def test_a_job_of_which_every_file_is_missing_fails_with_all_of_them(stocked: Workshop) -> None:
    stocked.path_of(stocked.files[0]).unlink()

    with pytest.raises(SourceMissing) as caught:
        await stocked.bundle((5, 70000), on_missing=OnMissing.SKIP)

    assert caught.value.message == (
        "1 file does not exist any more: 70000. 1 file id is not in the catalogue: 5. Nothing is left to bundle."
    )
    assert caught.value.file_ids == (5, 70000)
    assert stocked.left_behind() == []


async def test_a_file_that_goes_away_after_the_plan_is_tried_again_and_then_skipped(stocked: Workshop) -> None:
    gone = stocked.path_of(stocked.files[2])
    stocked.on_report = lambda report: gone.unlink(missing_ok=True) if report.phase is Phase.BUNDLING else None

    with pytest.raises(SourceChanged, match="70002"):
        await stocked.bundle(on_missing=OnMissing.SKIP)
    result = await stocked.bundle(on_missing=OnMissing.SKIP)

    assert result.bundle.skipped == (SkippedFile(70002, "c.txt", SkipReason.MISSING),)


async def test_the_summary_lists_the_first_of_many_and_the_archive_all(stocked: Workshop) -> None:
    result = await stocked.bundle((70000, *range(1, 101)), on_missing=OnMissing.SKIP)

    assert (result.bundle.skipped_files, len(result.bundle.skipped)) == (100, limits.MAX_SKIPPED_LISTED)
    with zipfile.ZipFile(stocked.objects.root / result.object_key) as archive:
        assert len(json.loads(archive.read("skipped-files.json"))["skipped"]) == 100
