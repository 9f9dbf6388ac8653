"""The messages of a job's stream: one format on every transport. Encoded once, by whoever writes the event.

The job's own log holds queued, started, progress, retrying, completed, error and cancelled. snapshot, busy and
heartbeat are made by the gateway for one viewer and have no place in the log. Job id and epoch are known from the path
and the event id and are not repeated (they were 40 % of the log's memory). Readers ignore fields and types they do not
know.
"""

from datetime import UTC, datetime

import msgspec

from shared.jobs import BundleSummary, JobError, RenamedFile, SkippedFile


def timestamp(at_ms: int) -> str:
    """Write a time (milliseconds since 1970) as RFC 3339 in UTC with milliseconds: `2026-11-23T10:00:00.123Z`."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"


class Queued(msgspec.Struct, frozen=True, tag="queued", tag_field="type", omit_defaults=True):
    """The job was created, handed back (its processor stops, or its store cannot be used), or redriven after `error`.

    A created one is told its place and how long it will take, when that is known.
    """

    at: str
    message: str | None = None
    queue_position: int | None = None
    estimated_duration: str | None = None


class Started(msgspec.Struct, frozen=True, tag="started", tag_field="type"):
    """A run begins; `attempt` counts the runs of this job from 1."""

    attempt: int
    at: str


class Progress(msgspec.Struct, frozen=True, tag="progress", tag_field="type", omit_defaults=True):
    """How far the run is: at most one a second, when something changed. `progress` is a ratio and never goes back."""

    progress: float
    files_processed: int
    total_files: int
    bytes_processed: int
    total_bytes: int | None
    message: str
    at: str
    phase: str | None = None
    remaining_seconds: int | None = None


class Retrying(msgspec.Struct, frozen=True, tag="retrying", tag_field="type"):
    """A run failed and another one follows after `retry_in_seconds`."""

    attempt: int
    max_attempts: int
    error: JobError
    retry_in_seconds: float
    at: str


class Completed(msgspec.Struct, frozen=True, tag="completed", tag_field="type", omit_defaults=True):
    """The archive is ready; terminal. `download_url` is the path of the stable link."""

    download_url: str
    files: int
    archive_bytes: int
    archive_crc32: str
    expires_at: str
    at: str
    renamed_files: int = 0
    renamed: tuple[RenamedFile, ...] = ()
    skipped_files: int = 0
    skipped: tuple[SkippedFile, ...] = ()


class Failed(msgspec.Struct, frozen=True, tag="error", tag_field="type"):
    """The job failed for good; terminal. `can_retry`: starting it anew may help."""

    error: JobError
    can_retry: bool
    at: str


class Cancelled(msgspec.Struct, frozen=True, tag="cancelled", tag_field="type"):
    """The job was given up before its end; terminal."""

    reason: str
    at: str


class Gap(msgspec.Struct, frozen=True):
    """Events between the cursor `from` and the id `to` cannot be given; `missed` counts them, None when unknown."""

    from_: str | None = msgspec.field(name="from")
    to: str
    missed: int | None


class Busy(msgspec.Struct, frozen=True, tag="busy", tag_field="type"):
    """The stream ends here, the job does not; come back after the frame's `retry:`."""

    reason: str
    at: str


class Heartbeat(msgspec.Struct, frozen=True, tag="heartbeat", tag_field="type"):
    """Nothing happened, and the connection is alive: every 15 s ± 20 %, as `event: heartbeat`."""

    at: str


Event = Queued | Started | Progress | Retrying | Completed | Failed | Cancelled | Busy | Heartbeat

_TERMINAL_PREFIXES = tuple(f'{{"type":"{name}"'.encode() for name in ("completed", "error", "cancelled"))

_encoder = msgspec.json.Encoder()


def encode(event: Event) -> bytes:
    """Encode a message as one line of JSON."""
    return _encoder.encode(event)


def is_terminal_message(message: bytes) -> bool:
    """Tell whether an encoded message ends its job; the type stands first in every message of the log."""
    return message.startswith(_TERMINAL_PREFIXES)


def encode_started(at_ms: int) -> bytes:
    """Encode a started message whose attempt is still open: `%d`, filled in by the claim script, which counts it."""
    return b'{"type":"started","attempt":%%d,"at":"%b"}' % timestamp(at_ms).encode()


def completed(download_url: str, bundle: BundleSummary, expires_at_ms: int, at_ms: int) -> Completed:
    """Build the terminal message of a finished archive."""
    return Completed(
        download_url=download_url,
        files=bundle.files,
        archive_bytes=bundle.archive_bytes,
        archive_crc32=bundle.archive_crc32,
        expires_at=timestamp(expires_at_ms),
        at=timestamp(at_ms),
        renamed_files=bundle.renamed_files,
        renamed=bundle.renamed,
        skipped_files=bundle.skipped_files,
        skipped=bundle.skipped,
    )
