"""Give a ticket for some of the caller's jobs: for links, and for streams of what cannot send a header."""

import asyncio
import contextlib
from typing import Any

import msgspec
from litestar import Request, Response, post

from gateway.access import find_job
from gateway.auth.caller import Caller
from gateway.auth.tickets import issue_ticket
from gateway.streaming.following import Following
from gateway.ticket_request import read_ticket_request
from shared import events
from shared.errors import JobGone, JobNotFound, RecordUnreadable
from shared.jobstore.store import JobStore


class TicketView(msgspec.Struct, frozen=True):
    """A ticket, the jobs that it opens to readers, and until when (RFC 3339)."""

    ticket: str
    expires_at: str
    job_ids: tuple[str, ...]


@post("/v1/download/tickets", status_code=200)
async def give_ticket(request: Request[Any, Any, Any], following: Following) -> Response[bytes]:
    """Give a ticket for 1 to 50 of the caller's jobs. Nothing is kept of it: 200, and not 201.

    404 names the first job that is not the caller's. A job that is gone, or damaged, is no reason to refuse the others:
    whoever reads it by the ticket is told so.
    """
    caller = await following.gate.admit(request)
    job_ids = read_ticket_request(", ".join(request.headers.getall("content-type", [])), await request.body())
    following.gate.tickets.insist_on_offered()
    await _insist_on_theirs(following.store, caller, job_ids)
    issued = issue_ticket(following.gate.tickets, caller, job_ids)
    view = TicketView(issued.ticket, events.timestamp(issued.expires_at_ms), job_ids)
    body = msgspec.json.encode(view) + b"\n"
    return Response(body, media_type="application/json", headers={"cache-control": "no-store"})


async def _insist_on_theirs(store: JobStore, caller: Caller, job_ids: tuple[str, ...]) -> None:
    are_theirs = await asyncio.gather(*(_is_theirs(store, caller, job_id) for job_id in job_ids))
    for job_id, is_theirs in zip(job_ids, are_theirs, strict=True):
        if not is_theirs:
            raise JobNotFound(f"There is no job {job_id}. Ask for a ticket without it.")


async def _is_theirs(store: JobStore, caller: Caller, job_id: str) -> bool:
    try:
        with contextlib.suppress(JobGone, RecordUnreadable):
            await find_job(store, caller, job_id)
    except JobNotFound:
        return False
    return True
