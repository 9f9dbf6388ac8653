"""What a processor does: the built-in bundles, or a handler of somebody else's (docs/handlers.md).

Somebody else's handler is trusted, its conduct is not: whatever it raises or returns ends its own run and nothing else.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

import msgspec

from processor.bundle.handler import BundleHandler
from processor.context import Handler, Result, RunContext
from shared.errors import HandlerMisbehaved, ObjectError
from shared.foreign_code import harmless, resolve
from shared.jobs import JobRecord
from shared.objects.catalogue_choice import open_catalogue
from shared.objects.health import StoreHealth
from shared.objects.info import check_key
from shared.objects.store import ObjectStore
from shared.settings import ProcessorSettings


class Work(NamedTuple):
    """A handler, and what has to run beside it until the processor stops.

    `objects` is where the handler leaves its objects; `stores` are all that it cannot work without.
    """

    handler: Handler
    upkeep: Callable[[], Coroutine[Any, Any, None]]
    objects: ObjectStore
    stores: tuple[StoreHealth, ...]


def choose_work(settings: ProcessorSettings, *, sources: ObjectStore, objects: ObjectStore) -> Work:
    """Give the work that WAYBILL_HANDLER names. Raises SettingsError when it, or the catalogue, is no good."""
    written = StoreHealth("objects", objects, for_writing=True)
    if settings.handler:
        handle_elsewhere = resolve(settings.handler, setting=f"WAYBILL_HANDLER={settings.handler}")
        return Work(handle_elsewhere, _no_upkeep, objects, (written,))
    catalogue = open_catalogue(settings.catalogue, sources)
    handler = BundleHandler(catalogue, sources=sources, copy_rate_bytes_per_second=settings.copy_rate_bytes_per_second)
    return Work(handler, catalogue.run, objects, (StoreHealth("sources", sources, for_writing=False), written))


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
        # Whoever makes a struct in Python is not checked; and what cannot be encoded could not be told either.
        checked = msgspec.json.decode(msgspec.json.encode(result), type=Result)
        check_key(checked.object_key)
    except (msgspec.MsgspecError, ObjectError, TypeError, ValueError) as error:
        raise HandlerMisbehaved(f"The handler's Result is not valid: {error}. Mend the handler.") from error
    return checked


async def _no_upkeep() -> None:
    return
