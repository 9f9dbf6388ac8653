"""What an answer means to a client: the error that it stands for, and how long to wait before the next try. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from gateway.client.errors import NotWaybill, UnknownAnswer
from shared.caller_errors import FilesForbidden, ScopeMissing, Unauthenticated
from shared.errors import RequestError, UnavailableError, UnknownFiles, WaybillError
from shared.limit_errors import LimitReached

PROBLEM = "application/problem+json"
_WITH_FILES = (UnknownFiles, FilesForbidden)
# What a proxy in front of the gateways says for them while they are away.
_PROXY_TROUBLE = (502, 504, 520, 521, 522, 523, 524, 530)


def is_worth_repeating(status: int) -> bool:
    """Tell whether the same request may be answered otherwise in a moment."""
    return status in (408, 429, 503, *_PROXY_TROUBLE)


def retry_after_ms(headers: Mapping[str, str]) -> int:
    """Read Retry-After in seconds (RFC 9110 §10.2.3); 0 when there is none, or a date."""
    text = headers.get("retry-after", "")
    return int(text) * 1000 if text.isascii() and text.isdigit() and len(text) < 6 else 0


def error_of(status: int, headers: Mapping[str, str], body: bytes, *, shown_url: str) -> WaybillError:
    """Give the error that an answer stands for: the server's own class, by its code, where there is a problem."""
    if 300 <= status < 400:
        return NotWaybill(f"{shown_url} redirects to {headers.get('location', 'nowhere')}. Use that address instead.")
    problem = _problem_of(headers, body)
    if problem is None:
        return _unspoken(status, headers, shown_url)
    code, detail = str(problem.get("code", "")), str(problem.get("detail") or problem.get("title") or f"HTTP {status}")
    kind = _BY_CODE.get(code)
    if kind is None:
        return _by_status(status, detail) or UnknownAnswer(detail, answered_status=status, answered_code=code)
    if issubclass(kind, _WITH_FILES):
        return kind(detail, file_ids=[number for number in problem.get("file_ids") or () if isinstance(number, int)])
    if issubclass(kind, Unauthenticated):
        return kind(detail, is_refused="invalid_token" in headers.get("www-authenticate", ""))
    if issubclass(kind, LimitReached):
        return kind(detail, retry_after_seconds=retry_after_ms(headers) // 1000)
    return kind(detail, scope="") if issubclass(kind, ScopeMissing) else kind(detail)


def _problem_of(headers: Mapping[str, str], body: bytes) -> dict[str, Any] | None:
    if not headers.get("content-type", "").startswith(PROBLEM):
        return None
    try:
        problem = json.loads(body)
    except ValueError:
        return None
    return problem if isinstance(problem, dict) else None


def _unspoken(status: int, headers: Mapping[str, str], shown_url: str) -> WaybillError:
    if is_worth_repeating(status):
        return UnavailableError(f"{shown_url} is not available (HTTP {status}).")
    if headers.get("content-type", "").startswith("text/html"):
        sentence = f"{shown_url} answered with a web page, not with Waybill. Check the address."
        return NotWaybill(sentence, answered_status=status)
    return _by_status(status, f"{shown_url} answered HTTP {status}.") or NotWaybill(
        f"{shown_url} answered HTTP {status}, and not as Waybill does. Check the address.", answered_status=status
    )


def _by_status(status: int, detail: str) -> WaybillError | None:
    if status == 401:
        return Unauthenticated(detail, is_refused=False)
    return UnavailableError(detail) if is_worth_repeating(status) else None


def _family(root: type[WaybillError]) -> dict[str, type[Any]]:
    found: dict[str, type[Any]] = {}
    for kind in root.__subclasses__():
        # One without a code of its own is a case of its parent's, which no answer tells apart.
        found |= ({kind.code: kind} if "code" in vars(kind) else {}) | _family(kind)
    return found


_BY_CODE: dict[str, type[Any]] = _family(RequestError) | _family(UnavailableError)
