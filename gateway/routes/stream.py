"""Follow jobs: one, or many on one stream; by Server-Sent Events, resumable by Last-Event-ID, or by a WebSocket.

The two differ in their dress (streaming/dress.py) and in how one is refused, and in nothing else.
"""

from collections.abc import Sequence
from typing import Any

from litestar import Request, Response, get
from litestar.types import ASGIApp

from gateway.access import find_job, find_jobs
from gateway.auth.caller import Caller
from gateway.edge.address import insist_on_single
from gateway.job_choice import read_job_ids
from gateway.streaming.dress import EVENT_STREAM, Socket
from gateway.streaming.following import Following
from gateway.streaming.many_viewer import ManyViewer, Place
from gateway.streaming.open_stream import Goodbye, Permit
from gateway.streaming.subscription import Subscription, read_cursor
from gateway.streaming.vector import Vector, read_vector
from gateway.streaming.viewer import Viewer
from shared.clock import now_ms
from shared.errors import Draining, TokenKeysUnavailable, TooManyStreams, UnavailableError, WaybillError
from shared.jobs import JobRecord
from shared.limit_errors import TooManyOwnerStreams


@get("/v1/download/jobs/{job_id:str}/stream")
async def stream_job(request: Request[Any, Any, Any], following: Following, job_id: str) -> ASGIApp:
    """Stream a job's events after the cursor: the Last-Event-ID header, else `?last_event_id=`, else from now on."""
    hub, socket = following.hub, following.socket_door.dress_for(request)
    try:
        caller = await _admit(request, following)
        record = await find_job(following.store, caller, job_id)
        subscription = Subscription(following.queue.outlook)
        cursor = read_cursor(request.headers.get("last-event-id"), request.query_params.get("last_event_id"))
        if has_more := subscription.open(cursor, record, at_ms=now_ms()):
            await hub.admit(caller.owner)
    except WaybillError as error:
        return _refuse(request, following, error, socket)
    if not has_more:
        following.metrics.count_resume(subscription.resume)
        return _nothing_more(request, following, socket)
    return Viewer(
        record,
        subscription,
        hub=hub,
        store=following.store,
        metrics=following.metrics,
        permit=Permit(caller.owner, caller.expires_at_ms),
        dress=socket or EVENT_STREAM,
    )


@get("/v1/download/stream")
async def stream_jobs(request: Request[Any, Any, Any], following: Following) -> ASGIApp:
    """Stream the events of many jobs (`?job=…&job=…`), each after its cursor; the cursor of all is the vector of them.

    A job that cannot be had is one `error` message of the stream, and nothing to the others.
    """
    hub, socket = following.hub, following.socket_door.dress_for(request)
    try:
        caller = await _admit(request, following)
        job_ids = read_job_ids(request.query_params.getall("job", []))
        found = await find_jobs(following.store, caller, job_ids)
        places, vector, has_more = _open(request, following, job_ids, found)
        if has_more:
            await hub.admit(caller.owner, followers=len(job_ids))
    except WaybillError as error:
        return _refuse(request, following, error, socket)
    if not has_more:
        for place in places:
            following.metrics.count_resume(place.subscription.resume)
        return _nothing_more(request, following, socket)
    return ManyViewer(
        places,
        vector,
        hub=hub,
        store=following.store,
        metrics=following.metrics,
        permit=Permit(caller.owner, caller.expires_at_ms, followers=len(job_ids)),
        dress=socket or EVENT_STREAM,
    )


def _open(
    request: Request[Any, Any, Any],
    following: Following,
    job_ids: Sequence[str],
    found: Sequence[JobRecord | WaybillError],
) -> tuple[list[Place], Vector, bool]:
    """Give a place in each job, where they are, and whether there is more to tell of any."""
    header, query = request.headers.get("last-event-id"), request.query_params.get("last_event_id")
    spots, at_ms = read_vector(header, query, len(job_ids)), now_ms()
    places = [Place(number, job_id, job) for number, (job_id, job) in enumerate(zip(job_ids, found, strict=True))]
    has_more = [
        place.open(spot, job, following.queue.outlook, at_ms=at_ms)
        for place, spot, job in zip(places, spots, found, strict=True)
    ]
    return places, Vector(spots), any(has_more)


async def _admit(request: Request[Any, Any, Any], following: Following) -> Caller:
    """Let a caller in where a stream can be opened now."""
    caller = await following.gate.admit_reader(request)
    insist_on_single(request.query_params, "last_event_id")
    if following.hub.is_draining:
        raise Draining("This gateway is about to stop. Connect again; another one answers.")
    following.hub.insist_on_room()
    return caller


def _refuse(
    request: Request[Any, Any, Any], following: Following, error: WaybillError, socket: Socket | None
) -> ASGIApp:
    """Close a WebSocket; send an EventSource away for a moment, if that may help; raise the error for everybody else.

    Whoever is told to come back is counted here, whoever is refused for good where all such are.
    """
    reason = _reason(error)
    is_event_source = "text/event-stream" in request.headers.get("accept", "")
    if socket is None and (reason is None or not is_event_source):
        raise error
    if reason is not None:
        following.metrics.count_refusal(reason)
    if socket is not None:
        return following.socket_door.refuse(socket, error, reason)
    assert reason is not None
    return Goodbye(reason)


def _nothing_more(request: Request[Any, Any, Any], following: Following, socket: Socket | None) -> ASGIApp:
    if socket is not None:
        return following.socket_door.nothing_more(socket)
    # WHATWG HTML §9.2.3: this, and only this, makes an EventSource stop for good.
    return Response(b"", status_code=204, headers={"cache-control": "no-store"}).to_asgi_response(None, request)


def _reason(error: WaybillError) -> str | None:
    """Say what a stream is sent away for that may be let in later; None for what waiting does not mend."""
    match error:
        case Draining():
            return "drain"
        case TooManyStreams():
            return "overload"
        case TooManyOwnerStreams():
            return "limit"
        case TokenKeysUnavailable():
            return "token_keys"
        case UnavailableError():
            return "redis"
    return None
