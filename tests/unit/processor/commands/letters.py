"""A dead letter as tests of what is shown want it."""

import msgspec

from shared.jobs import JobError
from shared.jobstore.letter import DeadLetter


def letter(*, owner: str = "anna", message: str = "file 70001 does not exist") -> DeadLetter:
    """Give a letter of a job that failed at once."""
    return DeadLetter(
        dead_id="1795461600123-0",
        partition=3,
        number=7,
        job_id="00000000-0000-8003-8000-000000000000",
        owner=owner,
        epoch=1,
        reason="permanent",
        error=JobError("SOURCE_MISSING", message, (70_001,)),
        attempts=1,
        failures=1,
        crashes=0,
        processor="p1",
        events=(msgspec.Raw(b'{"type":"queued"}'), msgspec.Raw('{"type":"error","message":"é\u009b"}'.encode())),
    )
