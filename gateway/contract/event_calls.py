"""The rows of the calls that tell what happens to jobs: streams, and pages of events. They stand in calls.CALLS."""

from gateway.contract import examples, headers, parameters, refusals
from gateway.contract.call import JOB, JSON, Answer, Body, Call
from gateway.contract.schemas import reference
from gateway.routes.events import EventsPage
from shared import caller_errors, errors, limit_errors

_SWITCHED = Answer(
    101,
    "A WebSocket, where one was asked for; whatever refuses the stream closes it with a code.",
    always=(headers.UPGRADE, headers.SEC_WEBSOCKET_ACCEPT),
)

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
        _SWITCHED,
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

STREAM_JOBS = Call(
    method="GET",
    path="/v1/download/stream",
    call_id="streamJobs",
    summary="Follow many jobs by Server-Sent Events, or by a WebSocket.",
    description="See [Many jobs on one stream](#many-jobs-on-one-stream).",
    parameters=(parameters.JOBS_TO_FOLLOW, parameters.VECTOR, parameters.VECTOR_IN_QUERY),
    answers=(
        Answer(
            200,
            "Frames, each with one message.",
            Body(
                "text/event-stream",
                {"type": "string"},
                f'data: {{"job_id":"{examples.JOB_ID}","type":"started","attempt":1,"at":"{examples.moment()}"}}\n'
                "id: 1-2.-\n\n"
                f'data: {{"job_id":"{examples.UNKNOWN_JOB_ID}","type":"error","error":{{"code":"NOT_FOUND","message":'
                f'"{examples.NO_SUCH_JOB}"}},"can_retry":false,"at":"{examples.moment()}"}}\n'
                "id: 1-2.x\n\n",
                item_schema=reference("FrameOfMany"),
            ),
            always=(headers.CACHE_CONTROL, headers.X_ACCEL_BUFFERING, headers.VARY),
        ),
        _SWITCHED,
        Answer(204, "Each cursor is the end of its job: nothing will follow.", always=(headers.CACHE_CONTROL,)),
    ),
    refusals=(
        errors.InvalidQuery, errors.RepeatedParameter, errors.MalformedHandshake, caller_errors.OriginRefused,
        errors.Draining, errors.TooManyStreams, limit_errors.TooManyOwnerStreams, *refusals.READING,
    ),
    takes_ticket=True,
)  # fmt: skip

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
                JSON,
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
        errors.InvalidQuery,
        errors.RepeatedParameter,
        *refusals.READING,
    ),
    takes_ticket=True,
)
