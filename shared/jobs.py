"""The job: its id, its states, its record, and what a caller asks for. Pure values, no I/O."""

import uuid
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from shared import limits
from shared.objects.info import Upload

# ── the id ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def make_job_id(partition: int, random_bits: int) -> str:
    """Build a job id that carries its partition, so that every process finds the job from its id.

    A UUIDv8 (RFC 9562 §5.8): the 12 bits of custom_b hold the partition (0 to 4095), custom_a and custom_c are random.
    `random_bits` must have at least 110 random bits.
    """
    custom_a = random_bits & (2**48 - 1)
    custom_c = (random_bits >> 48) & (2**62 - 1)
    value = custom_a << 80 | 8 << 76 | partition << 64 | 0b10 << 62 | custom_c
    return str(uuid.UUID(int=value))


JOB_ID_PATTERN = "^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
"""What partition_of() takes, as a regular expression for others (ECMA-262): a UUIDv8 in its canonical form."""


def partition_of(job_id: str) -> int | None:
    """Read the partition from a job id; None when the text is not a job id in its canonical form."""
    if len(job_id) != 36:
        return None
    try:
        parsed = uuid.UUID(job_id)
    except ValueError:
        return None
    if str(parsed) != job_id or parsed.version != 8:
        return None
    return (parsed.int >> 64) & 0xFFF


# ── states ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class JobState(StrEnum):
    """Where a job stands.

    queued ──claim──▶ processing ──finish──▶ completed | failed
      ▲                │   │  ▲
      └────release─────┘   │  └──claim────┐
                           └─retry_later─▶ retrying
    failed ──redrive──▶ queued
    """

    QUEUED = "queued"
    PROCESSING = "processing"
    RETRYING = "retrying"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Tell whether nothing more happens to a job in this state by itself: a failed one may be redriven."""
        return self in (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED)


CANCELLED_BY_CALLER = "The job was cancelled by its caller."


# ── what a caller asks for ────────────────────────────────────────────────────────────────────────────────────────────

FileId = Annotated[int, Meta(ge=1, le=limits.MAX_FILE_ID)]


class OnMissing(StrEnum):
    """What becomes of a job when some of its files do not exist: it fails, or they are left out and reported.

    A job of which every file is missing fails in either case.
    """

    FAIL = "fail"
    SKIP = "skip"


class JobRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a create call.

    `file_ids`: 1 to 1,000 different ids of the catalogue, in the order in which they stand in the archive.
    `archive_name`: the name the archive is saved under; `.zip` is added when it is missing.
    `on_missing`: whether a missing file fails the job, or is left out and reported.
    `ticket`: whether the URLs of the answer are to work without a header for a while; nothing of the job itself.
    `callback_url`: who is told how the job ended.
    """

    file_ids: Annotated[tuple[FileId, ...], Meta(min_length=1, max_length=limits.MAX_FILES_PER_JOB)]
    archive_name: Annotated[str, Meta(min_length=1, max_length=limits.MAX_ARCHIVE_NAME_CHARS)] | None = None
    on_missing: OnMissing = OnMissing.FAIL
    ticket: bool = False
    callback_url: Annotated[str, Meta(min_length=1, max_length=limits.MAX_CALLBACK_URL_CHARS)] | None = None


