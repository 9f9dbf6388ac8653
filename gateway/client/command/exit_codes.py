"""What the command's exit code tells a script. Pure; docs/command.md has the same table, and each code has a test."""

from collections.abc import Iterable

from gateway.client.errors import ArchiveCorrupt, JobUnsuccessful, LocalFileTrouble, WaitedTooLong
from shared.caller_errors import FilesForbidden, OwnerRefused, ScopeMissing, Unauthenticated
from shared.errors import JobFailed, JobGone, JobNotFound, JobNotReady, RequestError, UnknownFiles, WaybillError
from shared.limit_errors import LimitReached

DONE = 0
JOB_FAILED = 1
USAGE = 2
CANCELLED = 3
NOT_AUTHORISED = 4
NOT_FOUND = 5
UNAVAILABLE = 6
LOCAL_FILE = 7
CORRUPT = 8
SKIPPED = 9
TIMED_OUT = 124  # as timeout(1) says it
INTERRUPTED = 130  # as shells say it: 128 + SIGINT
READER_LEFT = 141  # 128 + SIGPIPE: `… | head` has seen enough
TERMINATED = 143  # 128 + SIGTERM

TABLE = {
    DONE: "done",
    JOB_FAILED: "the job failed",
    USAGE: "wrong usage, or the server refuses such a request",
    CANCELLED: "the job was cancelled",
    NOT_AUTHORISED: "not authorised",
    NOT_FOUND: "the job, or a file, is not there, gone or expired",
    UNAVAILABLE: "no server, none that can answer, or a limit of yours is reached: run it again to go on",
    LOCAL_FILE: "a file here: the disk is full, it exists, it may not be written",
    CORRUPT: "what came is not what was made; it is kept as .bad",
    SKIPPED: "done, but files were left out (only with --strict)",
    TIMED_OUT: "--timeout ran out; the job goes on",
    INTERRUPTED: "interrupted; the job goes on",
    TERMINATED: "ended by a signal; the job goes on",
}
_WORST_FIRST = (CORRUPT, LOCAL_FILE, UNAVAILABLE, NOT_FOUND, NOT_AUTHORISED, JOB_FAILED, CANCELLED)
_KINDS: tuple[tuple[type[WaybillError] | tuple[type[WaybillError], ...], int], ...] = (
    ((JobFailed, JobNotReady), JOB_FAILED),
    ((Unauthenticated, OwnerRefused, ScopeMissing, FilesForbidden), NOT_AUTHORISED),
    ((JobNotFound, JobGone, UnknownFiles), NOT_FOUND),
    (LocalFileTrouble, LOCAL_FILE),
    (ArchiveCorrupt, CORRUPT),
    (WaitedTooLong, TIMED_OUT),
    (LimitReached, UNAVAILABLE),
    (RequestError, USAGE),
)


def exit_code_of(error: WaybillError) -> int:
    """Give the exit code of an error that ends the command."""
    if isinstance(error, JobUnsuccessful):
        return CANCELLED if error.state == "cancelled" else JOB_FAILED
    return next((code for kinds, code in _KINDS if isinstance(error, kinds)), UNAVAILABLE)


def worst(codes: Iterable[int]) -> int:
    """Give the one code of several jobs; DONE when all are."""
    found = set(codes)
    return next((code for code in _WORST_FIRST if code in found), max(found, default=DONE))
