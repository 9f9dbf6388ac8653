"""Every call, a row each. Whoever adds a route adds its row here; a test finds the one that is missing.

A row names the errors of shared/errors.py that the call raises itself; statuses and codes follow from them. Parameters
and headers are declared once, in parameters.py and headers.py, and what their members mean in members.py.
"""

from gateway.contract import examples, headers, parameters, refusals
from gateway.contract.call import Answer, Body, Call, Header, Link, head_of
from gateway.contract.schemas import Release, reference
from gateway.representation import JobView, JobWithTicket, status_path
from gateway.routes.creation import Accepted
from gateway.routes.events import EventsPage
from gateway.routes.jobs import CancelView
from gateway.routes.listing import JobsView
from gateway.routes.tickets import TicketView
from gateway.ticket_request import TicketRequest
from shared import caller_errors, errors, limit_errors
from shared.jobs import JobRequest

JOBS = "/v1/download/jobs"
JOB = JOBS + "/{job_id}"

_JSON = "application/json"
_EXAMPLE_PATH = status_path(examples.JOB_ID)
_BY_TICKET = f"?ticket={examples.TICKET}"
_KEPT = (headers.CACHE_CONTROL, headers.VARY)
_ARCHIVE: tuple[Header, ...] = (headers.ETAG, headers.ACCEPT_RANGES, headers.CACHE_CONTROL)
_BYTES = Body("application/zip", {})

# ── jobs ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

_CREATED = {
    "always": (headers.LOCATION, headers.RETRY_AFTER, headers.CACHE_CONTROL),
    "at_times": (
        headers.IDEMPOTENCY_KEY_EXPIRES,
        headers.IDEMPOTENT_REPLAYED,
        headers.PREFERENCE_APPLIED,
        headers.RATE_LIMIT,
        headers.RATE_LIMIT_POLICY,
    ),
}
_FOLLOW_UPS = tuple(
    Link(call_id[0].upper() + call_id[1:], 202, call_id)
    for call_id in ("readJob", "readEvents", "cancelJob", "deleteJob", "fetchArchive")
)
CREATE_JOB = Call(
    method="POST",
    path=JOBS,
    call_id="createJob",
    summary="Ask for a bundle of files as a job.",
    description="Answers at once, with where to follow it. With `Prefer: wait` it waits for the job's end.",
    parameters=(parameters.IDEMPOTENCY_KEY, parameters.PREFER),
    request=Body(
        _JSON,
        reference(JobRequest),
        {"file_ids": [70_000, 70_001, 70_002], "archive_name": "samples", "on_missing": "skip", "ticket": True},
    ),
    answers=(
        Answer(
            202,
            "The job is accepted.",
            Body(
                _JSON,
                reference(Accepted),
                {
                    "job_id": examples.JOB_ID,
                    "status": "queued",
                    "queue_position": 0,
                    "estimated_duration": "60-120s",
                    "status_url": f"{_EXAMPLE_PATH}{_BY_TICKET}",
                    "stream_url": f"{_EXAMPLE_PATH}/stream{_BY_TICKET}",
                    "websocket_url": f"{_EXAMPLE_PATH}/stream{_BY_TICKET}",
                    "events_url": f"{_EXAMPLE_PATH}/events{_BY_TICKET}",
                    "file_url": f"{_EXAMPLE_PATH}/file{_BY_TICKET}",
                    "cancel_url": f"{_EXAMPLE_PATH}/cancel",
                    "ticket": examples.TICKET,
                    "ticket_expires_at": examples.moment(examples.TICKET_SECONDS),
                },
            ),
            **_CREATED,
        ),
        Answer(
            200,
            "The job has ended within the wait that was preferred.",
            Body(_JSON, reference(JobWithTicket), examples.completed_job()),
            **_CREATED,
        ),
    ),
    refusals=(
        errors.InvalidIdempotencyKey, errors.IdempotencyKeyReused, errors.MalformedBody, errors.UnsupportedMediaType,
        errors.InvalidRequest, errors.UnknownFiles, caller_errors.FilesForbidden, errors.CatalogueUnavailable,
        errors.RecordUnreadable, caller_errors.TicketsNotOffered, refusals.BODY_TOO_LARGE, *refusals.CREATING,
    ),
    links=_FOLLOW_UPS,
)  # fmt: skip

