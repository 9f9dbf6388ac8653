"""Read a job, end it."""

import asyncio
import contextlib
import zlib
from typing import Any

import msgspec
import structlog
from litestar import HttpMethod, Request, Response, delete, post, route

from gateway.access import find_job, job_not_found
from gateway.auth.gate import Gate
from gateway.conditional import matches_weakly
from gateway.injected import AnyStore
from gateway.metrics import GatewayMetrics
from gateway.queue_watch import QueueWatch
from gateway.representation import represent, status_path
from gateway.streaming.following import Following
from gateway.streaming.long_poll import wait_for_news
from shared import events, limits
from shared.clock import now_ms
from shared.errors import ObjectError
from shared.jobs import CANCELLED_BY_CALLER, JobRecord, JobState
from shared.jobstore.operations import CancelReply
from shared.jobstore.store import JobStore
from shared.retention import Retention

log = structlog.get_logger(__name__)


@route("/v1/download/jobs/{job_id:str}", http_method=[HttpMethod.GET, HttpMethod.HEAD])
async def read_job(request: Request[Any, Any, Any], following: Following, job_id: str) -> Response[bytes]:
    """Show a job as it is now; with If-None-Match, 304 while nothing has changed.

    With `Prefer: wait`, an answer that would tell nothing new waits for news first.
    """
    caller = await following.gate.admit_reader(request)
    store, queue = following.store, following.queue
    known = request.headers.get("if-none-match")
    record = await find_job(store, caller, job_id)
    body, etag = _shown(record, queue)
    headers = {"cache-control": "private, no-cache", "vary": "Accept, Authorization"}
    is_news = known is not None and not matches_weakly(known, etag)
    if not is_news and (waited_seconds := await wait_for_news(request, record, caller, hub=following.hub, store=store)):
        headers["preference-applied"] = f"wait={waited_seconds}"
        record = await find_job(store, caller, job_id)
        body, etag = _shown(record, queue)
    headers["etag"] = etag
    if not record.state.is_terminal:
        headers["retry-after"] = str(limits.POLL_AFTER_SECONDS)
    if matches_weakly(known, etag):
        return Response(b"", status_code=304, headers=headers)
    if request.method == HttpMethod.HEAD:
        return Response(b"", media_type="application/json", headers=headers | {"content-length": str(len(body))})
    return Response(body, media_type="application/json", headers=headers)


def _shown(record: JobRecord, queue: QueueWatch) -> tuple[bytes, str]:
    """Give a record as callers see it, and the weak ETag of that."""
    body = represent(record, queue.outlook(record))
    return body, f'W/"{record.epoch}-{record.seq}.{zlib.crc32(body):08x}"'


class CancelView(msgspec.Struct, frozen=True):
    """The answer to a cancel call: where the job stands now."""

    job_id: str
    status: JobState


@post("/v1/download/jobs/{job_id:str}/cancel", status_code=202)
async def cancel_job(
    request: Request[Any, Any, Any],
    gate: Gate,
    store: JobStore,
    retention: Retention,
    metrics: GatewayMetrics,
    job_id: str,
) -> Response[bytes]:
    """End a job that is waiting at once, and ask a running one to end (202); an ended one stays as it is (200)."""
    caller = await gate.admit(request)
    record = await find_job(store, caller, job_id)
    reply = await _end(store, retention, metrics, record)
    log.info("cancel requested", job_id=job_id, status=reply.state.value, **caller.audit())
    is_over = reply.state.is_terminal and reply.state is not JobState.CANCELLED
    body = msgspec.json.encode(CancelView(job_id, reply.state)) + b"\n"
    headers = {"location": status_path(job_id), "cache-control": "no-store"}
    return Response(body, status_code=200 if is_over else 202, media_type="application/json", headers=headers)


@delete("/v1/download/jobs/{job_id:str}", status_code=204)
async def delete_job(
    request: Request[Any, Any, Any],
    gate: Gate,
    store: JobStore,
    objects: AnyStore,
    retention: Retention,
    metrics: GatewayMetrics,
    job_id: str,
) -> None:
    """End a job, and remove what it has made; from now on it is gone (410) for everybody."""
    caller = await gate.admit(request)
    record = await find_job(store, caller, job_id)
    reply = await _end(store, retention, metrics, record, deletes=True)
    log.info("job deleted", job_id=job_id, status=reply.state.value, **caller.audit())
    if reply.object_key is not None:
        with contextlib.suppress(ObjectError, TimeoutError):  # the janitor comes for it anyway
            async with asyncio.timeout(limits.DELETE_WITHIN_SECONDS):
                await objects.delete(reply.object_key)


async def _end(
    store: JobStore, retention: Retention, metrics: GatewayMetrics, record: JobRecord, *, deletes: bool = False
) -> CancelReply:
    at_ms = now_ms()
    message = events.encode(events.Cancelled(reason=CANCELLED_BY_CALLER, at=events.timestamp(at_ms)))
    reply = await store.cancel(
        record.job_id,
        message=message,
        retention_ms=retention.redis_ms,
        expires_at_ms=retention.expires_at_ms(at_ms),
        deletes=deletes,
    )
    if reply is None:
        raise job_not_found()
    if reply.ends_now:
        metrics.count_cancellation(record.accepted_at_ms, at_ms)
    return reply
