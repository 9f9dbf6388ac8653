"""What people are told of a job, and of the connection: one sentence for each fact. Pure.

Facts come first, then what happens next; no codes, no blame. The sentences are made from states, phases and codes, not
from the server's messages, so that they can be translated; a reason alone is the server's own.
`tests/vectors/display.json` has each of them, for the page's TypeScript too.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from gateway.client.display import about, amount, counted, seconds_left
from shared import limits

MISSING_CODE = "SOURCE_MISSING"
CALLER_REASON = "The job was cancelled by its caller."  # shared.jobs says it, and is not needed for anything else


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of one job at this moment; None, 0 and "" are what is not.

    `state` is the server's, or `submitting`, `gone` (410), `lost` (404 after a POST was repeated). `remaining_seconds`
    is calmed already, `elapsed_seconds` counts from the run's start, `quiet_seconds` from the last progress.
    `is_resumed`: a run goes on where one was lost that had not failed. `available_until` and `removed_on` are words.
    """

    state: str
    queue_position: int | None = None
    starts_in_seconds: float | None = None
    has_workers: bool = True
    phase: str = ""
    files_processed: int = 0
    total_files: int = 0
    bytes_processed: int = 0
    total_bytes: int | None = None
    remaining_seconds: float | None = None
    elapsed_seconds: float = math.inf
    quiet_seconds: float = 0.0
    is_resumed: bool = False
    is_cancelling: bool = False
    attempt: int = 0
    max_attempts: int | None = None
    retry_in_seconds: float | None = None
    reason: str = ""
    error_code: str = ""
    file_ids: tuple[int, ...] = ()
    can_retry: bool = False
    name: str = ""
    archive_bytes: int | None = None
    skipped_files: int = 0
    available_until: str = ""
    removed_on: str = ""


def sentence(facts: Facts) -> str:
    """Say where a job stands."""
    if facts.is_cancelling and facts.state in ("submitting", "queued", "processing", "retrying"):
        return "Cancelling…"
    return _SENTENCES[facts.state](facts)


def _queued(facts: Facts) -> str:
    if not facts.has_workers:
        return "No worker is running right now. Your place is kept."
    if facts.queue_position is None:
        return "Waiting for a free worker."
    place = f"{facts.queue_position:,} ahead of you" if facts.queue_position else "you are next"
    if facts.starts_in_seconds is not None:
        return f"Waiting: {place}, starts in {about(facts.starts_in_seconds)}."
    if facts.remaining_seconds is not None:
        return f"Waiting: {place}, ready in {about(facts.remaining_seconds)}."
    return f"Waiting: {place}."


def _processing(facts: Facts) -> str:
    if facts.quiet_seconds > limits.SHOWN_QUIET_SECONDS:
        return f"No progress for {_so_far(facts.quiet_seconds)}; still trying."
    if facts.phase == "finishing":
        return "Finishing the archive…"
    if facts.is_resumed:
        return "A worker stopped; another one goes on where it was."
    if facts.total_bytes is None or facts.phase == "planning":
        return f"Looking up {counted(facts.total_files, 'file')}…" if facts.total_files else "Looking up the files…"
    files = f"{facts.files_processed:,} of {counted(facts.total_files, 'file')}"
    size = f"{amount(facts.bytes_processed)} of {amount(facts.total_bytes)}"
    left = seconds_left(facts.remaining_seconds, elapsed_seconds=facts.elapsed_seconds)
    return f"Bundling: {', '.join(filter(None, (files, size, left)))}."


def _so_far(seconds: float) -> str:
    # Down to the last full step: it must never claim more silence than there was.
    if seconds < 60:
        return f"{math.floor(seconds / 5) * 5} seconds"
    return counted(math.floor(seconds / 60), "minute")


def _retrying(facts: Facts) -> str:
    which = f"Attempt {facts.attempt} of {facts.max_attempts}" if facts.max_attempts else f"Attempt {facts.attempt}"
    return f"{which} did not work{_because(facts.reason)} Trying again {_soon(facts.retry_in_seconds)}."


def _soon(seconds: float | None) -> str:
    if seconds is None or seconds <= 0:
        return "shortly"
    return f"in {counted(math.ceil(seconds), 'second')}" if seconds < 60 else f"in {about(seconds)}"


def _because(reason: str) -> str:
    return f": {reason.rstrip('.')}." if reason else "."


def _completed(facts: Facts) -> str:
    if facts.skipped_files:
        verb = "was" if facts.skipped_files == 1 else "were"
        of = f"{facts.skipped_files:,} of {counted(facts.total_files, 'file')}"
        return f"Ready, but {of} {verb} missing and left out."
    size = amount(facts.archive_bytes) if facts.archive_bytes is not None else ""
    what = ", ".join(filter(None, (facts.name, size)))
    until = f" Available until {facts.available_until}." if facts.available_until else ""
    return f"Ready{f': {what}' if what else ''}.{until}"


def _failed(facts: Facts) -> str:
    if facts.error_code == MISSING_CODE and facts.file_ids:
        return _missing(facts.file_ids)
    if facts.can_retry or not facts.reason:
        return f"Could not be made{_because(facts.reason)}"
    return f"{facts.reason.rstrip('.')}."


def _missing(file_ids: tuple[int, ...]) -> str:
    if len(file_ids) == 1:
        return f"File {file_ids[0]} does not exist any more."
    named = [str(file_id) for file_id in file_ids[: limits.SHOWN_FILE_IDS]]
    more = len(file_ids) - len(named)
    listed = f"{', '.join(named)} and {more:,} more" if more else " and ".join(named)
    return f"Files {listed} do not exist any more."


def _cancelled(facts: Facts) -> str:
    if facts.reason in ("", CALLER_REASON):
        return "You cancelled this download."
    return f"Cancelled: {facts.reason.rstrip('.')}."


def _gone(facts: Facts) -> str:
    when = f" on {facts.removed_on}" if facts.removed_on else ""
    return f"The archive was removed{when}. It can be made again."


_SENTENCES: dict[str, Callable[[Facts], str]] = {
    "submitting": lambda _: "Sending your request…",
    "queued": _queued,
    "processing": _processing,
    "retrying": _retrying,
    "completed": _completed,
    "failed": _failed,
    "cancelled": _cancelled,
    "gone": _gone,
    "lost": lambda _: "The server no longer knows this download.",
}

# ── the connection ────────────────────────────────────────────────────────────────────────────────────────────────────

_BUSY = {
    "drain": "The service is restarting. Reconnecting by itself.",
    "gateway": "The service is restarting. Reconnecting by itself.",
    "overload": "The service is full. Reconnecting by itself.",
    "limit": "The service is full. Reconnecting by itself.",
    "redis": "The service cannot reach its database. Reconnecting by itself.",
}


def connection_sentence(
    mode: str, *, lost_seconds: float = 0.0, retry_in_seconds: float | None = None, reason: str = ""
) -> str | None:
    """Say what is wrong with the connection; None while nothing is, or for a blink only.

    `mode` is `live`, `connecting`, `waiting`, `polling`, `offline` or `unauthorized`; `reason` is that of a `busy`.
    """
    if mode == "unauthorized":
        return "Your session has ended. Downloads go on; sign in to see them."
    if mode == "polling":
        return f"Live updates are blocked on this network; checking every {limits.POLL_AFTER_SECONDS} seconds."
    if mode == "live" or lost_seconds < limits.SHOWN_LOST_SECONDS:
        return None
    if mode == "offline":
        return "You seem to be offline. Your downloads go on without you."
    return _BUSY.get(reason) or f"Connection lost. Your downloads go on; trying again {_soon(retry_in_seconds)}."
