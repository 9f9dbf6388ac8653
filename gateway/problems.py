"""Errors as answers: problem+json (RFC 9457) with a stable code, what happened, and what the reader can do."""

from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, InternalServerException

from gateway.edge.handshake import VERSION as WEBSOCKET_VERSION
from gateway.edge.request_id import current_request_id
from shared import limits
from shared.caller_errors import ScopeMissing, Unauthenticated
from shared.errors import MalformedHandshake, RecordUnreadable, UnavailableError, WaybillError
from shared.limit_errors import LimitReached

log = structlog.get_logger(__name__)

PROBLEM_JSON = "application/problem+json"
INTERNAL = ("INTERNAL", "Something went wrong here. It has been logged; try again, or tell the operators.")
CHALLENGE = 'Bearer realm="waybill"'

_SENTENCES = {
    404: ("NOT_FOUND", "There is nothing at this address."),
    405: ("METHOD_NOT_ALLOWED", "This address does not take this method; the Allow header lists those it takes."),
    413: (
        "BODY_TOO_LARGE",
        f"The body is larger than {limits.MAX_BODY_BYTES:,} bytes. Split the request into several jobs.",
    ),
}


def problem(
    status: int, code: str, detail: str, *, headers: dict[str, str] | None = None, **more: object
) -> Response[bytes]:
    """Build a problem answer; `more` are extension members, the empty ones left out."""
    return Response(
        problem_body(status, code, detail, **more),
        status_code=status,
        media_type=PROBLEM_JSON,
        headers={"cache-control": "no-store"} | (headers or {}),
    )


def problem_body(status: int, code: str, detail: str, **more: object) -> bytes:
    """Encode a problem (RFC 9457 §3.1), with the id by which operators find its request in their log."""
    body = {"title": HTTPStatus(status).phrase, "status": status, "code": code, "detail": detail}
    body |= {name: value for name, value in ({"request_id": current_request_id()} | more).items() if value}
    return msgspec.json.encode(body) + b"\n"


def answer_waybill_error(_: Request[Any, Any, Any], error: WaybillError) -> Response[bytes]:
    """Answer an error of our own tree."""
    if error.status >= 500 and not isinstance(error, UnavailableError):
        log.error("request failed", exc_info=error)
        if not isinstance(error, RecordUnreadable):
            return _internal()
    headers = _challenge(error) | (error.headers if isinstance(error, LimitReached) else {})
    if error.retry_after_seconds is not None:
        headers["retry-after"] = str(error.retry_after_seconds)
    detail = error.public_message or error.message
    return problem(error.status, error.code, detail, headers=headers, file_ids=list(getattr(error, "file_ids", ())))


def _challenge(error: WaybillError) -> dict[str, str]:
    """Say how to get in (RFC 6750 §3), without an error code for those who have not tried yet (§3.1)."""
    match error:
        case Unauthenticated(is_refused=False):
            return {"www-authenticate": CHALLENGE}
        case Unauthenticated():
            return {"www-authenticate": f'{CHALLENGE}, error="invalid_token"'}
        case ScopeMissing(scope=scope):
            return {"www-authenticate": f'{CHALLENGE}, error="insufficient_scope", scope="{scope}"'}
        case MalformedHandshake():
            return {"sec-websocket-version": WEBSOCKET_VERSION}  # RFC 6455 §4.2.2
    return {}


def answer_http_exception(_: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Answer what the framework refuses: unknown paths, wrong methods, too large bodies."""
    status = error.status_code
    if isinstance(error, InternalServerException) and "client disconnected" in error.detail:
        log.debug("a caller left before its request was whole")
        return _internal()
    if status >= 500:
        log.error("request failed", exc_info=error)
        return _internal()
    # Not the framework's own words: they name its classes, and the parameters of our functions.
    code, sentence = _SENTENCES.get(status, ("BAD_REQUEST", "The request is none that is taken here; see the API."))
    headers = {name.lower(): text for name, text in (error.headers or {}).items()}
    if "allow" in headers:  # the framework's order is another one in each process
        headers["allow"] = ", ".join(sorted(headers["allow"].split(", ")))
    return problem(status, code, sentence, headers=headers)


def answer_unexpected(_: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer our own mistakes: everything to the log, nothing to the caller."""
    log.error("request failed", exc_info=error)
    return _internal()


def _internal() -> Response[bytes]:
    return problem(500, *INTERNAL)
