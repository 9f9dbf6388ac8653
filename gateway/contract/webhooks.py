"""The rows of what is sent to others: the callback that tells of a job's end, as its receiver sees it.

`processor/callbacks` sends it; a test holds what arrives at a real receiver against this.
"""

from gateway.contract import examples
from gateway.contract.call import JSON, Body, Header, Parameter, Reply, Webhook
from gateway.contract.schemas import reference
from shared import limits
from shared.callbacks.end_message import EndMessage

_WEBHOOK_ID = Parameter(
    "webhook-id",
    "header",
    "The same at each try of one end of a job: by it you know a repetition.",
    {"type": "string", "pattern": "^msg_[0-9a-f]{32}_[0-9]+$", "examples": [examples.WEBHOOK_ID]},
    is_required=True,
)
_WEBHOOK_TIMESTAMP = Parameter(
    "webhook-timestamp",
    "header",
    "When this try was sent, in seconds since 1970: refuse what is more than five minutes off your clock.",
    {"type": "integer", "minimum": 0, "examples": [examples.ENDED_AT_MS // 1000]},
    is_required=True,
)
_SIGNATURE = "v1,[A-Za-z0-9+/]{43}="
_WEBHOOK_SIGNATURE = Parameter(
    "webhook-signature",
    "header",
    "`v1,` and the base64 of HMAC-SHA256 over `webhook-id`, a full stop, `webhook-timestamp`, a full stop and the "
    "body; several with spaces between them while secrets change, of which one must be right. Missing where the "
    "operators have set no secret.",
    {
        "type": "string",
        "pattern": f"^{_SIGNATURE}( {_SIGNATURE}){{0,{limits.MAX_CALLBACK_SECRETS - 1}}}$",
        "examples": ["v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="],
    },
)
_TRACEPARENT = Parameter(
    "traceparent", "header", "W3C Trace Context: of this try, in the job's trace.", {"type": "string"}
)
_RETRY_AFTER = Header(
    "Retry-After",
    "Seconds, or an HTTP date: not before that; more than a day is taken for a day.",
    {"type": "string", "examples": ["120"]},
)

JOB_ENDED = Webhook(
    name="jobEnded",
    summary="A job has ended.",
    description="POSTed to the job's `callback_url` at each of its ends, at least once ([Callbacks](#callbacks)), as "
    "Standard Webhooks 1.0 has it. Verify the body byte by byte as it came, before you read it. Answer 2xx to a type "
    "that you do not know: more may come, and operators may try your URL with `download.test`, which tells of no job.",
    parameters=(_WEBHOOK_ID, _WEBHOOK_TIMESTAMP, _WEBHOOK_SIGNATURE, _TRACEPARENT),
    request=Body(JSON, reference(EndMessage), examples.end_message()),
    replies=(
        Reply("2XX", f"It has arrived, if this comes within {limits.CALLBACK_WITHIN_SECONDS:g} seconds."),
        Reply("410", "You want no more of it: it is given up."),
        Reply(
            "default",
            "It is tried again, over about three days; a redirect is not followed.",
            at_times=(_RETRY_AFTER,),
        ),
    ),
)

WEBHOOKS: tuple[Webhook, ...] = (JOB_ENDED,)
"""All that others are sent."""
