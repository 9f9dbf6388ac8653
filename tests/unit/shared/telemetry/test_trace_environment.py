"""OpenTelemetry's own variables: what is wrong is named, before the SDK meets it."""

import pytest

from shared.telemetry.trace_environment import problems_of_traces


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_BSP_MAX_QUEUE_SIZE", "many"),
        ("OTEL_BSP_SCHEDULE_DELAY", "0"),
        ("OTEL_BSP_EXPORT_TIMEOUT", "-1"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "5000"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "0"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "brotli"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/etc/gone.pem"),
        ("OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "/etc/gone.pem"),
    ],
)
def test_a_variable_that_is_wrong_is_named(name: str, value: str) -> None:
    [problem] = problems_of_traces({name: value}, lambda _: False)

    assert problem.startswith(name)


def test_what_the_sdk_takes_is_no_problem() -> None:
    taken = {
        "OTEL_BSP_MAX_QUEUE_SIZE": "100",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "50",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1.5",
        "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": "/etc/ca.pem",
    }

    assert problems_of_traces(taken, lambda path: path == "/etc/ca.pem") == []