LIST_JOBS = Call(
    method="GET",
    path=JOBS,
    call_id="listJobs",
    summary="Show your jobs, newest first.",
    parameters=(parameters.STATUS, parameters.CURSOR, parameters.JOBS_LIMIT),
    answers=(
        Answer(
            200,
            "A page of jobs.",
            Body(_JSON, reference(JobsView), {"jobs": [examples.running_job()], "next_cursor": None}),
            always=_KEPT,
        ),
    ),
    refusals=(errors.InvalidStatus, errors.InvalidCursor, errors.InvalidLimit, *refusals.READING),
)

READ_JOB = Call(
    method="GET",
    path=JOB,
    call_id="readJob",
    summary="Show a job as it is now.",
    description="With `If-None-Match` 304 while nothing has changed; with `Prefer: wait` after the next change.",
    parameters=(parameters.JOB_ID, parameters.IF_NONE_MATCH, parameters.PREFER),
    answers=(
        Answer(
            200,
            "The job.",
            Body(_JSON, reference(JobView), examples.running_job()),
            always=(headers.ETAG, *_KEPT),
            at_times=(headers.RETRY_AFTER, headers.PREFERENCE_APPLIED),
        ),
        Answer(
            304,
            "Nothing has changed.",
            always=(headers.ETAG, *_KEPT),
            at_times=(headers.RETRY_AFTER, headers.PREFERENCE_APPLIED),
        ),
    ),
    refusals=(*refusals.JOB, *refusals.READING),
    takes_ticket=True,
)

CANCEL_JOB = Call(
    method="POST",
    path=JOB + "/cancel",
    call_id="cancelJob",
    summary="Give a job up.",
    description="Repeat it as often as you like.",
    parameters=(parameters.JOB_ID,),
    answers=(
        Answer(
            202,
            "The job is `cancelled`, or its run is being ended.",
            Body(_JSON, reference(CancelView), {"job_id": examples.JOB_ID, "status": "cancelled"}),
            always=(headers.LOCATION, headers.CACHE_CONTROL),
        ),
        Answer(
            200,
            "The job had ended in another way before.",
            Body(_JSON, reference(CancelView), {"job_id": examples.JOB_ID, "status": "completed"}),
            always=(headers.LOCATION, headers.CACHE_CONTROL),
        ),
    ),
    refusals=(*refusals.JOB, *refusals.WRITING),
)

DELETE_JOB = Call(
    method="DELETE",
    path=JOB,
    call_id="deleteJob",
    summary="End a job, and remove what it has made.",
    description="Everything about it is 410 from now on.",
    parameters=(parameters.JOB_ID,),
    answers=(Answer(204, "The job is over."),),
    refusals=(*refusals.JOB, *refusals.WRITING),
)

# ── what happens to a job ─────────────────────────────────────────────────────────────────────────────────────────────

