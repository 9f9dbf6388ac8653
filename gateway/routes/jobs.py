"""Create a job, read it, end it."""

import asyncio
import contextlib
import zlib
from typing import Any

import msgspec
import structlog
from litestar import HttpMethod, Request, Response, delete, post, route
from opentelemetry import trace

from gateway.access import find_job, job_not_found
from gateway.auth.caller import Caller
from gateway.auth.gate import Gate
from gateway.conditional import matches_weakly
from gateway.estimate import Promise, total_size_bytes
from gateway.idempotency_key import fingerprint_of, insist_on_same_request, key_headers, read_idempotency_key
from gateway.injected import AnyStore
from gateway.job_request import read_job_request
from gateway.metrics import GatewayMetrics
from gateway.queue_watch import QueueWatch
from gateway.representation import represent, status_path
from gateway.streaming.following import Following
from gateway.streaming.long_poll import wait_for_end, wait_for_news
from shared import events, limits
from shared.clock import now_ms
from shared.errors import ObjectError
from shared.jobs import CANCELLED_BY_CALLER, JobOptions, JobRecord, JobRequest, JobState, OnMissing
from shared.jobstore.idempotency import IdempotencyKeys, Reservation
from shared.jobstore.operations import CancelReply, NewJob
from shared.jobstore.store import JobStore
from shared.objects.catalogue import Catalogue, select, unknown_files
from shared.retention import Retention
from shared.telemetry.tracing import context_of, traceparent_of_current_span

log = structlog.get_logger(__name__)
tracer = trace.get_tracer("waybill.gateway")

POLL_AFTER_SECONDS = "2"


class Accepted(msgspec.Struct, frozen=True):
    """The answer to a create call; paths are relative to this server."""

    job_id: str
    status: str
    queue_position: int | None
    estimated_duration: str | None
    status_url: str
    stream_url: str
    events_url: str
    cancel_url: str


@post("/v1/download/jobs", status_code=202)
async def create_job(
    request: Request[Any, Any, Any], following: Following, catalogue: Catalogue, idempotency_keys: IdempotencyKeys
) -> Response[bytes]:
    """Accept a bundle of files as a job and answer at once; with an Idempotency-Key, once for all its repetitions.

    With `Prefer: wait` the answer is the job itself, when it ends within that time.
    """
    store, queue, hub, metrics = following.store, following.queue, following.hub, following.metrics
    caller = await following.gate.admit(request)
    key = read_idempotency_key(request.headers.getall("idempotency-key", []))
    wanted = read_job_request(request.headers.get("content-type"), await request.body())
    job_id, is_replayed = store.new_job_id(), False
    headers = {"retry-after": POLL_AFTER_SECONDS, "cache-control": "no-store"}
    if key is None:
        expected_bytes = await _insist_on_known(catalogue, wanted, caller.owner)
    else:
        reserved, expected_bytes = await _reserve(idempotency_keys, catalogue, wanted, caller, key=key, drawn_id=job_id)
        is_replayed, job_id = reserved.job_id != job_id, reserved.job_id
        headers |= key_headers(now_ms=now_ms(), left_ms=reserved.left_ms, is_replayed=is_replayed)
    promise = queue.promise(job_id, expected_bytes, joins=not is_replayed)
    with tracer.start_as_current_span("create", context=context_of(request.headers.get("traceparent"))):
        created = await store.create(
            NewJob(
                job_id=job_id,
                owner=caller.owner,
                file_ids=wanted.file_ids,
                options=JobOptions(archive_name=wanted.archive_name, on_missing=wanted.on_missing),
                queued_message=_queued_message(promise),
                traceparent=traceparent_of_current_span(),
                expected_bytes=expected_bytes,
                promised_ms=promise.expected_ms,
            )
        )
        # Without a key the id was drawn here: that it exists means that the first reply was lost.
        if created.is_new or key is None:
            log.info("job created", job_id=job_id, files=len(wanted.file_ids), **caller.audit())
            metrics.count_creation()
    headers["location"] = status_path(job_id)
    position = queue.note(job_id, expected_bytes, created)
    ended, waited_seconds = await wait_for_end(request, job_id, hub=hub, store=store)
    if waited_seconds:
        headers["preference-applied"] = f"wait={waited_seconds}"
    if ended is not None:
        body = represent(ended, queue.outlook(ended))
        return Response(body, status_code=200, media_type="application/json", headers=headers)
    return Response(_accepted(job_id, position, promise), media_type="application/json", headers=headers)


