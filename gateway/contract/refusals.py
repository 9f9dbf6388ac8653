"""Every problem that a caller may meet: its status, its code, and what to do. Pure.

Codes and statuses of our own errors come from shared/errors.py; the rest is what the framework, the connection or the
proxy refuses before there is an error of ours.
"""

import msgspec

from shared import caller_errors, errors
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
HEAD_TOO_LARGE = Refusal(431, "HEAD_TOO_LARGE", "address and headers together at most 32 KiB")
INTERNAL = Refusal(500, "INTERNAL", "our mistake; it is in the log")
GATEWAY_UNAVAILABLE = Refusal(
    503,
    "GATEWAY_UNAVAILABLE",
    "said by the proxy, while no gateway answers: the same request again, after `Retry-After`",
)

_AGAIN = "the same request again, after `Retry-After`"
_REMEDIES: dict[type[WaybillError], str] = {
    errors.MalformedBody: "send JSON",
    errors.InvalidCursor: "take `next_after` (events) or `next_cursor` (jobs) of the page before",
    errors.InvalidIdempotencyKey: "one header, 1 to 255 visible ASCII characters",
    errors.InvalidLimit: "1 to 500 events, 1 to 100 jobs",
    errors.InvalidStatus: "one of the states, repeated for several",
    caller_errors.Unauthenticated: "send `Authorization: Bearer` with a good API key or token",
    caller_errors.ScopeMissing: "another key: this one is not for jobs",
    caller_errors.OwnerRefused: "tell the operators: the token's owner claim is none",
    caller_errors.FilesForbidden: "`file_ids` belong to somebody else",
    errors.JobNotFound: "check the id; ended jobs are forgotten about two days after their end",
    errors.JobNotReady: "the archive is being made: follow the stream",
    errors.JobFailed: "the job failed, or was cancelled: its record says why",
    errors.JobGone: "the archive has expired, or the job was deleted: create it again",
    errors.UnsupportedMediaType: "`Content-Type: application/json`",
    errors.InvalidRequest: "the sentence names the field",
    errors.UnknownFiles: "`file_ids` are not in the catalogue",
    errors.IdempotencyKeyReused: "another request was sent with this key: take a new one",
    errors.RecordUnreadable: "what is kept of this job is damaged: create it again, and tell the operators",
    errors.RedisUnavailable: _AGAIN,
    errors.RedisFull: _AGAIN,
    errors.RedisRefused: _AGAIN,
    errors.CatalogueUnavailable: _AGAIN,
    errors.TokenKeysUnavailable: _AGAIN,
    errors.Draining: _AGAIN,
    errors.TooManyStreams: _AGAIN,
}

EVERYWHERE: tuple[Cause, ...] = (
    MALFORMED_REQUEST, REQUEST_TIMEOUT, HEAD_TOO_LARGE, INTERNAL, GATEWAY_UNAVAILABLE,
)  # fmt: skip
"""What any call may be answered."""

GATE: tuple[Cause, ...] = (
    caller_errors.Unauthenticated, caller_errors.ScopeMissing, caller_errors.OwnerRefused, errors.TokenKeysUnavailable,
)  # fmt: skip
"""What a call that asks who calls may be answered."""

READING: tuple[Cause, ...] = (errors.RedisUnavailable, errors.RedisRefused)
WRITING: tuple[Cause, ...] = (*READING, errors.RedisFull)
JOB: tuple[Cause, ...] = (errors.JobNotFound, errors.JobGone, errors.RecordUnreadable)
"""What a call about one job may be answered."""


def refusal_by(cause: Cause) -> Refusal:
    """Give the row of a cause. Raises KeyError for an error that callers are not told of by its code."""
    if isinstance(cause, Refusal):
        return cause
    return Refusal(cause.status, cause.code, _REMEDIES[cause])


ALL: tuple[Refusal, ...] = tuple(
    sorted(
        [MALFORMED_REQUEST, METHOD_NOT_ALLOWED, REQUEST_TIMEOUT, ARCHIVE_CHANGED, BODY_TOO_LARGE, RANGE_NOT_SATISFIABLE,
         HEAD_TOO_LARGE, INTERNAL, GATEWAY_UNAVAILABLE, *map(refusal_by, _REMEDIES)],
        key=lambda refusal: (refusal.status, refusal.code),
    )
)  # fmt: skip
"""Each code once; NOT_FOUND, which an unknown address has too, as it is said of a job."""