class JobOptions(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the caller chose besides the files; kept in the record as JSON."""

    archive_name: str | None = None
    on_missing: OnMissing = OnMissing.FAIL


# ── the record ────────────────────────────────────────────────────────────────────────────────────────────────────────


class JobError(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a run or a job failed: a stable code, a sentence, and the files that caused it where they are known."""

    code: str
    message: str
    file_ids: tuple[int, ...] = ()


class RenamedFile(msgspec.Struct, frozen=True):
    """A file whose name in the archive differs from its own: made safe, or made unique."""

    file_id: int
    name: str


class SkipReason(StrEnum):
    """Why a file is not in the archive: the catalogue does not know its id, or its source does not exist."""

    UNKNOWN = "unknown"
    MISSING = "missing"


class SkippedFile(msgspec.Struct, frozen=True):
    """A file that was asked for and is not in the archive; its name is null where the catalogue does not know it."""

    file_id: int
    name: str | None
    reason: SkipReason


class BundleSummary(msgspec.Struct, frozen=True, omit_defaults=True):
    """The finished archive: its size, its CRC-32 (8 hexadecimal digits) and how many of the files it holds.

    `renamed` lists at most the first 20 of the `renamed_files` files whose names were changed, `skipped` those of the
    `skipped_files` files that were left out; the archive has the whole list of these.
    """

    files: int
    archive_bytes: int
    archive_crc32: str
    renamed_files: int = 0
    renamed: tuple[RenamedFile, ...] = ()
    skipped_files: int = 0
    skipped: tuple[SkippedFile, ...] = ()


class ProgressSnapshot(msgspec.Struct, frozen=True):
    """The numbers of the last progress event; `progress` is a ratio, 0 to 1."""

    progress: float = 0.0
    files_processed: int = 0
    bytes_processed: int = 0
    total_bytes: int | None = None
    message: str | None = None
    remaining_seconds: int | None = None


class Standing(msgspec.Struct, frozen=True, array_like=True):
    """A job's place in the line of its partition, and what was thought of it when it was created.

    `ticket` counts the jobs that have joined the line up to it, its own included, `line_kb` what their files have
    together. `size_bytes` is what the catalogue said of its own files, `promised_ms` how long it was said to take.
    """

    ticket: Annotated[int, Meta(ge=0)]
    line_kb: Annotated[int, Meta(ge=0)]
    size_bytes: Annotated[int, Meta(ge=0)] | None = None
    promised_ms: Annotated[int, Meta(ge=0)] | None = None


class Checkpoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the next run of a job may go on from: at most MAX_CHECKPOINT_BYTES as JSON.

    `note` is its handler's own; of a bundle it is the hash of the plan. `upload` is one that is under way in the store
    of archives: the next run may go on with it, and whoever ends the job for good sees that it is aborted.
    """

    note: str = ""
    upload: Upload | None = None


class JobRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A job as Redis keeps it. Times are milliseconds since 1970 on Redis' clock; None means not yet, or never.

    `epoch` and `seq` make the id of the job's last event. `attempt` counts started runs (what people see), `failures`
    runs that ended in an error, `crashes` leases that ran out. `due_at_ms` is the end of the lease while processing
    and the earliest next start while retrying. `run_at_ms` is when the last run began, `redriven_at_ms`
    when the job was last begun anew after it had failed, `standing` what estimates are made from. `is_permanent`: it
    failed by an error that another run would meet as well.
    """

    job_id: str
    owner: str
    state: JobState
    file_ids: tuple[int, ...]
    options: JobOptions = JobOptions()
    progress: ProgressSnapshot = ProgressSnapshot()
    epoch: int
    token: str | None = None
    seq: int
    entry: str
    attempt: int = 0
    failures: int = 0
    crashes: int = 0
    due_at_ms: int = 0
    processor: str | None = None
    error: JobError | None = None
    is_permanent: bool = False
    object_key: str | None = None
    bundle: BundleSummary | None = None
    traceparent: str | None = None
    callback_url: str | None = None
    checkpoint: Checkpoint | None = None
    created_at_ms: int
    updated_at_ms: int
    started_at_ms: int | None = None
    finished_at_ms: int | None = None
    expires_at_ms: int | None = None
    deleted_at_ms: int | None = None
    run_at_ms: int | None = None
    redriven_at_ms: int | None = None
    standing: Standing | None = None
    dead_id: str | None = None

    @property
    def accepted_at_ms(self) -> int:
        """When the job was created, or last begun anew: its deadline counts from there."""
        return self.redriven_at_ms or self.created_at_ms
