"""A job as the server shows it, and the messages about it. Pure values; what this version does not know is kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple, Self

TERMINAL = ("completed", "failed", "cancelled")
TERMINAL_TYPES = ("completed", "error", "cancelled")


class Message(NamedTuple):
    """One message of a job's stream. `id` is the place in its log; None for what was made for one viewer alone."""

    id: str | None
    type: str
    body: Mapping[str, Any]

    @property
    def is_terminal(self) -> bool:
        """Tell whether it ends its job."""
        return self.type in TERMINAL_TYPES


@dataclass(frozen=True, kw_only=True)
class Record:
    """A job at one moment. `progress` is a ratio, 0 to 1; times are RFC 3339 in UTC; None: not known, or never.

    `body` is all that the server said.
    """

    job_id: str
    status: str
    progress: float = 0.0
    files_processed: int = 0
    total_files: int = 0
    bytes_processed: int = 0
    total_bytes: int | None = None
    attempt: int = 0
    archive_name: str | None = None
    queue_position: int | None = None
    starts_in_seconds: float | None = None
    remaining_seconds: float | None = None
    archive_bytes: int | None = None
    archive_crc32: str | None = None
    skipped_files: int | None = None
    error: Mapping[str, Any] | None = None
    can_retry: bool | None = None
    retry_at: str | None = None
    created_at: str | None = None
    started_at: str | None = None
    expires_at: str | None = None
    body: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Self:
        """Read what the server shows."""
        known = {one.name for one in fields(cls)} - {"body"}
        return cls(body=body, **{name: shown for name, shown in body.items() if name in known})

    @property
    def is_terminal(self) -> bool:
        """Tell whether the job has ended."""
        return self.status in TERMINAL
