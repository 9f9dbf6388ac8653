"""See how a job's callback fares, and have it told again."""

from typing import Any

import msgspec
import structlog
from litestar import HttpMethod, Request, Response, post, route

from gateway.access import find_job, find_told, job_deleted
from gateway.admission import Admission
from gateway.auth.caller import Caller
from gateway.auth.gate import Gate
from gateway.representation import status_path
from shared import events
from shared.callback_errors import JobNotEnded, NoCallback
from shared.jobs import JobRecord
from shared.jobstore.callback import CallbackRecord, CallbackState, DeliveryOutcome
from shared.jobstore.outbox import Outbox, Redelivered
from shared.jobstore.store import JobStore

log = structlog.get_logger(__name__)


class TryView(msgspec.Struct, frozen=True):
    """One try: the status that was answered, if any, and in words what was wrong with it."""

    at: str
    duration_ms: int
    answer_status: int | None
    error: str | None


class DeliveryView(msgspec.Struct, frozen=True):
    """One callback: of one end of the job. `tries` are the last ones that have ended, the oldest first.

    Those from before it was asked for anew are among them, and do not count for `attempt`.
    """

    webhook_id: str
    delivery_status: CallbackState
    callback_url: str | None
    attempt: int
    next_try_at: str | None
    redelivered_at: str | None
    tries: tuple[TryView, ...]


class DeliveriesView(msgspec.Struct, frozen=True):
    """What is kept of a job's callbacks: one for each of its ends, the oldest first."""

    job_id: str
    deliveries: tuple[DeliveryView, ...]


class RedeliveryView(msgspec.Struct, frozen=True):
    """The answer to a wish to be told again."""

    job_id: str
    delivery_status: CallbackState


@route("/v1/download/jobs/{job_id:str}/deliveries", http_method=[HttpMethod.GET, HttpMethod.HEAD])
async def read_deliveries(
    request: Request[Any, Any, Any], gate: Gate, store: JobStore, outbox: Outbox, job_id: str
) -> Response[bytes]:
    """Show what was tried to tell a job's end, and when it is tried next; for its owner alone, tickets do not do."""
    caller = await gate.admit(request)
    await find_told(store, outbox, caller, job_id)
    kept = await outbox.deliveries(job_id)
    body = msgspec.json.encode(DeliveriesView(job_id, tuple(map(_shown, kept)))) + b"\n"
    headers = {"cache-control": "no-store"}
    if request.method == HttpMethod.HEAD:
        return Response(b"", media_type="application/json", headers=headers | {"content-length": str(len(body))})
    return Response(body, media_type="application/json", headers=headers)


@post("/v1/download/jobs/{job_id:str}/redeliver", status_code=202)
async def redeliver(
    request: Request[Any, Any, Any],
    gate: Gate,
    store: JobStore,
    outbox: Outbox,
    admission: Admission,
    job_id: str,
) -> Response[bytes]:
    """Tell a job's end again, at once and with the same id; its schedule begins anew."""
    caller = await gate.admit(request)
    record = await find_told(store, outbox, caller, job_id)
    if record is not None:
        _insist_on_something_to_tell(record)
    match await admission.tell_again(outbox, job_id, caller.owner):
        case Redelivered.NOT_ENDED:
            # It was begun anew meanwhile: what was read before says that it had ended.
            raise _not_ended(await find_job(store, caller, job_id))
        case Redelivered.NO_CALLBACK:
            raise _no_callback()
        case Redelivered.GONE:
            raise await _forgotten(store, caller, job_id)
        case Redelivered.UNCHANGED:
            # Its time may have run out since it was asked for.
            if not (kept := await outbox.deliveries(job_id)):
                raise await _forgotten(store, caller, job_id)
            state = kept[-1].state
        case _:
            state = CallbackState.WAITING
            log.info("callback to be told again", job_id=job_id, **caller.audit())
    body = msgspec.json.encode(RedeliveryView(job_id, state)) + b"\n"
    headers = {"location": f"{status_path(job_id)}/deliveries", "cache-control": "no-store"}
    return Response(body, media_type="application/json", headers=headers)


def _insist_on_something_to_tell(record: JobRecord) -> None:
    if record.deleted_at_ms is not None:
        raise job_deleted()
    if record.callback_url is None:
        raise _no_callback()
    if not record.state.is_terminal:
        raise _not_ended(record)


async def _forgotten(store: JobStore, caller: Caller, job_id: str) -> NoCallback:
    await find_job(store, caller, job_id)  # says whether it was deleted, or is forgotten by now
    return NoCallback("What was to be told of this job's end is forgotten. Read the job instead.")


def _no_callback() -> NoCallback:
    return NoCallback("This job was created without callback_url: nobody is told how it ends.")


def _not_ended(record: JobRecord) -> JobNotEnded:
    return JobNotEnded(f"This job is {record.state}. Its callback is sent once it has ended.")


def _shown(kept: CallbackRecord) -> DeliveryView:
    return DeliveryView(
        webhook_id=kept.callback_id,
        delivery_status=kept.state,
        callback_url=kept.url,
        attempt=kept.attempt,
        next_try_at=_timestamp(kept.next_try_at_ms),
        redelivered_at=_timestamp(kept.asked_at_ms),
        tries=tuple(map(_tried, kept.tries)),
    )


def _timestamp(at_ms: int | None) -> str | None:
    return None if at_ms is None else events.timestamp(at_ms)


def _tried(outcome: DeliveryOutcome) -> TryView:
    return TryView(events.timestamp(outcome.at_ms), outcome.duration_ms, outcome.status, outcome.error)
