"""Spans on their way to a real HTTP server: what it does not take, or does not fit the SDK's queue, is counted."""

import pytest
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


def test_what_is_counted_as_beyond_the_queue_is_what_the_sdk_has_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "4")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")
    losses = SpanLosses(most_waiting=4)
    with Collector() as collector:
        collector.may_answer.clear()
        provider = provider_to(collector.url, losses)
        tracer = provider.get_tracer("test")

        tracer.start_span("0").end()
        assert collector.asked.wait(60), "the first is in the exporter's hands"
        for number in range(1, 10):
            tracer.start_span(str(number)).end()
        collector.may_answer.set()
        provider.shutdown()

    arrived = [span.name for span in collector.spans]
    assert arrived == ["0", "6", "7", "8", "9"]
    assert losses.total == 10 - len(arrived)
