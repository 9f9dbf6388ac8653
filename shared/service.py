"""How each of our programs begins and ends: arguments, settings, telemetry, the event loop, the exit code."""

import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import structlog
import uvloop

from shared.environment import load
from shared.errors import SettingsError, WaybillError
from shared.misspelling import likely_misspelt
from shared.setting import without_passwords
from shared.settings import CommonSettings
from shared.settings_manual import help_page
from shared.telemetry.logging import configure_logging
from shared.telemetry.tracing import TraceExport, tracing

S = TypeVar("S", bound=CommonSettings)

CANNOT_START = 2
MUST_BE_SPELT = frozenset({"WAYBILL_AUTH"})
"""The variables without which a program would run, and be open."""

log = structlog.get_logger(__name__)


def run_service(name: str, arguments: Sequence[str], kind: type[S], run: Callable[[S], Awaitable[None]]) -> int:
    """Run one program to its end; give its exit code: 0 after a clean stop, 2 when it cannot run with these settings.

    `arguments` are those of its command line: `--help`, or none. What an operator can mend is said in one line each,
    without a traceback; everything else keeps its traceback.
    """
    if "--help" in arguments or "-h" in arguments:
        sys.stdout.write(help_page(name))
        return 0

    async def serve(settings: S) -> None:
        await run(settings)

    def start() -> int:
        _refuse_arguments(name, arguments)
        settings = load(kind, os.environ)
        configure_logging(name, level=settings.log_level)
        for variable, meant in likely_misspelt(os.environ):
            if meant in MUST_BE_SPELT:
                raise SettingsError([f"{variable} is no setting. Did you mean {meant}? It decides who may do what."])
            log.warning("unknown variable", variable=variable, did_you_mean=meant)
        export = TraceExport(settings.otel_exporter_otlp_endpoint, settings.trace_ratio)
        with tracing(name, export, decides=name == "gateway"):
            uvloop.run(serve(settings))
        return 0

    return explaining(name, start)


def explaining(name: str, program: Callable[[], int]) -> int:
    """Give a program's exit code; 2 after a line on stderr for each thing that an operator can mend."""
    try:
        return program()
    except WaybillError as error:
        return _explain(name, [error])
    except BaseExceptionGroup as group:
        known, unknown = group.split(WaybillError)
        if unknown is not None or known is None:
            raise
        return _explain(name, _leaves(known))


def _refuse_arguments(name: str, arguments: Sequence[str]) -> None:
    if arguments:
        which = "argument" if len(arguments) == 1 else "arguments"
        given = without_passwords(" ".join(arguments))
        raise SettingsError(
            [f"Unknown {which}: {given}. All settings are variables of the environment; see python -m {name} --help."]
        )


def _leaves(group: BaseExceptionGroup[WaybillError]) -> list[WaybillError]:
    found: list[WaybillError] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


def _explain(name: str, errors: list[WaybillError]) -> int:
    for error in errors:
        for line in error.message.splitlines():
            sys.stderr.write(f"{name}: {line}\n")
    return CANNOT_START