STREAM_JOB = Call(
    method="GET",
    path=JOB + "/stream",
    call_id="streamJob",
    summary="Follow a job by Server-Sent Events, or by a WebSocket.",
    description="See [The stream](#the-stream), and [By WebSocket](#by-websocket).",
    parameters=(parameters.JOB_ID, parameters.LAST_EVENT_ID, parameters.LAST_EVENT_ID_IN_QUERY),
    answers=(
        Answer(
            200,
            "Frames, each with one message.",
            Body(
                "text/event-stream",
                {"type": "string"},
                f'data: {{"type":"started","attempt":1,"at":"{examples.moment()}"}}\nid: 1-2\n\n'
                f'event: heartbeat\ndata: {{"type":"heartbeat","at":"{examples.moment(15)}"}}\n\n',
                item_schema=reference("Frame"),
            ),
            always=(headers.CACHE_CONTROL, headers.X_ACCEL_BUFFERING, headers.VARY),
        ),
        Answer(
            101,
            "A WebSocket, where one was asked for; whatever refuses the stream closes it with a code.",
            always=(headers.UPGRADE, headers.SEC_WEBSOCKET_ACCEPT),
        ),
        Answer(204, "The cursor is the end of an ended job: nothing will follow.", always=(headers.CACHE_CONTROL,)),
    ),
    refusals=(
        *refusals.JOB,
        errors.RepeatedParameter,
        errors.MalformedHandshake,
        caller_errors.OriginRefused,
        errors.Draining,
        errors.TooManyStreams,
        limit_errors.TooManyOwnerStreams,
        *refusals.READING,
    ),
    takes_ticket=True,
)

READ_EVENTS = Call(
    method="GET",
    path=JOB + "/events",
    call_id="readEvents",
    summary="Page through a job's events, oldest first.",
    description="With `Prefer: wait` an empty page waits for the next event.",
    parameters=(parameters.JOB_ID, parameters.AFTER, parameters.EVENTS_LIMIT, parameters.PREFER),
    answers=(
        Answer(
            200,
            "A page of events.",
            Body(
                _JSON,
                reference(EventsPage),
                {
                    "events": [{"id": "1-2", "type": "started", "attempt": 1, "at": examples.moment(0.4)}],
                    "next_after": "1-2",
                    "has_more": False,
                },
            ),
            always=(headers.CACHE_CONTROL,),
            at_times=(headers.PREFERENCE_APPLIED,),
        ),
    ),
    refusals=(
        *refusals.JOB,
        errors.InvalidCursor,
        errors.InvalidLimit,
        errors.RepeatedParameter,
        *refusals.READING,
    ),
    takes_ticket=True,
)

# ── the archive ───────────────────────────────────────────────────────────────────────────────────────────────────────

FETCH_ARCHIVE = Call(
    method="GET",
    path=JOB + "/file",
    call_id="fetchArchive",
    summary="Fetch the archive: whole, a range of it, or where it is.",
    description="See [Fetching the archive](#fetching-the-archive).",
    parameters=(
        parameters.JOB_ID, parameters.RANGE, parameters.IF_RANGE, parameters.IF_MATCH, parameters.IF_NONE_MATCH,
    ),
    answers=(
        Answer(200, "The ZIP.", _BYTES, always=(*_ARCHIVE, headers.CONTENT_DISPOSITION)),
        Answer(
            206, "One range of it.", _BYTES, always=(*_ARCHIVE, headers.CONTENT_DISPOSITION, headers.CONTENT_RANGE)
        ),
        Answer(304, "Your copy is still the same.", always=_ARCHIVE),
        Answer(307, "It is in a store: follow at once.", always=(headers.CACHE_CONTROL, headers.SIGNED_LOCATION)),
    ),
    refusals=(
        *refusals.JOB, errors.JobNotReady, errors.JobFailed, refusals.ARCHIVE_CHANGED, refusals.RANGE_NOT_SATISFIABLE,
        *refusals.READING,
    ),
    takes_ticket=True,
)  # fmt: skip
_FROM_RECORD = Answer(
    200,
    "The head of the ZIP; from the job's record where the archive is in a store.",
    always=(headers.ACCEPT_RANGES, headers.CACHE_CONTROL, headers.CONTENT_DISPOSITION),
    at_times=(headers.ETAG,),
)

# ── tickets ───────────────────────────────────────────────────────────────────────────────────────────────────────────

