"""Create a job."""

from typing import Any, NamedTuple

import msgspec
import structlog
from litestar import Request, Response, post
from opentelemetry import trace
from opentelemetry.trace import SpanKind

from gateway.admission import Permit
from gateway.auth.caller import Caller
from gateway.auth.tickets import Issued, issue_ticket
from gateway.estimate import Promise, total_size_bytes
from gateway.idempotency_key import fingerprint_of, insist_on_same_request, key_headers, read_idempotency_key
from gateway.intake import Intake
from gateway.job_request import insist_on_callback_target, read_job_request
from gateway.representation import represent, status_path
from gateway.streaming.long_poll import wait_for_end
from shared import events, limits
from shared.clock import now_ms
from shared.errors import WaybillError
from shared.jobs import JobOptions, JobRequest, JobState, OnMissing, partition_of
from shared.jobstore.operations import Created, NewJob
from shared.objects.catalogue import Catalogue, select, unknown_files
from shared.telemetry.tracing import context_of, spanning, traceparent_of_current_span

log = structlog.get_logger(__name__)
tracer = trace.get_tracer("waybill.gateway")


class Accepted(msgspec.Struct, frozen=True):
    """The answer to a create call, or to a retry; paths are relative to this server.

    With a ticket those that only read have it in their query; `ticket_expires_at` is RFC 3339. null: none was wanted.
    `deliveries_url`: null without a callback.
    """

    job_id: str
    status: JobState
    queue_position: int | None
    estimated_duration: str | None
    status_url: str
    stream_url: str
    websocket_url: str | None
    events_url: str
    file_url: str
    cancel_url: str
    deliveries_url: str | None
    ticket: str | None
    ticket_expires_at: str | None


class Beginning(NamedTuple):
    """A create before its job: the id that it has or may have, whether an earlier call drew that id, and a permit.

    `expected_bytes`: the files together, None where nobody says. `key_left_ms`: how long its key is kept, None: no key.
    """

    job_id: str
    permit: Permit
    expected_bytes: int | None = None
    is_replayed: bool = False
    key_left_ms: int | None = None


@post("/v1/download/jobs", status_code=202)
async def create_job(request: Request[Any, Any, Any], intake: Intake) -> Response[bytes]:
    """Accept a bundle of files as a job and answer at once; with an Idempotency-Key, once for all its repetitions.

    With `Prefer: wait` the answer is the job itself, when it ends within that time.
    """
    # Before the trace begins: who may not create jobs is not to fill the collector.
    caller = await intake.following.gate.admit(request)
    # Of several such lines none counts: joined they are malformed (W3C Trace Context §3.2), and a new trace begins.
    caller_trace = context_of(", ".join(request.headers.getall("traceparent", [])))
    with spanning(tracer, "POST /v1/download/jobs", SpanKind.SERVER, parent=caller_trace):
        return await _accept(request, intake, caller)


async def _accept(request: Request[Any, Any, Any], intake: Intake, caller: Caller) -> Response[bytes]:
    following, admission = intake.following, intake.admission
    store, queue, tickets = following.store, following.queue, following.gate.tickets
    key = read_idempotency_key(request.headers.getall("idempotency-key", []))
    content_type = ", ".join(request.headers.getall("content-type", []))
    wanted = read_job_request(content_type, await request.body())
    if wanted.ticket:
        tickets.insist_on_offered()
    beginning = await _begin(intake, wanted, caller, key)
    job_id, permit = beginning.job_id, beginning.permit
    promise = queue.promise(job_id, beginning.expected_bytes, joins=not beginning.is_replayed)
    with spanning(tracer, "create", SpanKind.PRODUCER):
        created = await _create(intake, wanted, caller, beginning, promise)
    position = queue.note(job_id, beginning.expected_bytes, created)
    ended, waited_seconds = await wait_for_end(request, job_id, caller, hub=following.hub, store=store)
    issued = issue_ticket(tickets, caller, [job_id]) if wanted.ticket else None
    headers = headers_of(beginning, now_ms=now_ms(), waited_seconds=waited_seconds)
    if ended is not None:
        headers |= admission.headers_after_the_end(permit, created)
        body = represent(ended, queue.outlook(ended), **_told_of(issued))
        return Response(body, status_code=200, media_type="application/json", headers=headers)
    headers |= admission.headers(permit, created, partition_of(job_id) or 0)
    headers["retry-after"] = str(limits.POLL_AFTER_SECONDS)
    body = accepted(
        job_id,
        position,
        promise,
        issued,
        takes_websockets=following.socket_door.offered,
        has_callback=wanted.callback_url is not None,
    )
    return Response(body, media_type="application/json", headers=headers)


