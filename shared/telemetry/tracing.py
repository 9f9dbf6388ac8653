"""Traces: one from the POST through every run of the job. The job's record carries the W3C traceparent between them."""

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_propagator = TraceContextTextMapPropagator()


def configure_tracing(service: str) -> None:
    """Give this process' spans ids, which logs and records carry on. Nothing is recorded: nobody exports it yet."""
    resource = Resource.create({"service.name": service})
    trace.set_tracer_provider(TracerProvider(resource=resource, sampler=ALWAYS_OFF))


def traceparent_of_current_span() -> str | None:
    """Write the current span as a W3C traceparent header; None outside of any span."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return carrier.get("traceparent")


def context_of(traceparent: str | None) -> Context:
    """Read a traceparent; a missing or malformed one gives a context without a parent."""
    return _propagator.extract({"traceparent": traceparent} if traceparent else {}, context=Context())
