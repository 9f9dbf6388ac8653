"""What a processor does: the built-in bundles, or a handler of somebody else's (docs/handlers.md).

Somebody else's handler is trusted, its conduct is not: whatever it raises or returns ends its own run and nothing else.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

import msgspec

from processor.bundle.handler import BundleHandler
from processor.context import Handler, Result, RunContext
from shared.errors import HandlerMisbehaved, ObjectError, ObjectMissing
from shared.foreign_code import harmless, resolve
from shared.jobs import JobRecord
from shared.objects.catalogue_choice import open_catalogue
from shared.objects.health import StoreHealth
from shared.objects.info import check_key
from shared.objects.store import ObjectStore
from shared.processor_settings import ProcessorSettings


async def no_upkeep() -> None:
    """Do nothing: nothing has to run beside this handler."""


class Work(NamedTuple):
    """A handler, and what has to run beside it until the processor stops.

    `objects` is where the handler leaves its objects; `stores` are all that it cannot work without.
    """

    handler: Handler
    objects: ObjectStore
    upkeep: Callable[[], Coroutine[Any, Any, None]] = no_upkeep
    stores: tuple[StoreHealth, ...] = ()

    def can_be_done(self) -> bool:
        """Tell whether every store is known to be usable."""
        return all(store.is_up() for store in self.stores)

    async def lacks_a_store(self) -> bool:
        """Look at the stores now; True when one cannot be used."""
        return any(await asyncio.gather(*(store.is_down_now() for store in self.stores)))


def choose_work(settings: ProcessorSettings, *, sources: ObjectStore, objects: ObjectStore) -> Work:
    """Give the work that WAYBILL_HANDLER names. Raises SettingsError when it, or the catalogue, is no good."""
    written = StoreHealth("objects", objects, for_writing=True, variable=settings.objects_variable)
    if settings.handler:
        setting = f"WAYBILL_HANDLER={settings.handler}"
        elsewhere = resolve(settings.handler, setting=setting, takes=("job", "context"), must_be_async=True)
        return Work(elsewhere, objects, stores=(written,))
    catalogue = open_catalogue(settings.catalogue, sources)
    handler = BundleHandler(catalogue, sources=sources, copy_rate_bytes_per_second=settings.copy_rate_bytes_per_second)
    read = StoreHealth("sources", sources, for_writing=False, variable=settings.sources_variable)
    return Work(handler, objects, catalogue.run, (read, written))


async def handle(handler: Handler, job: JobRecord, context: RunContext) -> Result:
    """Run a handler and check what it gives back.

    Raises what it raises (what would end the process becomes a RuntimeError), and HandlerMisbehaved for a result that
    is none, or whose object is not there. The store is asked once, and may raise ObjectError.
    """
    try:
        result = _checked(await handler(job, context))
    except (Exception, asyncio.CancelledError, GeneratorExit):  # the latter two: it is interrupted, or thrown away
        raise
    except BaseException as error:
        raise harmless(error, raised_by="the handler") from error
    # Our own handler has completed its upload; and who says that nothing was made has left nothing.
    if result.bundle.archive_bytes > 0 and not isinstance(handler, BundleHandler):
        await _insist_on_object(result.object_key, context.objects)
    return result


async def _insist_on_object(key: str, objects: ObjectStore) -> None:
    """See that a result is there, or the job would be completed, and its archive gone, for everybody who asks."""
    try:
        await objects.head(key)
    except ObjectMissing:
        sentence = f"The handler's Result names {key}, and the store has no such object. Mend the handler."
        raise HandlerMisbehaved(sentence) from None


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
