"""How far a bundle is: counts bytes, and tells the run's context in the words that people read.

Several parts are copied side by side, and files that lie in one behind another end together. So files are not counted
by themselves: as many are done as the copied bytes fill in the archive's order, and the next one is named. So all that
is told is of one moment, and none of it goes back while one transfer lasts.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate

from processor.bundle.plan import PlannedFile
from processor.progress import Phase, Report

CHECKING_SHARE = 10  # one part in ten


class Tally:
    """The count of one run. Checking is a tenth of the work, copying the rest: people compare progress with bytes."""

    def __init__(self, total_files: int, report: Callable[[Report], None]) -> None:
        self._total_files = total_files
        self._report = report
        self._total_bytes: int | None = None
        self._checked_files = 0
        self._checked_bytes = 0
        self._copied_bytes = 0
        self._skipped_files = 0
        self._files: Sequence[PlannedFile] = ()
        self._ends_bytes: list[int] = []
        self._phase = Phase.PLANNING
        self._message = f"Looking up {_files(total_files)}"
        self._tell()

    def looked_up(self, total_bytes: int, *, skipped_files: int = 0) -> None:
        """The files that are there have this many bytes together; the skipped ones count as done."""
        self._total_bytes = total_bytes
        self._skipped_files = self._checked_files = skipped_files
        self._tell_checking()

    def read(self, count_bytes: int) -> None:
        """These many more bytes were read to check a file."""
        self._checked_bytes += count_bytes
        self._tell_checking()

    def checked(self, count_files: int) -> None:
        """These many more files were read to their ends."""
        self._checked_files += count_files
        self._tell_checking()

    def planned(self, files: Sequence[PlannedFile]) -> None:
        """The plan stands with these files, and copying begins; anew, where an upload could not be gone on with."""
        self._phase, self._message = Phase.BUNDLING, "Bundling"
        self._copied_bytes = 0
        self._files = files
        self._ends_bytes = list(accumulate(file.source.size_bytes for file in files))
        self._tell_copying()

    def copied(self, count_bytes: int) -> None:
        """These many more bytes were copied, of whichever files."""
        self._copied_bytes += count_bytes
        self._tell_copying()

    def all_copied(self) -> None:
        """The archive is there already, from an earlier run."""
        self.copied((self._ends_bytes[-1] if self._ends_bytes else 0) - self._copied_bytes)
        self.finishing()

    def finishing(self) -> None:
        """All bytes are written and checked; what is left is to make the archive visible."""
        self._phase, self._message = Phase.FINISHING, "Finishing the archive"
        self._tell()

    def _tell_checking(self) -> None:
        current = min(self._checked_files + 1, self._total_files)
        self._message = f"Checking {current:,} of {_files(self._total_files)}"
        self._tell()

    def _tell_copying(self) -> None:
        filled = self._filled_files()
        if filled < len(self._files):
            self._message = f"Bundling {self._files[filled].name}"
        self._tell()

    def _filled_files(self) -> int:
        return bisect_right(self._ends_bytes, self._copied_bytes)

    def _processed_files(self) -> int:
        return self._skipped_files + self._filled_files() if self._files else 0

    def _tell(self) -> None:
        self._report(
            Report(
                phase=self._phase,
                work_ratio=self._work_ratio(),
                files_processed=self._processed_files(),
                total_files=self._total_files,
                bytes_processed=self._copied_bytes,
                total_bytes=self._total_bytes,
                message=self._message,
            )
        )

    def _work_ratio(self) -> float:
        if self._total_bytes:
            checked, copied, total = self._checked_bytes, self._copied_bytes, self._total_bytes
        else:
            checked, copied, total = self._checked_files, self._processed_files(), self._total_files or 1
        return (checked + (CHECKING_SHARE - 1) * copied) / (CHECKING_SHARE * total)


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"
