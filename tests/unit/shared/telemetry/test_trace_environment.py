"""OpenTelemetry's own variables: what is wrong is named, before the SDK meets it."""

import pytest

from shared.telemetry.trace_environment import problems_of_traces, queue_spans, without_blanks


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_BSP_MAX_QUEUE_SIZE", "many"),
        ("OTEL_BSP_SCHEDULE_DELAY", "0"),
        ("OTEL_BSP_EXPORT_TIMEOUT", "-1"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "5000"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "99999999999999999999"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "9" * 5_000),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "100001"),
        ("OTEL_BSP_SCHEDULE_DELAY", "86400001"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "1e30"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "inf"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "nan"),
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


def test_each_variable_that_is_wrong_has_its_sentence() -> None:
    wrong = {
        "OTEL_BSP_MAX_QUEUE_SIZE": "many",
        "OTEL_BSP_SCHEDULE_DELAY": "0",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "soon",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "brotli",
        "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE": "/etc/gone.pem",
    }

    problems = problems_of_traces(wrong, lambda _: False)

    assert [problem.partition(" ")[0].partition("=")[0] for problem in problems] == list(wrong)


def test_blanks_are_nothing() -> None:
    blank = {
        "OTEL_BSP_MAX_QUEUE_SIZE": " ",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "",
        "OTEL_BSP_SCHEDULE_DELAY": "\t50\n",
        "PATH": " /bin ",
    }

    given = without_blanks(blank)

    assert given == {"OTEL_BSP_SCHEDULE_DELAY": "50"}
    assert problems_of_traces(given, lambda _: False) == []
    assert queue_spans(given) == 2_048


def test_what_the_sdk_takes_is_no_problem() -> None:
    taken = {
        "OTEL_BSP_MAX_QUEUE_SIZE": "100",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "50",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1.5",
        "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": "/etc/ca.pem",
    }

    assert problems_of_traces(without_blanks(taken), lambda path: path == "/etc/ca.pem") == []
