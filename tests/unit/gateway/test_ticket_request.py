"""Bodies of calls for a ticket: what is refused, and in which words."""

import json

import pytest

from gateway.ticket_request import read_ticket_request
from shared.errors import InvalidRequest, MalformedBody, RequestError, UnsupportedMediaType
from shared.jobs import make_job_id

JOBS = [make_job_id(0, number) for number in range(51)]


def body(*job_ids: object) -> bytes:
    """Write the body that names these jobs."""
    return json.dumps({"job_ids": job_ids}).encode()


def test_jobs_are_read_in_their_order() -> None:
    assert read_ticket_request("application/json", body(*JOBS[:50])) == tuple(JOBS[:50])


@pytest.mark.parametrize(
    ("sent", "error", "words"),
    [
        (b"", MalformedBody, 'The body is empty. Send JSON, for example {"job_ids": ['),
        (b"[]", InvalidRequest, "it must be an object with job_ids alone."),
        (b"{}", InvalidRequest, "job_ids is missing; it must be a list of 1 to 50 job ids."),
        (body(), InvalidRequest, "job_ids must be a list of 1 to 50 job ids."),
        (body(*JOBS), InvalidRequest, "job_ids must be a list of 1 to 50 job ids."),
        (body(JOBS[0], 7), InvalidRequest, "job_ids[1] must be a job id, not 7."),
        (body(JOBS[0], make_job_id(0xABC, 1).upper()), InvalidRequest, "job_ids[1] must be a job id."),
        (body(JOBS[0] + "\n"), InvalidRequest, "job_ids[0] must be a job id."),
        (body(JOBS[0], JOBS[1], JOBS[0]), InvalidRequest, "more than once"),
        (b'{"job_ids":["x"],"scope":"writing"}', InvalidRequest, "'scope' is not known; there is job_ids alone."),
    ],
)
def test_a_bad_body_is_refused_with_a_reason(sent: bytes, error: type[RequestError], words: str) -> None:
    with pytest.raises(error) as caught:
        read_ticket_request("application/json", sent)

    assert words in caught.value.message


def test_another_media_type_is_refused() -> None:
    with pytest.raises(UnsupportedMediaType):
        read_ticket_request("text/plain", body(JOBS[0]))
