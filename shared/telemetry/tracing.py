"""Traces: one from the POST through every run of the job. The job's record carries the W3C traceparent between them.

    POST /v1/download/jobs ─▶ create ─┬▶ run, epoch 1 ─▶ plan, copy, settle
                                      ├▶ run, epoch 2 ─▶ …   linked to epoch 1, the first attempt
                                      └▶ callback            linked to the run that has ended the job
                                            all of them are linked to create, which is their parent

Whether a trace is recorded is decided once, by the gateway that accepts the job (`TraceExport.ratio`), and travels as
the sampled flag in the record. Spans have ids even where nothing is recorded: the logs carry them.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from opentelemetry import metrics, trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, Sampler
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.errors import SettingsError, WaybillError
from shared.telemetry.sampling import DrawnRatio
from shared.telemetry.span_ids import FIRST_EPOCH, run_span_id
from shared.telemetry.span_losses import SpanLosses
from shared.telemetry.trace_environment import problems_of_traces, queue_spans, without_blanks
from shared.telemetry.trace_export import end_export, exporting_processor

_propagator = TraceContextTextMapPropagator()
_chosen_span_id: ContextVar[int | None] = ContextVar("chosen_span_id", default=None)


class TraceExport(NamedTuple):
    """Where spans go (the base of an OTLP/HTTP endpoint; "": nowhere), and the ratio (0 to 1) of traces that do."""

    endpoint: str
    ratio: float


class JobSpanIds(RandomIdGenerator):
    """Draws ids, but for the span of a run, whose id is chosen (span_ids.py)."""

    def generate_span_id(self) -> int:
        """Give the id of the next span."""
        return _chosen_span_id.get() or super().generate_span_id()


@contextmanager
def tracing(service: str, export: TraceExport, *, decides: bool) -> Iterator[None]:
    """Give this process' spans ids, which logs and records carry on, and export them where that is set.

    A process that `decides` draws for each trace whatever flag and id a caller has sent: it is our collector. The
    others do as the job's record says. At the end of the block what is left is sent, for a bounded time.

    Raises SettingsError for variables of OpenTelemetry that it could not go by.
    """
    given = _without_blanks_from_now_on()
    if export.endpoint and (problems := problems_of_traces(given, os.path.isfile)):
        raise SettingsError(problems)
    losses = SpanLosses(most_waiting=queue_spans(given) if export.endpoint else 0)
    losses.report(metrics.get_meter("waybill"))
    provider = _provider(service, _sampler(export, decides=decides))
    if export.endpoint:
        provider.add_span_processor(exporting_processor(export.endpoint, losses))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        end_export(provider)


def _provider(service: str, sampler: Sampler) -> TracerProvider:
    try:
        return TracerProvider(
            resource=Resource.create({"service.name": f"waybill-{service}"}),
            sampler=sampler,
            id_generator=JobSpanIds(),
            shutdown_on_exit=False,  # it would wait for a collector that is away for half a minute
        )
    # Of OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT and its likes, which it reads without an endpoint too.
    except ValueError as error:
        raise SettingsError([f"A variable of OpenTelemetry (OTEL_…) is wrong: {error}"]) from error


def _without_blanks_from_now_on() -> dict[str, str]:
    """Give OpenTelemetry's variables, and leave them so: its SDK reads the environment itself, and ends at a blank."""
    given = without_blanks(os.environ)
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        del os.environ[name]
    os.environ.update(given)
    return given


def _sampler(export: TraceExport, *, decides: bool) -> Sampler:
    if not export.endpoint:
        return ALWAYS_OFF
    ours = DrawnRatio(export.ratio)
    if decides:
        return ParentBased(ours, remote_parent_sampled=ours, remote_parent_not_sampled=ours)
    return ParentBased(ours)


@contextmanager
def spanning(
    tracer: Tracer,
    name: str,
    kind: SpanKind = SpanKind.INTERNAL,
    *,
    parent: Context | None = None,
    links: Sequence[Link] = (),
) -> Iterator[Span]:
    """Make a span of the block. An error gives it `error.type`, its code, and makes it a failed one when it is ours.

    Texts of errors stay out of it: they may hold what callers sent.
    """
    span = tracer.start_span(name, context=parent, kind=kind, links=links)
    quietly = trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False)
    with quietly, _telling_errors(span):
        yield span


@contextmanager
def spanning_run(tracer: Tracer, traceparent: str | None, epoch: int) -> Iterator[Span]:
    """Make the span of a run: a child of the job's creation, linked to it, and a later one to the first attempt too."""
    links = _links(traceparent, [FIRST_EPOCH] if epoch > FIRST_EPOCH else [])
    chosen = _chosen_span_id.set(run_span_id(traceparent, epoch) if traceparent else None)
    span = tracer.start_span("run", context=context_of(traceparent), kind=SpanKind.CONSUMER, links=links)
    _chosen_span_id.reset(chosen)  # before anything else makes a span, here or in a task that copies this context
    quietly = trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False)
    with quietly, _telling_errors(span):
        yield span


@contextmanager
def spanning_callback(tracer: Tracer, traceparent: str | None, epoch: int) -> Iterator[Span]:
    """Make the span of one try to tell of the end that stands under this epoch, linked to the run that wrote that end.

    Where nobody ran (the job was cancelled while it waited) the link leads to no span.
    """
    parent, links = context_of(traceparent), _links(traceparent, [epoch])
    with spanning(tracer, "callback", SpanKind.CLIENT, parent=parent, links=links) as span:
        yield span


def _links(traceparent: str | None, epochs: Sequence[int]) -> list[Link]:
    """Link to the creation of a job, and to its runs under these epochs."""
    creation = trace.get_current_span(context_of(traceparent)).get_span_context()
    if not traceparent or not creation.is_valid:
        return []
    ids = [creation.span_id, *(run_span_id(traceparent, epoch) for epoch in epochs)]
    return [Link(SpanContext(creation.trace_id, span_id, True, creation.trace_flags)) for span_id in ids]


@contextmanager
def _telling_errors(span: Span) -> Iterator[None]:
    try:
        yield
    except WaybillError as error:
        span.set_attribute("error.type", error.code)
        if error.status >= 500:
            span.set_status(Status(StatusCode.ERROR))
        raise
    except Exception as error:
        span.set_attribute("error.type", type(error).__name__)
        span.set_status(Status(StatusCode.ERROR))
        raise


def traceparent_of_current_span() -> str | None:
    """Write the current span as a W3C traceparent header; None outside of any span."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return carrier.get("traceparent")


def context_of(traceparent: str | None) -> Context:
    """Read a traceparent; a missing or malformed one gives a context without a parent."""
    return _propagator.extract({"traceparent": traceparent} if traceparent else {}, context=Context())
