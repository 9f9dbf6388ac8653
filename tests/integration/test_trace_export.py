"""Spans on their way to a real HTTP server: what it does not take is counted."""

from opentelemetry.sdk.trace import TracerProvider
from structlog.testing import capture_logs

from shared.telemetry.span_losses import SpanLosses
from shared.telemetry.trace_export import exporting_processor
from tests.support.collector import Collector


def provider_to(url: str, losses: SpanLosses) -> TracerProvider:
    """Make what sends its spans there."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(exporting_processor(url, losses))
    return provider


def test_a_redirect_is_a_collector_that_takes_nothing_and_its_secrets_are_not_logged() -> None:
    losses = SpanLosses(most_waiting=10)
    place = "http://user:hunter2@login.example/start?ticket=hunter3#hunter4"
    with Collector(elsewhere=place) as collector, capture_logs() as logs:
        provider = provider_to(collector.url, losses)

        provider.get_tracer("test").start_span("one").end()
        provider.shutdown()

    assert collector.spans == []
    assert losses.total == 1
    [line] = logs
    assert line["event"] == "traces cannot be exported"
    assert "307" in line["trouble"]
    assert "login.example/start" in line["trouble"]
    assert "hunter" not in str(line)
