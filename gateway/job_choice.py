"""Which jobs a query names by `job=…&job=…`: read strictly, refused with a sentence that says what is right. Pure."""

from collections.abc import Iterable, Sequence

from shared import limits
from shared.errors import InvalidQuery

_MAX_SHOWN_CHARS = 40  # of what was sent, in a refusal


def read_job_ids(jobs: Sequence[str]) -> tuple[str, ...]:
    """Give the ids in the order of the query; whether there are such jobs is not asked here.

    Raises InvalidQuery for none, for the same one twice, and for more than 50.
    """
    if not jobs:
        raise InvalidQuery("The query names no job. Send job=<id>, repeated for several.")
    if len(jobs) > limits.MAX_JOBS_PER_STREAM:
        raise InvalidQuery(
            f"The query names {len(jobs)} jobs; one call takes {limits.MAX_JOBS_PER_STREAM}. Split it into several."
        )
    for number, job_id in enumerate(jobs):
        if job_id in jobs[:number]:
            raise InvalidQuery(f"job={job_id[:_MAX_SHOWN_CHARS]!r} stands in the query twice. Send each job once.")
    return tuple(jobs)


def insist_on_job_ids_alone(parameters: Iterable[str]) -> None:
    """Raise InvalidQuery for a query that names jobs and says something else besides, which would have no effect.

    A ticket says who asks, and is the gate's to judge.
    """
    if others := sorted(set(parameters) - {"job", "ticket"}):
        raise InvalidQuery(f"{others[0][:_MAX_SHOWN_CHARS]!r} means nothing beside job=<id>. Send either of them.")
