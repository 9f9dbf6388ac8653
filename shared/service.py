"""How each of our programs begins and ends: settings, telemetry, the event loop, the exit code."""

import os
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import uvloop

from shared.errors import WaybillError
from shared.settings import CommonSettings, load
from shared.telemetry.logging import configure_logging
from shared.telemetry.tracing import configure_tracing

S = TypeVar("S", bound=CommonSettings)

CANNOT_START = 2


def run_service(name: str, kind: type[S], run: Callable[[S], Awaitable[None]]) -> int:
    """Run one program to its end; give its exit code: 0 after a clean stop, 2 when it cannot run with these settings.

    What an operator can mend is said in one line each, without a traceback; everything else keeps its traceback.
    """

    async def serve() -> None:
        await run(settings)

    try:
        settings = load(kind, os.environ)
        configure_logging(name, level=settings.log_level)
        configure_tracing(name)
        uvloop.run(serve())
    except WaybillError as error:
        return _explain(name, [error])
    except BaseExceptionGroup as group:
        known, unknown = group.split(WaybillError)
        if unknown is not None or known is None:
            raise
        return _explain(name, _leaves(known))
    return 0


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
