"""The rows of the calls about callbacks. They stand in calls.CALLS."""

from gateway.contract import examples, headers, parameters, refusals
from gateway.contract.call import JOB, JSON, Answer, Body, Call
from gateway.contract.schemas import reference
from gateway.routes.deliveries import DeliveriesView, RedeliveryView
from shared import callback_errors, errors, limit_errors

_DELIVERY = {
    "webhook_id": examples.WEBHOOK_ID,
    "delivery_status": "waiting",
    "callback_url": "https://shop.example.org/downloads",
    "attempt": 1,
    "next_try_at": examples.moment(35),
    "redelivered_at": None,
    "tries": [{"at": examples.moment(30), "duration_ms": 214, "answer_status": 503, "error": None}],
}

READ_DELIVERIES = Call(
    method="GET",
    path=JOB + "/deliveries",
    call_id="readDeliveries",
    summary="Show what became of a job's callback.",
    description="See [Callbacks](#callbacks). Of a job that is gone, or forgotten, too. A ticket does not do.",
    parameters=(parameters.JOB_ID,),
    answers=(
        Answer(
            200,
            "Its callbacks; none before the job's end, and without `callback_url`.",
            Body(JSON, reference(DeliveriesView), {"job_id": examples.JOB_ID, "deliveries": [_DELIVERY]}),
            always=(headers.CACHE_CONTROL,),
        ),
    ),
    refusals=(errors.JobNotFound, errors.RecordUnreadable, *refusals.READING),
)

REDELIVER = Call(
    method="POST",
    path=JOB + "/redeliver",
    call_id="redeliver",
    summary="Tell a job's end again.",
    description="At once and with the same `webhook-id`; the schedule begins anew, and the tries before it are "
    "still shown. Within a minute of the last such call, and while it is being delivered, nothing changes, and the "
    "answer says how it stands. One that changes something counts as a create of the minute. One that does not wait "
    "any more is refused while as many of yours wait as may.",
    parameters=(parameters.JOB_ID,),
    answers=(
        Answer(
            202,
            "Its callback is due now; or it stands as it is: on its way, or told again within the last minute.",
            Body(JSON, reference(RedeliveryView), {"job_id": examples.JOB_ID, "delivery_status": "waiting"}),
            always=(headers.LOCATION, headers.CACHE_CONTROL),
        ),
    ),
    refusals=(
        *refusals.JOB, callback_errors.JobNotEnded, callback_errors.NoCallback, limit_errors.TooManyCreates,
        limit_errors.TooManyWaitingCallbacks, *refusals.WRITING,
    ),
)  # fmt: skip