def _accepted(job_id: str, queue_position: int | None, promise: Promise) -> bytes:
    path = status_path(job_id)
    accepted = Accepted(
        job_id=job_id,
        status="queued",
        queue_position=queue_position,
        estimated_duration=promise.estimated_duration,
        status_url=path,
        stream_url=f"{path}/stream",
        events_url=f"{path}/events",
        cancel_url=f"{path}/cancel",
    )
    return msgspec.json.encode(accepted) + b"\n"


async def _reserve(
    idempotency_keys: IdempotencyKeys,
    catalogue: Catalogue,
    wanted: JobRequest,
    caller: Caller,
    *,
    key: str,
    drawn_id: str,
) -> tuple[Reservation, int | None]:
    """Give the job id that stands under a key, `drawn_id` when this request is the first one; and the files' size.

    The catalogue is asked of a first request alone: it may know other files by the time of a repetition, or be another
    gateway's, and the answer must stay the same. What it refuses does not use the key up.
    """
    fingerprint = fingerprint_of(wanted)
    reserved, expected_bytes = await idempotency_keys.find(caller.owner, key), None
    if reserved is None:
        expected_bytes = await _insist_on_known(catalogue, wanted, caller.owner)
        reserved = await idempotency_keys.reserve(caller.owner, key, job_id=drawn_id, fingerprint=fingerprint)
    insist_on_same_request(reserved.fingerprint, fingerprint)
    return reserved, expected_bytes


def _queued_message(promise: Promise) -> bytes:
    at = events.timestamp(now_ms())
    position, duration = promise.queue_position, promise.estimated_duration
    return events.encode(events.Queued(at=at, queue_position=position, estimated_duration=duration))


async def _insist_on_known(catalogue: Catalogue, wanted: JobRequest, owner: str) -> int | None:
    """Refuse ids that the catalogue does not know; with `on_missing: skip` only when it knows none of them.

    Gives the size of the known files together, None where the catalogue does not say it.
    """
    selection = await select(catalogue, wanted.file_ids, owner)
    if selection.unknown and (wanted.on_missing is OnMissing.FAIL or not selection.files):
        raise unknown_files(selection.unknown, is_some=bool(selection.files))
    return total_size_bytes([file.size_bytes for file in selection.files])


@route("/v1/download/jobs/{job_id:str}", http_method=[HttpMethod.GET, HttpMethod.HEAD])
async def read_job(request: Request[Any, Any, Any], following: Following, job_id: str) -> Response[bytes]:
    """Show a job as it is now; with If-None-Match, 304 while nothing has changed.

    With `Prefer: wait`, an answer that would tell nothing new waits for news first.
    """
    caller = await following.gate.admit(request)
    store, queue = following.store, following.queue
    known = request.headers.get("if-none-match")
    record = await find_job(store, caller, job_id)
    body, etag = _shown(record, queue)
    headers = {"cache-control": "private, no-cache", "vary": "Accept, Authorization"}
    is_news = known is not None and not matches_weakly(known, etag)
    if not is_news and (waited_seconds := await wait_for_news(request, record, hub=following.hub, store=store)):
        headers["preference-applied"] = f"wait={waited_seconds}"
        record = await find_job(store, caller, job_id)
        body, etag = _shown(record, queue)
    headers["etag"] = etag
    if not record.state.is_terminal:
        headers["retry-after"] = POLL_AFTER_SECONDS
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
    await find_job(store, caller, job_id)
    reply = await _end(store, retention, metrics, job_id)
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
    await find_job(store, caller, job_id)
    reply = await _end(store, retention, metrics, job_id, deletes=True)
    log.info("job deleted", job_id=job_id, status=reply.state.value, **caller.audit())
    if reply.object_key is not None:
        with contextlib.suppress(ObjectError, TimeoutError):  # the janitor comes for it anyway
            async with asyncio.timeout(limits.DELETE_WITHIN_SECONDS):
                await objects.delete(reply.object_key)


async def _end(
    store: JobStore, retention: Retention, metrics: GatewayMetrics, job_id: str, *, deletes: bool = False
) -> CancelReply:
    at_ms = now_ms()
    message = events.encode(events.Cancelled(reason=CANCELLED_BY_CALLER, at=events.timestamp(at_ms)))
    reply = await store.cancel(
        job_id,
        message=message,
        retention_ms=retention.redis_ms,
        expires_at_ms=retention.expires_at_ms(at_ms),
        deletes=deletes,
    )
    if reply is None:
        raise job_not_found()
    if reply.ends_now:
        metrics.count_cancellation()
    return reply
