"""How far a bundle is: counts files and bytes, and tells the run's context in the words that people read."""

from collections.abc import Callable, Sequence

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
        self._left_bytes: dict[int, int] = {}
        self._copied_files = 0
        self._skipped_files = 0
        self._names: dict[int, str] = {}
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
        self._left_bytes = {file.index: file.source.size_bytes for file in files if file.source.size_bytes}
        self._names = {file.index: file.name for file in files}
        self._copied_files = self._skipped_files + len(files) - len(self._left_bytes)
        self._tell_copying()

    def copied(self, bytes_by_file: Sequence[tuple[int, int]]) -> None:
        """Of the files with these indices, these many more bytes were copied."""
        for index, count_bytes in bytes_by_file:
            self._copied_bytes += count_bytes
            self._left_bytes[index] -= count_bytes
            if not self._left_bytes[index]:
                del self._left_bytes[index]
                self._copied_files += 1
        self._tell_copying()

    def all_copied(self) -> None:
        """The archive is there already, from an earlier run."""
        self.copied(list(self._left_bytes.items()))
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
        """Name the first file that is not done; several may be in hand, and people shall not see them alternate."""
        first = next(iter(self._left_bytes), None)
        if first is not None:
            self._message = f"Bundling {self._names[first]}"
        self._tell()

    def _tell(self) -> None:
        self._report(
            Report(
                phase=self._phase,
                work_ratio=self._work_ratio(),
                files_processed=self._copied_files,
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
            checked, copied, total = self._checked_files, self._copied_files, self._total_files or 1
        return (checked + (CHECKING_SHARE - 1) * copied) / (CHECKING_SHARE * total)


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"
