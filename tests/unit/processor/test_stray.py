"""Which archives no job can want any more, and how many of them are believed."""

import pytest

from processor.maintenance.stray import are_too_many, is_old, is_stray
from shared import limits
from shared.jobs import JobState

NOW_MS = 1_800_000_000_000
DAY_MS = 86_400_000


@pytest.mark.parametrize("keep_days", [1, 30])
def test_an_archive_is_old_after_the_longest_run_its_life_and_what_clocks_may_differ(keep_days: int) -> None:
    oldest_ms = NOW_MS - limits.ORPHAN_AGE_MS - keep_days * DAY_MS - limits.CLOCKS_DIFFER_MS

    assert not is_old(oldest_ms, at_ms=NOW_MS, keep_seconds=keep_days * 86_400)
    assert is_old(oldest_ms - 1, at_ms=NOW_MS, keep_seconds=keep_days * 86_400)


def test_what_the_store_dates_in_the_future_is_not_old() -> None:
    assert not is_old(NOW_MS + DAY_MS, at_ms=NOW_MS, keep_seconds=60)


@pytest.mark.parametrize("state", [JobState.COMPLETED, JobState.CANCELLED])
def test_an_ended_job_wants_what_its_record_names_and_nothing_else(state: JobState) -> None:
    assert not is_stray("a", state=state, object_key="a")
    assert is_stray("a", state=state, object_key="b")
    assert is_stray("a", state=state, object_key=None)


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.PROCESSING, JobState.RETRYING, JobState.FAILED, "odd"])
def test_a_job_that_may_still_make_its_archive_keeps_what_there_is(state: str) -> None:
    assert not is_stray("a", state=state, object_key=None)
    assert not is_stray("a", state=state, object_key="b")


def test_nobody_wants_what_is_left_of_a_job_without_a_record() -> None:
    assert is_stray("a", state=None, object_key=None)


@pytest.mark.parametrize(
    ("strays", "seen", "is_too_many"),
    [(0, 0, False), (1, 1, False), (100, 100, False), (101, 505, False), (101, 504, True), (5_000, 1_000_000, False)],
)
def test_a_large_share_is_not_believed_but_for_a_few(strays: int, seen: int, is_too_many: bool) -> None:
    assert are_too_many(strays, seen=seen) is is_too_many
