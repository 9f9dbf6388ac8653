"""Show many jobs: a page of the owner's, newest first, or a batch of those that are named."""

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import HttpMethod, Request, Response, route

from gateway.access import Refusal, find_jobs, refusal_of
from gateway.auth.caller import Caller
from gateway.auth.gate import Gate
from gateway.conditional import matches_weakly
from gateway.edge.address import insist_on_known
from gateway.job_choice import insist_on_job_ids_alone, read_job_ids
from gateway.listing_request import encode_cursor, read_listing_request
from gateway.queue_watch import QueueWatch
from gateway.representation import JobView, view_of
from shared import limits
from shared.clock import now_ms
from shared.jobs import JobRecord
from shared.jobstore.listing import list_jobs
from shared.jobstore.store import JobStore

HEADERS = {"cache-control": "private, no-cache", "vary": "Accept, Authorization"}


class JobsView(msgspec.Struct, frozen=True):
    """The answer to a listing: jobs as GET shows each, and the cursor of the next page; null at the end."""

    jobs: list[JobView]
    next_cursor: str | None


class MissingJob(msgspec.Struct, frozen=True):
    """A job of a batch that cannot be shown, with the code that GET of it alone is refused with."""

    job_id: str
    code: str
    message: str


class BatchView(msgspec.Struct, frozen=True):
    """The answer to a batch, both in the order of the query: jobs as GET shows each, and those that it would refuse."""

    jobs: list[JobView]
    missing: list[MissingJob]


@route("/v1/download/jobs", http_method=[HttpMethod.GET, HttpMethod.HEAD])
async def read_jobs(request: Request[Any, Any, Any], gate: Gate, store: JobStore, queue: QueueWatch) -> Response[bytes]:
    """Show a page of the owner's jobs; with `?job=…&job=…` those jobs, so that polling many is one request.

    A ticket opens a batch, in which other jobs than its own are missing, and never a page: it names no owner's list.
    """
    if named := request.query_params.getall("job", []):
        caller = await gate.admit_reader(request)
        insist_on_job_ids_alone(request.query_params)
        return await _batch(request, store, queue, caller, read_job_ids(named))
    return await _page(request, store, queue, await gate.admit(request))


async def _page(request: Request[Any, Any, Any], store: JobStore, queue: QueueWatch, caller: Caller) -> Response[bytes]:
    """Show a page, newest first; what GET would refuse as gone is not among them."""
    query, at_ms = request.query_params, now_ms()
    insist_on_known(query, "status", "cursor", "limit", "job", "ticket")
    wanted = read_listing_request(
        statuses=query.getall("status", []),
        cursors=query.getall("cursor", []),
        limits_asked=query.getall("limit", []),
    )

    def is_wanted(record: JobRecord) -> bool:
        return wanted.takes(record.state) and refusal_of(record, at_ms) is None

    page = await list_jobs(store, caller.owner, after=wanted.after, limit=wanted.limit, is_wanted=is_wanted)
    jobs = [view_of(record, queue.outlook(record)) for record in page.records]
    view = JobsView(jobs, page.next_place and encode_cursor(page.next_place))
    return _answer(request, msgspec.json.encode(view) + b"\n", HEADERS)


async def _batch(
    request: Request[Any, Any, Any], store: JobStore, queue: QueueWatch, caller: Caller, job_ids: Sequence[str]
) -> Response[bytes]:
    """Show these jobs; with If-None-Match, 304 while nothing has changed in any of them."""
    found = list(zip(job_ids, await find_jobs(store, caller, job_ids), strict=True))
    records = [job for _, job in found if isinstance(job, JobRecord)]
    missing = [MissingJob(job_id, job.code, job.message) for job_id, job in found if isinstance(job, Refusal)]
    view = BatchView([view_of(record, queue.outlook(record)) for record in records], missing)
    body = msgspec.json.encode(view) + b"\n"
    headers = HEADERS | {"etag": f'W/"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'}
    if not all(record.state.is_terminal for record in records):
        headers["retry-after"] = str(limits.POLL_AFTER_SECONDS)
    if matches_weakly(request.headers.get("if-none-match"), headers["etag"]):
        return Response(b"", status_code=304, headers=headers)
    return _answer(request, body, headers)


def _answer(request: Request[Any, Any, Any], body: bytes, headers: dict[str, str]) -> Response[bytes]:
    if request.method == HttpMethod.HEAD:
        return Response(b"", media_type="application/json", headers=headers | {"content-length": str(len(body))})
    return Response(body, media_type="application/json", headers=headers)
