import pytest

from processor.bundle.plan import plan_bundle
from processor.bundle.tally import Tally
from processor.progress import Phase, Report
from tests.unit.bundle.archives import fake_source


def test_a_whole_run_rises_from_nothing_to_all_work_and_names_what_it_does() -> None:
    reports: list[Report] = []
    plan = plan_bundle([fake_source(1, "a.txt", 100), fake_source(2, "empty", 0), fake_source(3, "b.txt", 300)])
    tally = Tally(3, reports.append)

    tally.looked_up(400)
    for size_bytes in (100, 0, 300):
        tally.read(size_bytes)
        tally.checked(1)
    tally.planned(plan.files)
    for size_bytes in (60, 200, 40, 100):
        tally.copied(size_bytes)
    tally.finishing()

    ratios = [report.work_ratio for report in reports]
    assert ratios == sorted(ratios)
    assert (ratios[0], ratios[-1]) == (0, 1)
    assert list(dict.fromkeys(report.phase for report in reports)) == list(Phase)
    assert list(dict.fromkeys(report.message for report in reports)) == [
        "Looking up 3 files",
        "Checking 1 of 3 files",
        "Checking 2 of 3 files",
        "Checking 3 of 3 files",
        "Bundling a.txt",
        "Bundling b.txt",
        "Finishing the archive",
    ]
    assert [report.files_processed for report in reports[-5:]] == [0, 2, 2, 3, 3]
    assert (reports[-1].bytes_processed, reports[-1].total_bytes, reports[-1].total_files) == (400, 400, 3)


@pytest.mark.parametrize("files", [1, 2])
def test_files_without_bytes_are_work_too(files: int) -> None:
    reports: list[Report] = []
    tally = Tally(files, reports.append)

    tally.looked_up(0)
    for _ in range(files):
        tally.checked(1)
    tally.planned(plan_bundle([fake_source(number, "empty", 0) for number in range(files)]).files)
    tally.finishing()

    assert reports[files + 1].work_ratio == 0.1
    assert reports[-1].work_ratio == 1


def test_skipped_files_are_done_before_the_others_are_checked() -> None:
    reports: list[Report] = []
    plan = plan_bundle([fake_source(1, "empty", 0), fake_source(2, "empty too", 0)])
    tally = Tally(4, reports.append)

    tally.looked_up(0, skipped_files=2)
    after_look_up = reports[-1]
    tally.checked(1)
    tally.checked(1)
    tally.planned(plan.files)

    assert (after_look_up.message, after_look_up.work_ratio) == ("Checking 3 of 4 files", 0.05)
    assert (reports[-1].files_processed, reports[-1].work_ratio) == (4, 1.0)


def test_files_and_the_named_one_are_those_that_the_copied_bytes_fill() -> None:
    reports: list[Report] = []
    plan = plan_bundle([fake_source(number, f"{number}.txt", size) for number, size in enumerate((900, 50, 0, 50))])
    tally = Tally(4, reports.append)
    tally.looked_up(1_000)
    tally.planned(plan.files)

    # Of the part behind the first one all comes early: the first file is large, and no reason to say that none is done.
    for count_bytes in (100, 800, 50, 49, 1):
        tally.copied(count_bytes)

    told = [(report.bytes_processed, report.files_processed, report.message) for report in reports[-5:]]
    assert told == [
        (100, 0, "Bundling 0.txt"),
        (900, 1, "Bundling 1.txt"),
        (950, 3, "Bundling 3.txt"),
        (999, 3, "Bundling 3.txt"),
        (1_000, 4, "Bundling 3.txt"),
    ]
