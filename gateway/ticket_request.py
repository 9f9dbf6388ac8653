"""The body of a call for a ticket: read strictly, refused with a sentence that says what to change. Pure."""

from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.json_body import read_json
from shared import limits
from shared.errors import InvalidRequest
from shared.jobs import partition_of
from shared.refusal import explain

ALLOWED = {
    "job_ids": f"a list of 1 to {limits.MAX_TICKET_JOBS} job ids",
    "job_ids[]": "a job id",
}
"""What the members of a request may be, for people."""


class TicketRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The jobs that a ticket is asked for: 1 to 50 different ones."""

    job_ids: Annotated[tuple[str, ...], Meta(min_length=1, max_length=limits.MAX_TICKET_JOBS)]


def read_ticket_request(content_type: str | None, body: bytes) -> tuple[str, ...]:
    """Read which jobs a ticket is asked for; raises a RequestError that says what to change."""
    parsed = read_json(content_type, body, example='{"job_ids": ["…"]}')
    try:
        job_ids = msgspec.convert(parsed, TicketRequest).job_ids
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"The request is not valid: {explain(error, parsed, ALLOWED)}.") from None
    for place, job_id in enumerate(job_ids):
        if partition_of(job_id) is None:
            raise InvalidRequest(f"The request is not valid: job_ids[{place}] must be a job id.")
    if len(set(job_ids)) < len(job_ids):
        raise InvalidRequest("Each job can be named once; some of these ids come more than once.")
    return job_ids
