"""Page through a job's event log: for clients that cannot hold a stream open."""

from typing import Any

import msgspec
from litestar import HttpMethod, Request, Response, route

from gateway.access import find_job
from gateway.edge.address import insist_on_known, insist_on_single
from gateway.streaming.following import Following
from gateway.streaming.long_poll import wait_for_news
from gateway.streaming.subscription import tail_of
from shared import limits
from shared.errors import InvalidCursor, InvalidLimit
from shared.event_id import START, EventId
from shared.events import Gap


@route("/v1/download/jobs/{job_id:str}/events", http_method=[HttpMethod.GET, HttpMethod.HEAD])
async def read_events(
    request: Request[Any, Any, Any],
    following: Following,
    job_id: str,
    after: str = str(START),
    limit: str = str(limits.DEFAULT_EVENTS_PER_PAGE),
) -> Response[bytes]:
    """Give a page of a job's event log: `{events, next_after, has_more, gap?}`, oldest first.

    With `Prefer: wait`, a page that would be empty waits for the next event; not for one after the job's end.
    """
    caller = await following.gate.admit_reader(request)
    insist_on_known(request.query_params, "after", "limit", "ticket")
    insist_on_single(request.query_params, "after", "limit")
    cursor = EventId.parse(after)
    if cursor is None:
        raise InvalidCursor(f"after={after[:40]!r} is no event id. Take next_after of the page before, or 0-0.")
    if not (len(limit) < 5 and limit.isascii() and limit.isdigit() and 1 <= int(limit) <= limits.MAX_EVENTS_PER_PAGE):
        raise InvalidLimit(f"limit={limit[:40]!r} must be a number from 1 to {limits.MAX_EVENTS_PER_PAGE}.")
    store, hub = following.store, following.hub
    record = await find_job(store, caller, job_id)
    headers = {"cache-control": "no-store"}
    is_at_end = cursor == tail_of(record)
    if is_at_end and (waited_seconds := await wait_for_news(request, record, caller, hub=hub, store=store)):
        headers["preference-applied"] = f"wait={waited_seconds}"
        record = await find_job(store, caller, job_id)
    tail = tail_of(record)
    found = await store.read_events(job_id, after=cursor, count=int(limit) + 1)
    body = page(found, cursor, int(limit)) if cursor <= tail else beyond(cursor, tail)
    return Response(msgspec.json.encode(body) + b"\n", media_type="application/json", headers=headers)


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


def beyond(cursor: EventId, tail: EventId) -> EventsPage:
    """Build the page of a cursor after the last event: of another job, or of writes that Redis has lost."""
    return EventsPage(events=[], next_after=str(tail), has_more=False, gap=Gap(str(cursor), str(tail), None))
