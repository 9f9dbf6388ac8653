"""A dead letter as operators and admins are shown it, on the command line and in a callback. Pure."""

import msgspec

from shared.events import timestamp
from shared.jobs import JobError
from shared.jobstore.letter import DeadLetter


class LetterView(msgspec.Struct, frozen=True, kw_only=True):
    """A letter in JSON; `failed_at` is RFC 3339, `events` are the job's last messages as its viewers got them."""

    dead_id: str
    job_id: str
    owner: str
    failed_at: str
    reason: str
    error: JobError
    attempts: int
    failures: int
    crashes: int
    processor: str
    events: tuple[msgspec.Raw, ...]


def view(letter: DeadLetter) -> LetterView:
    """Show a letter."""
    return LetterView(
        dead_id=letter.dead_id,
        job_id=letter.job_id,
        owner=letter.owner,
        failed_at=timestamp(letter.at_ms),
        reason=letter.reason,
        error=letter.error,
        attempts=letter.attempts,
        failures=letter.failures,
        crashes=letter.crashes,
        processor=letter.processor,
        events=letter.events,
    )
