"""Follow a job: Server-Sent Events, resumable by Last-Event-ID."""

from typing import Any

from litestar import Request, Response, get
from litestar.types import ASGIApp

from gateway.access import find_job
from gateway.edge.address import insist_on_single
from gateway.streaming.following import Following
from gateway.streaming.subscription import Subscription, read_cursor
from gateway.streaming.viewer import Goodbye, Viewer
from shared.clock import now_ms
from shared.errors import (
    Draining,
    TokenKeysUnavailable,
    TooManyStreams,
    UnavailableError,
    WaybillError,
)
from shared.limit_errors import TooManyOwnerStreams


@get("/v1/download/jobs/{job_id:str}/stream")
async def stream_job(request: Request[Any, Any, Any], following: Following, job_id: str) -> ASGIApp:
    """Stream a job's events after the cursor: the Last-Event-ID header, else `?last_event_id=`, else from now on."""
    store, hub, metrics = following.store, following.hub, following.metrics
    try:
        caller = await following.gate.admit_reader(request)
        insist_on_single(request.query_params, "last_event_id")
        if hub.is_draining:
            raise Draining("This gateway is about to stop. Connect again; another one answers.")
        hub.insist_on_room()
        record = await find_job(store, caller, job_id)
        subscription = Subscription(following.queue.outlook)
        cursor = read_cursor(request.headers.get("last-event-id"), request.query_params.get("last_event_id"))
        if has_more := subscription.open(cursor, record, at_ms=now_ms()):
            await hub.admit(record.owner)
    except (UnavailableError, TooManyOwnerStreams) as error:
        if "text/event-stream" in request.headers.get("accept", ""):
            reason = _reason(error)
            metrics.count_refusal(reason)
            return Goodbye(reason)
        raise
    if not has_more:
        metrics.count_resume(subscription.resume)
        # WHATWG HTML §9.2.3: this, and only this, makes an EventSource stop for good.
        return Response(b"", status_code=204, headers={"cache-control": "no-store"}).to_asgi_response(None, request)
    return Viewer(
        record, subscription, hub=hub, store=store, metrics=metrics, ticket_expires_at_ms=caller.expires_at_ms
    )


def _reason(error: WaybillError) -> str:
    match error:
        case Draining():
            return "drain"
        case TooManyStreams():
            return "overload"
        case TooManyOwnerStreams():
            return "limit"
        case TokenKeysUnavailable():
            return "token_keys"
        case _:
            return "redis"
