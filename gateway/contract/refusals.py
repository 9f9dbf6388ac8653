"""Every problem that a caller may meet: its status, its code, and what to do. Pure.

Codes and statuses of our own errors come from shared/errors.py; the rest is what the framework, the connection or the
proxy refuses before there is an error of ours.
"""

import msgspec

from shared import callback_errors, caller_errors, errors, limit_errors, limits
from shared.errors import WaybillError


class Refusal(msgspec.Struct, frozen=True):
    """A problem by its code; `remedy` says what the reader can do."""

    status: int
    code: str
    remedy: str


Cause = type[WaybillError] | Refusal

MALFORMED_REQUEST = Refusal(400, "MALFORMED_REQUEST", "send HTTP/1.1")
UNKNOWN_ADDRESS = Refusal(404, "NOT_FOUND", "check the path")
METHOD_NOT_ALLOWED = Refusal(405, "METHOD_NOT_ALLOWED", "the `Allow` header lists the methods")
REQUEST_TIMEOUT = Refusal(408, "REQUEST_TIMEOUT", "the head within 10 seconds, the body within 30 more")
ARCHIVE_CHANGED = Refusal(412, "ARCHIVE_CHANGED", "fetch it from its beginning")
BODY_TOO_LARGE = Refusal(413, "BODY_TOO_LARGE", "split the request (64 KiB)")
RANGE_NOT_SATISFIABLE = Refusal(416, "RANGE_NOT_SATISFIABLE", "`Content-Range` has the size")
ADDRESS_TOO_LONG = Refusal(
    414, "ADDRESS_TOO_LONG", f"at most {limits.MAX_ADDRESS_BYTES // 1024} KiB: ask for less at once"
)
HEAD_TOO_LARGE = Refusal(431, "HEAD_TOO_LARGE", "address and headers together at most 32 KiB")
INTERNAL = Refusal(500, "INTERNAL", "our mistake; it is in the log")
GATEWAY_UNAVAILABLE = Refusal(
    503,
    "GATEWAY_UNAVAILABLE",
    "said by the proxy, while no gateway answers: the same request again, after `Retry-After`",
)

_AGAIN = "the same request again, after `Retry-After`"
_REMEDIES: dict[type[WaybillError], str] = {
    errors.MalformedAddress: "percent-encode it, as UTF-8",
    errors.MalformedBody: "send JSON",
    errors.MalformedHandshake: "open it as RFC 6455 has it, or as an event stream",
    errors.InvalidCursor: "take `next_after` (events) or `next_cursor` (jobs, files) of the page before",
    errors.InvalidIdempotencyKey: "one header, 1 to 255 visible ASCII characters",
    errors.InvalidLimit: "1 to 500 events, 1 to 100 jobs or files",
    errors.InvalidQuery: "the sentence names the parameter",
    errors.InvalidStatus: "one of the states, repeated for several",
    errors.RepeatedParameter: "send it once",
    caller_errors.TicketExpired: "ask for another ticket",
    caller_errors.TicketRefused: "take the ticket as it was given, once; or ask for another",
    caller_errors.Unauthenticated: "send `Authorization: Bearer` with a good API key or token",
    caller_errors.ScopeMissing: "another key: this one is not for jobs",
    caller_errors.OriginRefused: "the operators name the origins of other servers' pages (`WAYBILL_CORS_ORIGINS`)",
    caller_errors.OwnerRefused: "tell the operators: the token's owner claim is none",
    caller_errors.FilesForbidden: "`file_ids` belong to somebody else",
    caller_errors.TicketsNotOffered: "send the header with each call, or tell the operators",
    errors.JobNotFound: "check the id; ended jobs are forgotten about two days after their end",
    errors.FilesNotListed: "ask for ids that you know",
    errors.JobNotReady: "the archive is being made: follow the stream",
    errors.JobFailed: "the job failed, or was cancelled: its record says why",
    errors.JobNotFailed: "only a failed job is begun anew: its record says where it stands",
    callback_errors.JobNotEnded: "wait for its end: its callback is sent then",
    callback_errors.NoCallback: "name a `callback_url` when you create a job",
    errors.JobGone: "the archive has expired, or the job was deleted: create it again",
    errors.UnsupportedMediaType: "`Content-Type: application/json`, no `Content-Encoding`",
    caller_errors.Misdirected: "call the service by its own name",
    errors.InvalidRequest: "the sentence names the field",
    errors.UnknownFiles: "`file_ids` are not in the catalogue",
    errors.IdempotencyKeyReused: "another request was sent with this key: take a new one",
    limit_errors.TooManyJobsInFlight: "wait until one of your jobs has ended, or cancel one",
    limit_errors.TooManyCreates: "after `Retry-After`, which is exact; or put more files into one job",
    limit_errors.TooManyWaitingCallbacks: "see to your receivers; or create without `callback_url`",
    limit_errors.TooManyOwnerStreams: "close a stream, or poll",
    errors.RecordUnreadable: "what is kept of this job is damaged: create it again, and tell the operators",
    errors.RedisUnavailable: _AGAIN,
    errors.RedisFull: _AGAIN,
    errors.RedisRefused: _AGAIN,
    errors.CatalogueUnavailable: _AGAIN,
    errors.TokenKeysUnavailable: _AGAIN,
    errors.Draining: _AGAIN,
    errors.TooManyStreams: _AGAIN,
    limit_errors.BacklogFull: _AGAIN,
    limit_errors.RedisNearlyFull: _AGAIN,
}