def headers_of(beginning: Beginning, *, now_ms: int, waited_seconds: int) -> dict[str, str]:
    """Say where the job is, what is kept of the key, and how long the answer was let wait."""
    headers = {"location": status_path(beginning.job_id), "cache-control": "no-store"}
    if waited_seconds:
        headers["preference-applied"] = f"wait={waited_seconds}"
    if beginning.key_left_ms is not None:
        headers |= key_headers(now_ms=now_ms, left_ms=beginning.key_left_ms, is_replayed=beginning.is_replayed)
    return headers


def accepted(
    job_id: str,
    queue_position: int | None = None,
    promise: Promise = Promise(),  # noqa: B008  a frozen value
    issued: Issued | None = None,
    *,
    takes_websockets: bool,
    has_callback: bool,
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
        websocket_url=f"{path}/stream{query}" if takes_websockets else None,
        events_url=f"{path}/events{query}",
        file_url=f"{path}/file{query}",
        cancel_url=f"{path}/cancel",
        deliveries_url=f"{path}/deliveries" if has_callback else None,
        ticket=issued.ticket if issued else None,
        ticket_expires_at=events.timestamp(issued.expires_at_ms) if issued else None,
    )
    return msgspec.json.encode(accepted) + b"\n"


def _told_of(issued: Issued | None) -> dict[str, str]:
    """Give what the answer of a job that has ended already says of the ticket that was wanted with it."""
    if issued is None:
        return {}
    return {"ticket": issued.ticket, "ticket_expires_at": events.timestamp(issued.expires_at_ms)}


async def _begin(intake: Intake, wanted: JobRequest, caller: Caller, key: str | None) -> Beginning:
    """Begin with the job id that stands under a key, or with a fresh one that is then put there.

    The rules of callbacks, the catalogue and the owner's limits are asked of a first request alone: what they say may
    be another by the time of a repetition, and the answer must stay the same. What they refuse here does not use the
    key up. If others take the last place after it, the create is refused and the key used: under it the same request
    succeeds later, and no other.
    """
    drawn_id, keys = intake.following.store.new_job_id(), intake.idempotency_keys
    reserved = None if key is None else await keys.find(caller.owner, key)
    permit, expected_bytes, has_callback = None, None, wanted.callback_url is not None
    if reserved is None:
        insist_on_callback_target(wanted, intake.callback_rules)
        expected_bytes = await _insist_on_known(intake.catalogue, wanted, caller.owner)
        permit = await intake.admission.ask(caller.owner, drawn_id, key=key, has_callback=has_callback)
        if key is None:
            return Beginning(drawn_id, permit, expected_bytes)
        reserved = await keys.reserve(caller.owner, key, job_id=drawn_id, fingerprint=fingerprint_of(wanted))
    insist_on_same_request(reserved.fingerprint, fingerprint_of(wanted))
    permit = permit or await intake.admission.ask_again(caller.owner, has_callback=has_callback)
    return Beginning(reserved.job_id, permit, expected_bytes, reserved.job_id != drawn_id, reserved.left_ms)


async def _create(
    intake: Intake, wanted: JobRequest, caller: Caller, beginning: Beginning, promise: Promise
) -> Created:
    """Create the job, or find it; of one that this call has created there is a line in the audit, and it counts."""
    following, expected_bytes = intake.following, beginning.expected_bytes
    job = NewJob(
        job_id=beginning.job_id,
        owner=caller.owner,
        file_ids=wanted.file_ids,
        options=JobOptions(archive_name=wanted.archive_name, on_missing=wanted.on_missing),
        queued_message=_queued_message(promise),
        traceparent=traceparent_of_current_span(),
        expected_bytes=expected_bytes,
        promised_ms=promise.expected_ms,
        callback_url=wanted.callback_url,
    )
    try:
        created = await intake.admission.create(job, beginning.permit)
    except WaybillError:
        if not beginning.is_replayed:
            following.queue.withdraw(job.job_id, expected_bytes)
        raise
    # An id that was drawn here and exists already: most likely this call created it, and the first reply was lost.
    if created.is_new or not beginning.is_replayed:
        log.info("job created", job_id=job.job_id, files=len(wanted.file_ids), **caller.audit())
        following.metrics.count_creation()
    return created


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
