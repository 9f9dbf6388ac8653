"""Every call, a row each; a test finds the route without a row. Those about events stand in event_calls.py, those about
callbacks in delivery_calls.py.

A row names the errors of shared/errors.py that the call raises itself; statuses and codes follow from them. Parameters
and headers are declared once, in parameters.py and headers.py, and what their members mean in members.py.
"""

from gateway.contract import examples, headers, parameters, refusals
from gateway.contract.call import JOB, JOBS, JSON, Answer, Body, Call, Header, Link, head_of
from gateway.contract.delivery_calls import READ_DELIVERIES, REDELIVER
from gateway.contract.event_calls import READ_EVENTS, STREAM_JOB, STREAM_JOBS
from gateway.contract.schemas import Release, reference
from gateway.representation import JobView, JobWithTicket
from gateway.routes.catalogue import FilesView
from gateway.routes.creation import Accepted
from gateway.routes.jobs import CancelView
from gateway.routes.listing import BatchView, JobsView
from gateway.routes.tickets import TicketView
from gateway.ticket_request import TicketRequest
from shared import caller_errors, errors
from shared.jobs import JobRequest

_KEPT = (headers.CACHE_CONTROL, headers.VARY)
_ARCHIVE: tuple[Header, ...] = (headers.ETAG, headers.ACCEPT_RANGES, headers.CACHE_CONTROL)
_BYTES = Body("application/zip", {})

# ── jobs ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

_CREATED = (headers.LOCATION, headers.CACHE_CONTROL)
_CREATED_AT_TIMES = (
    headers.IDEMPOTENCY_KEY_EXPIRES,
    headers.IDEMPOTENT_REPLAYED,
    headers.PREFERENCE_APPLIED,
    headers.RATE_LIMIT,
    headers.RATE_LIMIT_POLICY,
)
_FOLLOW_UPS = tuple(
    Link(call_id[0].upper() + call_id[1:], 202, call_id)
    for call_id in ("readJob", "readEvents", "cancelJob", "retryJob", "deleteJob", "fetchArchive", "readDeliveries")
)
CREATE_JOB = Call(
    method="POST",
    path=JOBS,
    call_id="createJob",
    summary="Ask for a bundle of files as a job.",
    description="Answers at once, with where to follow it. With `Prefer: wait` it waits for the job's end.",
    parameters=(parameters.IDEMPOTENCY_KEY, parameters.PREFER, parameters.TRACEPARENT),
    request=Body(
        JSON,
        reference(JobRequest),
        {"file_ids": [70_000, 70_001, 70_002], "archive_name": "samples", "on_missing": "skip", "ticket": True,
         "callback_url": "https://shop.example.org/downloads"},
    ),
    answers=(
        Answer(
            202,
            "The job is accepted.",
            Body(
                JSON,
                reference(Accepted),
                examples.accepted_job(
                    ticket=examples.TICKET, queue_position=0, estimated_duration="60-120s"
                ),
            ),
            always=(*_CREATED, headers.RETRY_AFTER),
            at_times=_CREATED_AT_TIMES,
        ),
        Answer(
            200,
            "The job has ended within the wait that was preferred.",
            Body(JSON, reference(JobWithTicket), examples.completed_job()),
            always=_CREATED,
            at_times=_CREATED_AT_TIMES,
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
    summary="Show your jobs, newest first, or those that you name.",
    description="With `job` a batch of these, and with `If-None-Match` 304 while nothing has changed in any of them. A "
    "ticket opens a batch alone.",
    parameters=(
        parameters.STATUS, parameters.CURSOR, parameters.JOBS_LIMIT, parameters.JOBS_TO_SHOW, parameters.IF_NONE_MATCH,
    ),
    answers=(
        Answer(
            200,
            "A page of jobs; with `job` a batch, which alone has `ETag`, and `Retry-After` while one is unfinished.",
            Body(
                JSON,
                {"anyOf": [reference(JobsView), reference(BatchView)]},
                {"jobs": [examples.running_job()], "next_cursor": None},
                {"jobs": [examples.running_job()], "missing": [examples.missing_job()]},
            ),
            always=_KEPT,
            at_times=(headers.ETAG, headers.RETRY_AFTER),
        ),
        Answer(
            304,
            "Nothing has changed in these jobs.",
            always=(headers.ETAG, *_KEPT),
            at_times=(headers.RETRY_AFTER,),
        ),
    ),
    refusals=(
        errors.InvalidStatus, errors.InvalidCursor, errors.InvalidLimit, errors.InvalidQuery, *refusals.READING,
    ),
    takes_ticket=True,
)  # fmt: skip

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
            Body(JSON, reference(JobView), examples.running_job()),
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
            Body(JSON, reference(CancelView), {"job_id": examples.JOB_ID, "status": "cancelled"}),
            always=(headers.LOCATION, headers.CACHE_CONTROL),
        ),
        Answer(
            200,
            "The job had ended in another way before.",
            Body(JSON, reference(CancelView), {"job_id": examples.JOB_ID, "status": "completed"}),
            always=(headers.LOCATION, headers.CACHE_CONTROL),
        ),
    ),
    refusals=(*refusals.JOB, *refusals.WRITING),
)

