"""The id of a request: taken from its caller, or drawn; said in the answer, and on every log line of the request."""

import random
import re

import structlog

from shared import limits

_ID = re.compile(rb"[A-Za-z0-9._~+/=:-]{1,%d}" % limits.MAX_REQUEST_ID_CHARS)


def request_id_of(given: bytes | None) -> str:
    """Give the id that a caller sent as X-Request-Id, if it can stand in logs and headers; else a new one.

    It is drawn by no secret generator: it opens nothing.
    """
    if given is not None and _ID.fullmatch(given):
        return given.decode()
    return f"{random.getrandbits(128):032x}"


def bind_request(request_id: str, client: str) -> None:
    """Put the id, and the address of the client, on every log line of the task that runs now."""
    structlog.contextvars.bind_contextvars(request_id=request_id, client=client)


def current_request_id() -> str | None:
    """Give the id of the request that this task is for; None outside of any."""
    found: str | None = structlog.contextvars.get_contextvars().get("request_id")
    return found


def current_client() -> str | None:
    """Give the address of the client whose request this task is for; None outside of any."""
    found: str | None = structlog.contextvars.get_contextvars().get("client")
    return found
