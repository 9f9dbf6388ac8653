"""Logs: JSON lines, or readable ones when stderr is a terminal. Libraries that use logging go the same way."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
from opentelemetry import trace

from shared.telemetry.redaction import without_secrets


def configure_logging(service: str, *, level: str) -> None:
    """Send every log line of this process to stderr; `service` is on each of them."""
    is_terminal = sys.stderr.isatty()
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        *(_FOR_PEOPLE if is_terminal else _FOR_MACHINES),
    ]
    # Plain, because the rich one shows local variables, and a caller's key is among those of the request that failed.
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(pad_event_to=22, exception_formatter=structlog.dev.plain_traceback)
        if is_terminal
        else structlog.processors.JSONRenderer()
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer, _hide_secrets],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    # Its lines ("Started server process …") repeat what ours say, and its warnings are what anybody may send.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    # One line at level info for each look at a token issuer's keys.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    # At level debug they write down what they send, session tokens and other people's headers among it.
    for name in ("botocore", "aiobotocore", "httpcore", "urllib3"):
        logging.getLogger(name).setLevel(max(logging.INFO, logging.getLogger().level))
    # Temporary keys that cannot be had are told by the store's own sentence; these add a traceback at every try.
    for name in ("aiobotocore.credentials", "botocore.credentials"):
        logging.getLogger(name).setLevel(logging.ERROR)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)


def _add_trace_ids(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = f"{context.trace_id:032x}"
        event["span_id"] = f"{context.span_id:016x}"
    return event


def _hide_secrets(_: Any, __: str, line: Any) -> str:
    """See to the whole line at once: so no value is too deeply nested, and no traceback is left out."""
    return without_secrets(line)


_FOR_PEOPLE: tuple[structlog.typing.Processor, ...] = (structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),)
_FOR_MACHINES: tuple[structlog.typing.Processor, ...] = (
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    _add_trace_ids,
    structlog.processors.format_exc_info,
)