GIVE_TICKET = Call(
    method="POST",
    path="/v1/download/tickets",
    call_id="giveTicket",
    summary="Ask for a ticket that opens jobs of yours to readers.",
    description="For links, and for streams of what sends no headers: see [Tickets](#tickets).",
    request=Body(_JSON, reference(TicketRequest), {"job_ids": [examples.JOB_ID]}),
    answers=(
        Answer(
            200,
            "A ticket. Nothing is kept of it.",
            Body(
                _JSON,
                reference(TicketView),
                {
                    "ticket": examples.TICKET,
                    "expires_at": examples.moment(examples.TICKET_SECONDS),
                    "job_ids": [examples.JOB_ID],
                },
            ),
            always=(headers.CACHE_CONTROL,),
        ),
    ),
    refusals=(
        errors.MalformedBody, errors.InvalidRequest, errors.JobNotFound, caller_errors.TicketsNotOffered,
        refusals.BODY_TOO_LARGE, *refusals.READING,
    ),
)  # fmt: skip

# ── the service itself ────────────────────────────────────────────────────────────────────────────────────────────────

_PUBLISHED = (headers.ETAG, headers.CACHE_CONTROL)
READ_DOCUMENT = Call(
    method="GET",
    path="/openapi.json",
    call_id="readDocument",
    summary="This document.",
    parameters=(parameters.IF_NONE_MATCH,),
    answers=(
        Answer(200, "OpenAPI 3.1.", Body(_JSON, {"type": "object"}), always=_PUBLISHED),
        Answer(304, "It has not changed.", always=_PUBLISHED),
    ),
    is_open=True,
)
_PAGE = (*_PUBLISHED, headers.CONTENT_SECURITY_POLICY_OF_PAGE)
READ_PAGE = Call(
    method="GET",
    path="/docs",
    call_id="readPage",
    summary="This reference as a page.",
    parameters=(parameters.IF_NONE_MATCH,),
    answers=(
        Answer(200, "HTML, without scripts.", Body("text/html", {"type": "string"}), always=_PAGE),
        Answer(304, "It has not changed.", always=_PAGE),
    ),
    is_open=True,
)
READ_VERSION = Call(
    method="GET",
    path="/version",
    call_id="readVersion",
    summary="Which release answers.",
    answers=(
        Answer(
            200,
            "The release.",
            Body(_JSON, reference(Release), {"name": "waybill", "version": "0.1.0", "api": "v1"}),
            always=(headers.CACHE_CONTROL,),
        ),
    ),
    is_open=True,
)

METHODS = Answer(
    204,
    "What an address takes: the answer to OPTIONS, and to the question of a browser whether a page may ask.",
    at_times=(
        headers.ALLOW, headers.ACCESS_CONTROL_ALLOW_METHODS, headers.ACCESS_CONTROL_ALLOW_HEADERS,
        headers.ACCESS_CONTROL_MAX_AGE,
    ),
)  # fmt: skip
"""The same for each path; a call of its own it is nowhere."""

CALLS: tuple[Call, ...] = (
    CREATE_JOB,
    LIST_JOBS,
    head_of(LIST_JOBS, call_id="listJobsHead"),
    READ_JOB,
    head_of(READ_JOB, call_id="readJobHead"),
    STREAM_JOB,
    READ_EVENTS,
    head_of(READ_EVENTS, call_id="readEventsHead"),
    CANCEL_JOB,
    DELETE_JOB,
    FETCH_ARCHIVE,
    head_of(FETCH_ARCHIVE, call_id="fetchArchiveHead", answers=(_FROM_RECORD, *FETCH_ARCHIVE.answers[1:3])),
    GIVE_TICKET,
    READ_DOCUMENT,
    head_of(READ_DOCUMENT, call_id="readDocumentHead"),
    READ_PAGE,
    head_of(READ_PAGE, call_id="readPageHead"),
    READ_VERSION,
    head_of(READ_VERSION, call_id="readVersionHead"),
)
"""Every call, in the order of the reference."""
