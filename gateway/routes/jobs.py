"""Create a job, read it, page through its events."""

import time
import zlib
from collections import Counter
from typing import Annotated, Any

import msgspec
import structlog
from litestar import HttpMethod, Request, Response, get, post, route
from litestar.params import Parameter
from opentelemetry import trace

from gateway.conditional import matches_weakly
from gateway.estimate import estimated_duration
from gateway.metrics import GatewayMetrics
from gateway.representation import represent, status_path
from shared import events, limits
from shared.errors import (
    InvalidCursor,
    InvalidRequest,
    JobGone,
    JobNotFound,
    MalformedBody,
    UnsupportedMediaType,
)
from shared.event_id import START, EventId
from shared.events import Gap
from shared.jobs import JobOptions, JobRecord, JobRequest
from shared.jobstore.store import JobStore, NewJob
from shared.objects.catalogue import Catalogue
from shared.telemetry.tracing import context_of, traceparent_of_current_span

log = structlog.get_logger(__name__)
tracer = trace.get_tracer("waybill.gateway")

POLL_AFTER_SECONDS = "2"
OWNER = "local"
"""The owner of every job while there is no authentication; the gateway listens on loopback only."""


class Accepted(msgspec.Struct, frozen=True):
    """The answer to a create call; paths are relative to this server."""

    job_id: str
    status: str
    estimated_duration: str | None
    status_url: str
    stream_url: str
    events_url: str


async def find_job(store: JobStore, job_id: str) -> JobRecord:
    """Find a job or raise: JobNotFound when there is none, JobGone when it ended too long ago."""
    record = await store.find(job_id)
    if record is None:
        raise JobNotFound("There is no such job. Check the id; jobs are forgotten some days after their end.")
    if record.state.is_terminal and (record.expires_at_ms or 0) <= time.time() * 1000:
        raise JobGone(f"The archive of job {job_id} was removed at its expiry. Create the job again.")
    return record


def read_job_request(content_type: str | None, body: bytes) -> JobRequest:
    """Read the body of a create call; raises a RequestError that says what to change."""
    media_type = (content_type or "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise UnsupportedMediaType("Send the body as JSON, with Content-Type: application/json.")
    try:
        parsed = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise MalformedBody(f"The body is not JSON: {error}.") from None
    _refuse_too_many(parsed)
    try:
        request = msgspec.convert(parsed, JobRequest)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"The request is not valid: {error}.") from None
    _refuse_duplicates(request.file_ids)
    return request


def _refuse_too_many(parsed: Any) -> None:
    file_ids = parsed.get("file_ids") if isinstance(parsed, dict) else None
    if isinstance(file_ids, list) and len(file_ids) > limits.MAX_FILES_PER_JOB:
        raise InvalidRequest(
            f"The request asks for {len(file_ids):,} files; the limit is {limits.MAX_FILES_PER_JOB:,}. "
            "Split it into several jobs."
        )


def _refuse_duplicates(file_ids: tuple[int, ...]) -> None:
    if len(set(file_ids)) < len(file_ids):
        twice = [file_id for file_id, count in Counter(file_ids).items() if count > 1]
        named = ", ".join(map(str, twice[:10]))
        raise InvalidRequest(f"Each file can be asked for once; these ids come more than once: {named}.")


