"""Which runs fail, and how: decided by the seed, the job's number in the storm, and the attempt."""

import random
from enum import StrEnum

ALWAYS = 1_000
REDRIVEN_JOB, RETRIED_JOB = 0, 4
"""The numbers of jobs that fail for sure, so that no storm is without an operator's redrive, and an owner's."""


class Failure(StrEnum):
    """How a run fails."""

    RETRYABLE = "retryable"
    PERMANENT = "permanent"
    UNEXPECTED = "unexpected"
    FOR_LONG = "retryable, and put off for longer than a job may wait"


def failure_of(seed: int, job_number: int, attempt: int) -> Failure | None:
    """Tell how this attempt of this job fails; None: it does not."""
    chance = random.Random(f"{seed}/{job_number}")
    kind, how = chance.random(), chance.choice((Failure.RETRYABLE, Failure.UNEXPECTED))
    if kind < 0.05:
        return Failure.PERMANENT
    if attempt == 1 and (job_number in (REDRIVEN_JOB, RETRIED_JOB) or 0.18 <= kind < 0.24):
        return Failure.FOR_LONG
    failing_attempts = ALWAYS if kind < 0.10 else 2 if kind < 0.18 else 1 if kind < 0.40 else 0
    return how if attempt <= failing_attempts else None