EVERYWHERE: tuple[Cause, ...] = (
    MALFORMED_REQUEST, errors.MalformedAddress, REQUEST_TIMEOUT, ADDRESS_TOO_LONG, errors.UnsupportedMediaType,
    caller_errors.Misdirected, HEAD_TOO_LARGE, INTERNAL, GATEWAY_UNAVAILABLE,
)  # fmt: skip
"""What any call may be answered."""

GATE: tuple[Cause, ...] = (
    caller_errors.Unauthenticated, caller_errors.ScopeMissing, caller_errors.OwnerRefused, errors.TokenKeysUnavailable,
)  # fmt: skip
"""What a call that asks who calls may be answered."""

CHANGING: tuple[Cause, ...] = (caller_errors.OriginRefused,)
"""What a call that changes something may be answered, where nobody is asked who calls."""

TICKET: tuple[Cause, ...] = (caller_errors.TicketRefused, caller_errors.TicketExpired)
"""What a call that takes a ticket may be answered."""

READING: tuple[Cause, ...] = (errors.RedisUnavailable, errors.RedisRefused)
WRITING: tuple[Cause, ...] = (*READING, errors.RedisFull)
CREATING: tuple[Cause, ...] = (
    *WRITING, limit_errors.TooManyJobsInFlight, limit_errors.TooManyCreates,
    limit_errors.TooManyWaitingCallbacks, limit_errors.BacklogFull, limit_errors.RedisNearlyFull,
)  # fmt: skip
JOB: tuple[Cause, ...] = (errors.JobNotFound, errors.JobGone, errors.RecordUnreadable)
"""What a call about one job may be answered."""


def refusal_by(cause: Cause) -> Refusal:
    """Give the row of a cause. Raises KeyError for an error that callers are not told of by its code."""
    if isinstance(cause, Refusal):
        return cause
    return Refusal(cause.status, cause.code, _REMEDIES[cause])


ALL: tuple[Refusal, ...] = tuple(
    sorted(
        [MALFORMED_REQUEST, METHOD_NOT_ALLOWED, REQUEST_TIMEOUT, ARCHIVE_CHANGED, BODY_TOO_LARGE, ADDRESS_TOO_LONG,
         RANGE_NOT_SATISFIABLE, HEAD_TOO_LARGE, INTERNAL, GATEWAY_UNAVAILABLE, *map(refusal_by, _REMEDIES)],
        key=lambda refusal: (refusal.status, refusal.code),
    )
)  # fmt: skip
"""Each code once; NOT_FOUND, which an unknown address has too, as it is said of a job."""