@post("/v1/download/jobs", status_code=202)
async def create_job(
    request: Request[Any, Any, Any], store: JobStore, catalogue: Catalogue, metrics: GatewayMetrics
) -> Response[bytes]:
    """Accept a bundle of files as a job and answer at once."""
    wanted = read_job_request(request.headers.get("content-type"), await request.body())
    catalogue.find(wanted.file_ids)
    job_id = store.new_job_id()
    with tracer.start_as_current_span("create", context=context_of(request.headers.get("traceparent"))):
        created = await store.create(
            NewJob(
                job_id=job_id,
                owner=OWNER,
                file_ids=wanted.file_ids,
                options=JobOptions(archive_name=wanted.archive_name),
                queued_message=events.encode(events.Queued(at=events.timestamp(time.time_ns() // 1_000_000))),
                traceparent=traceparent_of_current_span(),
            )
        )
        log.info("job created", job_id=job_id, files=len(wanted.file_ids))
    metrics.count_creation()
    path = status_path(job_id)
    accepted = Accepted(
        job_id=job_id,
        status="queued",
        estimated_duration=estimated_duration(created.unfinished_jobs, created.mean_service_ms),
        status_url=path,
        stream_url=f"{path}/stream",
        events_url=f"{path}/events",
    )
    headers = {"location": path, "retry-after": POLL_AFTER_SECONDS, "cache-control": "no-store"}
    return Response(msgspec.json.encode(accepted), media_type="application/json", headers=headers)


@route("/v1/download/jobs/{job_id:str}", http_method=[HttpMethod.GET, HttpMethod.HEAD])
async def read_job(request: Request[Any, Any, Any], store: JobStore, job_id: str) -> Response[bytes]:
    """Show a job as it is now; with If-None-Match, 304 while nothing has changed."""
    record = await find_job(store, job_id)
    body = represent(record)
    etag = f'W/"{record.epoch}-{record.seq}.{zlib.crc32(body):08x}"'
    headers = {"etag": etag, "cache-control": "private, no-cache", "vary": "Accept, Authorization"}
    if not record.state.is_terminal:
        headers["retry-after"] = POLL_AFTER_SECONDS
    if matches_weakly(request.headers.get("if-none-match"), etag):
        return Response(b"", status_code=304, headers=headers)
    if request.method == HttpMethod.HEAD:
        return Response(b"", media_type="application/json", headers=headers | {"content-length": str(len(body))})
    return Response(body, media_type="application/json", headers=headers)


@get("/v1/download/jobs/{job_id:str}/events")
async def read_events(
    store: JobStore,
    job_id: str,
    after: str = str(START),
    limit: Annotated[str, Parameter(query="limit")] = str(limits.DEFAULT_EVENTS_PER_PAGE),
) -> Response[bytes]:
    """Give a page of a job's event log: `{events, next_after, has_more, gap?}`, oldest first."""
    cursor = EventId.parse(after)
    if cursor is None:
        raise InvalidCursor(f"after={after[:40]!r} is no event id. Take next_after of the page before, or 0-0.")
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= limits.MAX_EVENTS_PER_PAGE):
        raise InvalidCursor(f"limit={limit[:40]!r} must be a number from 1 to {limits.MAX_EVENTS_PER_PAGE}.")
    await find_job(store, job_id)
    found = await store.read_events(job_id, after=cursor, count=int(limit) + 1)
    body = page(found, cursor, int(limit))
    return Response(msgspec.json.encode(body), media_type="application/json", headers={"cache-control": "no-store"})


class EventsPage(msgspec.Struct, frozen=True, omit_defaults=True):
    """A page of events, each with its id; `gap` when events right after the cursor are no longer there."""

    events: list[msgspec.Raw]
    next_after: str
    has_more: bool
    gap: Gap | None = None


def page(found: list[tuple[EventId, bytes]], cursor: EventId, limit: int) -> EventsPage:
    """Build a page from one event more than it may hold."""
    shown = found[:limit]
    gap = None
    if shown and not cursor.is_followed_by(first := shown[0][0]):
        missed = first.seq - 1 - cursor.seq
        gap = Gap(from_=str(cursor), to=f"{first.epoch}-{first.seq - 1}", missed=missed if missed > 0 else None)
    return EventsPage(
        events=[msgspec.Raw(b'{"id":"%b",%b' % (event_id.encode(), data[1:])) for event_id, data in shown],
        next_after=str(shown[-1][0] if shown else cursor),
        has_more=len(found) > limit,
        gap=gap,
    )
