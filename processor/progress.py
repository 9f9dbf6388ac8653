"""What a run says about how far it is, and when that is worth an event. Pure: time is passed in."""

import math
from enum import StrEnum

import msgspec

from processor.remaining import RemainingTime
from shared import limits
from shared.events import Progress, timestamp
from shared.jobs import ProgressSnapshot


class Phase(StrEnum):
    """What a run is doing."""

    PLANNING = "planning"
    BUNDLING = "bundling"
    FINISHING = "finishing"


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """How far a run is, as its handler sees it.

    `work_ratio` is the share of all work that is done, 0 to 1, reading included; `bytes_processed` of `total_bytes`
    are in the archive (None: not known yet). `message` says in a few words what is being done.
    """

    phase: Phase
    work_ratio: float
    files_processed: int
    total_files: int
    bytes_processed: int
    total_bytes: int | None
    message: str


class ProgressPace:
    """Decides which reports of one run become progress events: a change, at most one a second, never going back.

    `floor_ratio` is the progress that viewers have seen in earlier runs of the job. Nothing reaches 1 before the
    terminal event: finishing has its own share.
    """

    def __init__(self, *, floor_ratio: float = 0.0, every_ms: int = limits.PROGRESS_EVERY_MS) -> None:
        self._floor_ratio = floor_ratio
        self._every_ms = every_ms
        self._remaining = RemainingTime()
        self._sent: Report | None = None
        self._sent_at_ms: int | None = None

    def due_in_ms(self, report: Report, now_ms: int) -> int | None:
        """Give how long to wait until this report may be sent: 0 is now, None is never (nothing changed)."""
        if report == self._sent:
            return None
        if self._sent_at_ms is None:
            return 0
        return max(0, self._sent_at_ms + self._every_ms - now_ms)

    def event(self, report: Report, *, now_ms: int, at_ms: int) -> Progress:
        """Make the event of a report that is being sent; `now_ms` is the clock of due_in_ms, `at_ms` the wall clock."""
        self._floor_ratio = max(self._floor_ratio, min(report.work_ratio, 0.99))
        is_new_phase = self._sent is None or self._sent.phase is not report.phase
        self._sent, self._sent_at_ms = report, now_ms
        return Progress(
            progress=round(self._floor_ratio, 4),
            files_processed=report.files_processed,
            total_files=report.total_files,
            bytes_processed=report.bytes_processed,
            total_bytes=report.total_bytes,
            message=report.message,
            at=timestamp(at_ms),
            phase=report.phase.value if is_new_phase else None,
            remaining_seconds=self._remaining_seconds(report, now_ms),
        )

    def _remaining_seconds(self, report: Report, now_ms: int) -> int | None:
        """Tell how long copying goes on. Before it begins nothing is known, and of its end only that it is near."""
        if report.phase is not Phase.BUNDLING:
            return None
        self._remaining.sample(report.bytes_processed, now_ms)
        seconds = self._remaining.seconds(report.total_bytes)
        return None if seconds is None else max(1, math.ceil(seconds))


def final_progress(report: Report | None) -> ProgressSnapshot | None:
    """Give the numbers that a completed job's record keeps: the last report's, whether it became an event or not."""
    if report is None:
        return None
    return ProgressSnapshot(
        progress=1.0,
        files_processed=report.files_processed,
        bytes_processed=report.bytes_processed,
        total_bytes=report.total_bytes,
    )
