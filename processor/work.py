"""What a processor does: the built-in bundles, or a handler of somebody else's (docs/handlers.md).

Somebody else's handler is trusted, its conduct is not: whatever it raises or returns ends its own run and nothing else.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

import msgspec

from processor.bundle.handler import BundleHandler
from processor.context import Handler, Result, RunContext
from shared.errors import HandlerMisbehaved
from shared.foreign_code import harmless, resolve
from shared.jobs import JobRecord
from shared.objects.catalogue_choice import open_catalogue
from shared.objects.store import ObjectStore
from shared.settings import ProcessorSettings


class Work(NamedTuple):
    """A handler, and what has to run beside it until the processor stops."""

    handler: Handler
    upkeep: Callable[[], Coroutine[Any, Any, None]]


def choose_work(settings: ProcessorSettings, sources: ObjectStore) -> Work:
    """Give the work that WAYBILL_HANDLER names. Raises SettingsError when it, or the catalogue, is no good."""
    if settings.handler:
        return Work(resolve(settings.handler, setting=f"WAYBILL_HANDLER={settings.handler}"), _no_upkeep)
    catalogue = open_catalogue(settings.catalogue, sources)
    handler = BundleHandler(
        catalogue,
        sources=sources,
        copy_rate_bytes_per_second=settings.copy_rate_bytes_per_second,
    )
    return Work(handler, catalogue.run)


async def handle(handler: Handler, job: JobRecord, context: RunContext) -> Result:
    """Run a handler and check what it gives back.

    Raises what it raises (what would end the process becomes a RuntimeError), and HandlerMisbehaved for a result that
    is none.
    """
    try:
        return _checked(await handler(job, context))
    except (asyncio.CancelledError, GeneratorExit):  # the run is interrupted, or thrown away
        raise
    except BaseException as error:
        raise harmless(error, raised_by="the handler") from error


def _checked(result: object) -> Result:
    if not isinstance(result, Result):
        sentence = f"The handler returned a {type(result).__name__} in place of a Result. Mend the handler."
        raise HandlerMisbehaved(sentence)
    try:
        # Whoever makes a struct in Python is not checked.
        return msgspec.convert(msgspec.to_builtins(result), Result)
    except (msgspec.ValidationError, TypeError, ValueError) as error:
        raise HandlerMisbehaved(f"The handler's Result is not valid: {error}. Mend the handler.") from error


async def _no_upkeep() -> None:
    return
