"""The tables that are printed of jobs: what of them fits on a terminal, and that nothing is cut in a pipe."""

from datetime import UTC, datetime

import pytest

from gateway.client.command.cells import cut, width_of
from gateway.client.command.pages import jobs_page
from gateway.client.record import Record

NOW = datetime(2026, 11, 24, 10, 30, tzinfo=UTC)
JOB_ID = "7f3a1c00-0000-8000-8000-00000000cafe"
LONG_NAME = "holiday in the mountains, all of it, with the pictures that nobody wanted to see again" * 2
REASON = "File 70003 is archived in its store, and must be restored before it can be read; ask whoever looks after it."


def record(**other: object) -> Record:
    known = {
        "job_id": JOB_ID,
        "status": "processing",
        "progress": 0.375,
        "files_processed": 12,
        "total_files": 1_000,
        "total_bytes": 1_234_567,
        "created_at": "2026-11-23T09:00:00Z",
    }
    return Record.of(known | other)


def columns_of(page: str) -> list[str]:
    return page.splitlines()[0].split()


def test_a_pipe_gets_every_column_and_the_whole_name() -> None:
    head, row = jobs_page([record(archive_name=LONG_NAME)], NOW).splitlines()

    assert head.split() == ["JOB", "STATUS", "DONE", "FILES", "SIZE", "CREATED", "NAME"]
    assert row == f"{JOB_ID}  processing  37%   12/1000  1.2 MB  23 Nov, 09:00  {LONG_NAME}"


def test_nobody_named_a_job_and_there_is_no_column_for_it() -> None:
    assert columns_of(jobs_page([record()], NOW))[-1] == "CREATED"


@pytest.mark.parametrize("width_chars", [51, 60, 72, 80, 100, 200])
@pytest.mark.parametrize(
    "names",
    [["short"], [LONG_NAME], ["休暇の写真" * 20, None], ["e\u0301" * 150, LONG_NAME]],
    ids=["short", "long", "East Asian", "with accents"],
)
def test_no_line_is_wider_than_the_terminal(width_chars: int, names: list[str | None]) -> None:
    jobs = [record(archive_name=name, status="failed", error={"message": REASON}) for name in names]

    page = jobs_page(jobs, NOW, width_chars=width_chars, tells_why=True)

    assert max(map(width_of, page.splitlines())) <= width_chars


def test_on_80_columns_a_long_name_is_cut_and_id_status_and_progress_are_whole() -> None:
    head, row = jobs_page([record(archive_name=LONG_NAME)], NOW, width_chars=80).splitlines()

    assert head.split() == ["JOB", "STATUS", "DONE", "NAME"]
    assert row == f"{JOB_ID}  processing  37%   holiday in the mountain…"
    assert width_of(row) <= 80


def test_an_id_is_whole_on_however_narrow_a_terminal() -> None:
    assert JOB_ID in jobs_page([record(archive_name=LONG_NAME)], NOW, width_chars=20)


def test_a_short_name_leaves_room_for_when_it_was_created() -> None:
    page = jobs_page([record(archive_name="cargo")], NOW, width_chars=80)

    assert columns_of(page) == ["JOB", "STATUS", "DONE", "CREATED", "NAME"]


def test_a_name_cannot_move_the_cursor_or_begin_a_line() -> None:
    page = jobs_page([record(archive_name="a\n\x1b[2Jb\u202ec", error={"message": "x\ny"})], NOW, tells_why=True)

    assert page.splitlines()[1].endswith("  a��[2Jb�c")
    assert page.splitlines()[2:] == ["  x�y"]


def test_a_reason_is_one_line_in_a_pipe_and_wrapped_on_a_terminal() -> None:
    failed = record(status="failed", error={"code": "SOURCE_ARCHIVED", "message": REASON})

    piped = jobs_page([failed], NOW, tells_why=True).splitlines()
    shown = jobs_page([failed], NOW, width_chars=80, tells_why=True).splitlines()

    assert piped[2:] == [f"  {REASON}"]
    assert len(shown[2:]) == 2
    assert " ".join(line.strip() for line in shown[2:]) == REASON


def test_a_list_has_one_line_for_a_job_whatever_became_of_it() -> None:
    failed = record(status="failed", error={"message": REASON})

    assert len(jobs_page([failed, record()], NOW).splitlines()) == 3


@pytest.mark.parametrize(("cells", "cut_to"), [(6, "休暇の"), (5, "休暇…"), (4, "休…"), (1, "…")])
def test_what_is_cut_takes_no_more_cells_than_it_may(cells: int, cut_to: str) -> None:
    assert cut("休暇の", cells) == cut_to
