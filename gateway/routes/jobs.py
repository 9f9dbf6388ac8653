"""Create a job, read it."""

import zlib
from typing import Any

import msgspec
import structlog
from litestar import HttpMethod, Request, Response, post, route
from opentelemetry import trace

from gateway.access import OWNER, find_job
from gateway.conditional import matches_weakly
from gateway.estimate import estimated_duration
from gateway.job_request import read_job_request
from gateway.metrics import GatewayMetrics
from gateway.representation import represent, status_path
from shared import events
from shared.clock import now_ms
from shared.jobs import JobOptions, JobRequest, OnMissing
from shared.jobstore.operations import NewJob
from shared.jobstore.store import JobStore
from shared.objects.catalogue import Catalogue, select, unknown_files
from shared.telemetry.tracing import context_of, traceparent_of_current_span

log = structlog.get_logger(__name__)
tracer = trace.get_tracer("waybill.gateway")

POLL_AFTER_SECONDS = "2"


class Accepted(msgspec.Struct, frozen=True):
    """The answer to a create call; paths are relative to this server."""

    job_id: str
    status: str
    estimated_duration: str | None
    status_url: str
    stream_url: str
    events_url: str


@post("/v1/download/jobs", status_code=202)
async def create_job(
    request: Request[Any, Any, Any], store: JobStore, catalogue: Catalogue, metrics: GatewayMetrics
) -> Response[bytes]:
    """Accept a bundle of files as a job and answer at once."""
    wanted = read_job_request(request.headers.get("content-type"), await request.body())
    await _insist_on_known(catalogue, wanted)
    job_id = store.new_job_id()
    with tracer.start_as_current_span("create", context=context_of(request.headers.get("traceparent"))):
        created = await store.create(
            NewJob(
                job_id=job_id,
                owner=OWNER,
                file_ids=wanted.file_ids,
                options=JobOptions(archive_name=wanted.archive_name, on_missing=wanted.on_missing),
                queued_message=events.encode(events.Queued(at=events.timestamp(now_ms()))),
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
    return Response(msgspec.json.encode(accepted) + b"\n", media_type="application/json", headers=headers)


async def _insist_on_known(catalogue: Catalogue, wanted: JobRequest) -> None:
    """Refuse ids that the catalogue does not know; with `on_missing: skip` only when it knows none of them."""
    selection = await select(catalogue, wanted.file_ids, OWNER)
    if selection.unknown and (wanted.on_missing is OnMissing.FAIL or not selection.files):
        raise unknown_files(selection.unknown, is_some=bool(selection.files))


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
