"""Callers who were not let in, or not to these files: counted each, and told to the log once in a while.

Whoever tries keys, or forgot one, does so thousands of times; a line for each would hide all others.
"""

import time
from typing import TYPE_CHECKING, Any

import structlog
from litestar import Request, Response

from gateway.problems import answer_waybill_error
from shared import limits
from shared.caller_errors import (
    FilesForbidden,
    OwnerRefused,
    ScopeMissing,
    TicketExpired,
    TicketRefused,
    TicketsNotOffered,
    Unauthenticated,
)
from shared.errors import WaybillError

if TYPE_CHECKING:
    from gateway.metrics import GatewayMetrics

log = structlog.get_logger(__name__)

REFUSALS_OF_CALLERS = (
    *(Unauthenticated, TicketRefused, TicketExpired),
    *(OwnerRefused, ScopeMissing, FilesForbidden, TicketsNotOffered),
)


class RefusedCallers:
    """The answer to these refusals, which are noted beside it."""

    def __init__(self, metrics: "GatewayMetrics") -> None:
        self._metrics = metrics
        self._quiet_until_seconds: dict[str, float] = {}
        self._unlogged: dict[str, int] = {}

    def answer(self, request: Request[Any, Any, Any], error: WaybillError) -> Response[bytes]:
        """Note a refusal, and answer it as any error of ours."""
        self.note(error)
        return answer_waybill_error(request, error)

    def note(self, error: WaybillError) -> None:
        """Count a refusal, and log it now and then; who has answered it otherwise calls this alone."""
        reason = reason_of(error)
        self._metrics.count_auth_refusal(reason)
        self._unlogged[reason] = self._unlogged.get(reason, 0) + 1
        at_seconds = time.monotonic()
        if at_seconds >= self._quiet_until_seconds.get(reason, 0.0):
            self._quiet_until_seconds[reason] = at_seconds + limits.REFUSED_CALLERS_LOGGED_EVERY_SECONDS
            log.warning("caller refused", reason=reason, since_last_line=self._unlogged.pop(reason))


def reason_of(error: WaybillError) -> str:
    """Name a refusal, for a label and a log line: whoever sent nothing at all is `anonymous`."""
    if isinstance(error, Unauthenticated) and not error.is_refused:
        return "anonymous"
    return error.code.lower()
