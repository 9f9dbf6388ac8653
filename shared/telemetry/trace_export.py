"""Sends spans to a collector, by OTLP over HTTP, in a thread of its own. Nobody who makes spans ever waits for it.

A collector that is away costs two log lines, when it is missed and when it is back, and the spans in between: the queue
of the SDK is bounded (2,048 spans, OTEL_BSP_MAX_QUEUE_SIZE), and drops what does not fit; `span_losses.py` counts it.
A redirect is no answer of a collector: it is not followed, for its headers have keys that are meant for one host.
"""

import logging
import threading
from collections.abc import Sequence

import requests
import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from shared import limits
from shared.errors import SettingsError
from shared.setting import without_passwords
from shared.telemetry.span_losses import SpanLosses

log = structlog.get_logger(__name__)

_EXPORTERS_OWN = ("opentelemetry.exporter.otlp.proto.http.trace_exporter", "opentelemetry.sdk._shared_internal")


class CollectorExporter(SpanExporter):
    """Exports to `<endpoint>/v1/traces` (OTLP/HTTP). Headers, certificates and the timeout are OTEL_ variables."""

    def __init__(self, endpoint: str, losses: SpanLosses) -> None:
        self._losses = losses
        self._lost_before: int | None = None
        self._endpoint = without_passwords(endpoint)
        self._trouble = _LastWords()
        for name in _EXPORTERS_OWN:  # a line for each batch and each span that is lost: hundreds a minute, all the same
            logging.getLogger(name).addFilter(self._trouble)
        session = requests.Session()
        session.hooks["response"].append(_refuse_redirect)
        self._exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", session=session)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch; the SDK calls this in its thread."""
        self._losses.note_batch(len(spans))
        result = self._exporter.export(spans)
        if result is SpanExportResult.SUCCESS:
            if self._lost_before is not None:
                lost_spans = self._losses.total - self._lost_before
                log.info("traces are exported again", endpoint=self._endpoint, lost_spans=lost_spans)
            self._lost_before = None
        else:
            if self._lost_before is None:
                self._lost_before = self._losses.total
                log.warning("traces cannot be exported", endpoint=self._endpoint, trouble=self._trouble.text)
            self._losses.note_not_taken(len(spans))
        return result

    def shutdown(self) -> None:
        """Send no more."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]  # it ships no type for this one

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Do nothing: nothing is kept here."""
        return self._exporter.force_flush(timeout_millis)


def _refuse_redirect(answer: requests.Response, **_: object) -> None:
    """Fail an answer by which nobody has taken the spans: for the SDK every status below 400 is a success."""
    if 300 <= answer.status_code < 400:
        answer.close()
        place = place_of(answer.headers.get("location", ""))
        raise requests.TooManyRedirects(f"{answer.status_code}, elsewhere: {place or 'nowhere'}")


class _CountedQueue(BatchSpanProcessor):
    """The SDK's queue, which tells of what goes into it."""

    def __init__(self, exporter: CollectorExporter, losses: SpanLosses) -> None:
        super().__init__(exporter)
        self._losses = losses

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span that has ended; one that is not recorded goes nowhere."""
        if span.context and span.context.trace_flags.sampled:
            self._losses.note_queued()
        super().on_end(span)


def exporting_processor(endpoint: str, losses: SpanLosses) -> SpanProcessor:
    """Make what sends ended spans there. Raises SettingsError for what the SDK does not take of its own variables."""
    try:
        return _CountedQueue(CollectorExporter(endpoint, losses), losses)
    except ValueError as error:
        raise SettingsError([f"A variable of OpenTelemetry (OTEL_…) is wrong: {error}"]) from error


def end_export(provider: TracerProvider) -> None:
    """Send what is still there, for at most TRACE_FLUSH_SECONDS: a stop must not wait for a collector that is away."""
    last = threading.Thread(target=provider.shutdown, name="last traces", daemon=True)
    last.start()
    last.join(limits.TRACE_FLUSH_SECONDS)


def place_of(location: str) -> str:
    """Give what a log may have of where a redirect leads to: no name or password before it, and no ticket behind it.

    The authority is what stands between the first `//` and the next slash (RFC 3986 §3.2); without `//` it is a path.
    """
    scheme, slashes, rest = location.partition("?")[0].partition("#")[0].partition("//")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{slashes}{authority.rpartition('@')[2]}{slash}{path}"[: limits.MAX_LOCATION_SHOWN_CHARACTERS]


class _LastWords(logging.Filter):
    """Keeps what a library wanted to log, in place of logging it."""

    def __init__(self) -> None:
        super().__init__()
        self.text = "the collector does not take them"

    def filter(self, record: logging.LogRecord) -> bool:
        self.text = without_passwords(record.getMessage())
        return False