RETRY_JOB = Call(
    method="POST",
    path=JOB + "/retry",
    call_id="retryJob",
    summary="Begin a failed job anew.",
    description="The same job, whose events go on. Repeat it as often as you like.",
    parameters=(parameters.JOB_ID,),
    answers=(
        Answer(
            202,
            "The job is queued again, or was before and has not ended since.",
            Body(JSON, reference(Accepted), examples.accepted_job()),
            always=(headers.LOCATION, headers.RETRY_AFTER, headers.CACHE_CONTROL),
        ),
    ),
    refusals=(*refusals.JOB, errors.JobNotFailed, *refusals.CREATING),
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

# ── files ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

LIST_FILES = Call(
    method="GET",
    path="/v1/download/files",
    call_id="listFiles",
    summary="Show the files that you may ask for, by id.",
    description="Where the operators list them: see [Listing files](#listing-files).",
    parameters=(parameters.FILES_QUERY, parameters.FILES_CURSOR, parameters.FILES_LIMIT),
    answers=(
        Answer(
            200,
            "A page of files.",
            Body(
                JSON,
                reference(FilesView),
                {
                    "files": [{"file_id": 70_000, "name": "bordeaux.tif", "size_bytes": 4_194_304}],
                    "next_cursor": "70000",
                },
            ),
            always=_KEPT,
        ),
    ),
    refusals=(
        errors.FilesNotListed, errors.InvalidCursor, errors.InvalidLimit, errors.InvalidQuery, *refusals.READING,
    ),
)  # fmt: skip

# ── tickets ───────────────────────────────────────────────────────────────────────────────────────────────────────────

GIVE_TICKET = Call(
    method="POST",
    path="/v1/download/tickets",
    call_id="giveTicket",
    summary="Ask for a ticket that opens jobs of yours to readers.",
    description="For links, and for streams of what sends no headers: see [Tickets](#tickets).",
    request=Body(JSON, reference(TicketRequest), {"job_ids": [examples.JOB_ID]}),
    answers=(
        Answer(
            200,
            "A ticket. Nothing is kept of it.",
            Body(
                JSON,
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
        Answer(200, "OpenAPI 3.1.", Body(JSON, {"type": "object"}), always=_PUBLISHED),
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
            Body(JSON, reference(Release), {"name": "waybill", "version": "0.1.0", "api": "v1"}),
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
    STREAM_JOBS,
    READ_EVENTS,
    head_of(READ_EVENTS, call_id="readEventsHead"),
    CANCEL_JOB,
    RETRY_JOB,
    DELETE_JOB,
    FETCH_ARCHIVE,
    head_of(FETCH_ARCHIVE, call_id="fetchArchiveHead", answers=(_FROM_RECORD, *FETCH_ARCHIVE.answers[1:3])),
    READ_DELIVERIES,
    head_of(READ_DELIVERIES, call_id="readDeliveriesHead"),
    REDELIVER,
    LIST_FILES,
    head_of(LIST_FILES, call_id="listFilesHead"),
    GIVE_TICKET,
    READ_DOCUMENT,
    head_of(READ_DOCUMENT, call_id="readDocumentHead"),
    READ_PAGE,
    head_of(READ_PAGE, call_id="readPageHead"),
    READ_VERSION,
    head_of(READ_VERSION, call_id="readVersionHead"),
)
"""Every call, in the order of the reference."""
