"""The command lines of the two programs, as real processes."""

import os
import subprocess
import sys

import pytest

from shared.programs import PROGRAMS

programs = pytest.mark.parametrize("program", PROGRAMS)


def run(program: str, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a program to its end, with no settings but these."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("WAYBILL_", "REDIS_"))}
    return subprocess.run(
        [sys.executable, "-m", program, *arguments],
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@programs
def test_help_is_printed_whatever_the_settings(program: str) -> None:
    ended = run(program, "--help", WAYBILL_PARTITIONS="many")

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith(f"Usage: python -m {program} [--help]\n")


@programs
def test_unknown_arguments_are_named_and_nothing_starts(program: str) -> None:
    ended = run(program, "--port", "80")

    assert ended.returncode == 2
    assert ended.stderr == (
        f"{program}: Unknown arguments: --port 80. All settings are variables of the environment; "
        f"see python -m {program} --help.\n"
    )


def test_a_misspelt_setting_that_would_leave_the_gate_open_starts_nothing() -> None:
    ended = run("gateway", WAYBILL_AUHT="keys")

    assert ended.returncode == 2
    assert ended.stderr == (
        "gateway: WAYBILL_AUHT is no setting. Did you mean WAYBILL_AUTH? It decides who may do what.\n"
    )


@programs
def test_wrong_settings_end_with_a_line_for_each_and_no_traceback(program: str) -> None:
    ended = run(program, WAYBILL_ADMIN_PORT="high", REDIS_URL="http://:hunter2@h", WAYBILL_LOG_LEVEL="loud")

    assert ended.returncode == 2
    assert [line.split("=")[0] for line in ended.stderr.splitlines()] == [
        f"{program}: REDIS_URL",
        f"{program}: WAYBILL_LOG_LEVEL",
        f"{program}: WAYBILL_ADMIN_PORT",
    ]
    assert "hunter2" not in ended.stderr


@programs
def test_a_misspelt_variable_is_told_in_the_log_and_harms_nothing(program: str) -> None:
    # It gets as far as its catalogue, which does not exist.
    ended = run(program, WAYBILL_PARTITION="2", WAYBILL_CATALOGUE="/nowhere/catalogue.jsonl")

    assert '"variable": "WAYBILL_PARTITION", "did_you_mean": "WAYBILL_PARTITIONS"' in ended.stderr
    assert "The catalogue /nowhere/catalogue.jsonl cannot be read" in ended.stderr


@programs
def test_blanks_in_a_variable_of_opentelemetry_stop_no_start(program: str) -> None:
    ended = run(
        program,
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
        OTEL_BSP_MAX_QUEUE_SIZE=" ",
        OTEL_BSP_MAX_EXPORT_BATCH_SIZE=" 8 ",
        OTEL_SPAN_EVENT_COUNT_LIMIT="",
        WAYBILL_CATALOGUE="/nowhere/catalogue.jsonl",
    )

    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert "The catalogue /nowhere/catalogue.jsonl cannot be read" in ended.stderr


@programs
def test_each_wrong_variable_of_opentelemetry_is_told_in_one_start(program: str) -> None:
    ended = run(
        program,
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
        OTEL_BSP_MAX_QUEUE_SIZE="99999999999999999999",
        OTEL_EXPORTER_OTLP_TIMEOUT="soon",
    )

    assert ended.returncode == 2
    assert [line.split()[1] for line in ended.stderr.splitlines() if line.startswith(f"{program}: ")] == [
        "OTEL_BSP_MAX_QUEUE_SIZE",
        "OTEL_EXPORTER_OTLP_TIMEOUT",
    ]


def test_a_limit_of_spans_that_is_no_number_is_told_without_a_traceback() -> None:
    ended = run("gateway", OTEL_SPAN_EVENT_COUNT_LIMIT="many")

    assert ended.returncode == 2
    assert "gateway: A variable of OpenTelemetry (OTEL_…) is wrong: OTEL_SPAN_EVENT_COUNT_LIMIT" in ended.stderr
    assert "Traceback" not in ended.stderr
