"""Create a job."""

from typing import Any

import msgspec
import structlog
from litestar import Request, Response, post
from opentelemetry import trace

from gateway.admission import Permit
from gateway.auth.caller import Caller
from gateway.auth.tickets import Issued
from gateway.estimate import Promise, total_size_bytes
from gateway.idempotency_key import fingerprint_of, insist_on_same_request, key_headers, read_idempotency_key
from gateway.intake import Intake
from gateway.job_request import read_job_request
from gateway.representation import represent, status_path
from gateway.streaming.long_poll import wait_for_end
from shared import events, limits
from shared.clock import now_ms
from shared.errors import WaybillError
from shared.jobs import JobOptions, JobRequest, JobState, OnMissing, partition_of
from shared.jobstore.idempotency import Reservation
from shared.jobstore.operations import NewJob
from shared.objects.catalogue import Catalogue, select, unknown_files
from shared.telemetry.tracing import context_of, traceparent_of_current_span

log = structlog.get_logger(__name__)
tracer = trace.get_tracer("waybill.gateway")


class Accepted(msgspec.Struct, frozen=True):
    """The answer to a create call, or to a retry; paths are relative to this server.

    With a ticket those that only read have it in their query; `ticket_expires_at` is RFC 3339. null: none was wanted.
    """

    job_id: str
    status: JobState
    queue_position: int | None
    estimated_duration: str | None
    status_url: str
    stream_url: str
    events_url: str
    file_url: str
    cancel_url: str
    ticket: str | None
    ticket_expires_at: str | None


@post("/v1/download/jobs", status_code=202)
async def create_job(request: Request[Any, Any, Any], intake: Intake) -> Response[bytes]:
    """Accept a bundle of files as a job and answer at once; with an Idempotency-Key, once for all its repetitions.

    With `Prefer: wait` the answer is the job itself, when it ends within that time.
    """
    following, admission = intake.following, intake.admission
    store, queue, hub, metrics = following.store, following.queue, following.hub, following.metrics
    caller = await following.gate.admit(request)
    key = read_idempotency_key(request.headers.getall("idempotency-key", []))
    wanted = read_job_request(", ".join(request.headers.getall("content-type", [])), await request.body())
    if wanted.ticket:
        following.gate.tickets.insist_on_offered()
    job_id, is_replayed = store.new_job_id(), False
    headers = {"retry-after": str(limits.POLL_AFTER_SECONDS), "cache-control": "no-store"}
    if key is None:
        expected_bytes = await _insist_on_known(intake.catalogue, wanted, caller.owner)
        permit = await admission.ask(caller.owner, job_id)
    else:
        reserved, expected_bytes, permit = await _reserve(intake, wanted, caller, key=key, drawn_id=job_id)
        is_replayed, job_id = reserved.job_id != job_id, reserved.job_id
        headers |= key_headers(now_ms=now_ms(), left_ms=reserved.left_ms, is_replayed=is_replayed)
    promise = queue.promise(job_id, expected_bytes, joins=not is_replayed)
    with tracer.start_as_current_span("create", context=context_of(request.headers.get("traceparent"))):
        try:
            created = await admission.create(
                NewJob(
                    job_id=job_id,
                    owner=caller.owner,
                    file_ids=wanted.file_ids,
                    options=JobOptions(archive_name=wanted.archive_name, on_missing=wanted.on_missing),
                    queued_message=_queued_message(promise),
                    traceparent=traceparent_of_current_span(),
                    expected_bytes=expected_bytes,
                    promised_ms=promise.expected_ms,
                ),
                permit,
            )
        except WaybillError:
            if not is_replayed:
                queue.withdraw(job_id, expected_bytes)
            raise
        # Without a key the id was drawn here: that it exists means that the first reply was lost.
        if created.is_new or key is None:
            log.info("job created", job_id=job_id, files=len(wanted.file_ids), **caller.audit())
            metrics.count_creation()
    headers |= admission.headers(permit, created, partition_of(job_id) or 0)
    headers["location"] = status_path(job_id)
    position = queue.note(job_id, expected_bytes, created)
    ended, waited_seconds = await wait_for_end(request, job_id, hub=hub, store=store)
    if waited_seconds:
        headers["preference-applied"] = f"wait={waited_seconds}"
    issued = following.gate.tickets.issue(caller, [job_id]) if wanted.ticket else None
    if ended is not None:
        body = represent(ended, queue.outlook(ended), **_told_of(issued))
        return Response(body, status_code=200, media_type="application/json", headers=headers)
    return Response(accepted(job_id, position, promise, issued), media_type="application/json", headers=headers)


def accepted(
    job_id: str,
    queue_position: int | None = None,
    promise: Promise = Promise(),  # noqa: B008  a frozen value
    issued: Issued | None = None,
    *,
    status: JobState = JobState.QUEUED,
) -> bytes:
    """Encode the answer about a job that has its run before it: where everything is, and what is known of its time."""
    path, query = status_path(job_id), f"?ticket={issued.ticket}" if issued else ""
    accepted = Accepted(
        job_id=job_id,
        status=status,
        queue_position=queue_position,
        estimated_duration=promise.estimated_duration,
        status_url=f"{path}{query}",
        stream_url=f"{path}/stream{query}",
        events_url=f"{path}/events{query}",
        file_url=f"{path}/file{query}",
        cancel_url=f"{path}/cancel",
        ticket=issued.ticket if issued else None,
        ticket_expires_at=events.timestamp(issued.expires_at_ms) if issued else None,
    )
    return msgspec.json.encode(accepted) + b"\n"


def _told_of(issued: Issued | None) -> dict[str, str]:
    """Give what the answer of a job that has ended already says of the ticket that was wanted with it."""
    if issued is None:
        return {}
    return {"ticket": issued.ticket, "ticket_expires_at": events.timestamp(issued.expires_at_ms)}


async def _reserve(
    intake: Intake, wanted: JobRequest, caller: Caller, *, key: str, drawn_id: str
) -> tuple[Reservation, int | None, Permit]:
    """Give the job id that stands under a key, `drawn_id` when this request is the first; the files' size; a permit.

    The catalogue and the owner's limits are asked of a first request alone: what they say may be another by the time of
    a repetition, and the answer must stay the same. What they refuse does not use the key up.
    """
    fingerprint, keys = fingerprint_of(wanted), intake.idempotency_keys
    reserved, expected_bytes, permit = await keys.find(caller.owner, key), None, None
    if reserved is None:
        expected_bytes = await _insist_on_known(intake.catalogue, wanted, caller.owner)
        permit = await intake.admission.ask(caller.owner, drawn_id, key=key)
        reserved = await keys.reserve(caller.owner, key, job_id=drawn_id, fingerprint=fingerprint)
    insist_on_same_request(reserved.fingerprint, fingerprint)
    return reserved, expected_bytes, permit or await intake.admission.ask_again(caller.owner)


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
