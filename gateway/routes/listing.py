"""List jobs: a page of the owner's, newest first."""

from typing import Any

import msgspec
from litestar import HttpMethod, Request, Response, route

from gateway.access import refusal_of
from gateway.auth.gate import Gate
from gateway.listing_request import encode_cursor, read_listing_request
from gateway.queue_watch import QueueWatch
from gateway.representation import JobView, view_of
from shared.clock import now_ms
from shared.jobs import JobRecord
from shared.jobstore.listing import list_jobs
from shared.jobstore.store import JobStore


class JobsView(msgspec.Struct, frozen=True):
    """The answer to a listing: jobs as GET shows each, and the cursor of the next page; null at the end."""

    jobs: list[JobView]
    next_cursor: str | None


@route("/v1/download/jobs", http_method=[HttpMethod.GET, HttpMethod.HEAD])
async def read_jobs(request: Request[Any, Any, Any], gate: Gate, store: JobStore, queue: QueueWatch) -> Response[bytes]:
    """Show a page of the owner's jobs, newest first; what GET would refuse as gone is not among them."""
    caller = await gate.admit(request)
    query, at_ms = request.query_params, now_ms()
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
    headers = {"cache-control": "private, no-cache", "vary": "Accept, Authorization"}
    return Response(msgspec.json.encode(view) + b"\n", media_type="application/json", headers=headers)
