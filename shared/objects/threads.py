"""Blocking work in threads, for callers that may be cancelled at any await.

A thread cannot be stopped. `asyncio.to_thread` leaves it behind when its caller is cancelled: it would then write to a
file that has been given up, or read from a descriptor that is closed and belongs to something else by now. Here a
cancelled caller first waits for the thread's end, so what it cleans up afterwards stays clean. The work given to
`in_thread` must therefore be short: one part, not one file.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ParamSpec, TypeVar

from shared.foreign_code import harmless

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `work` in a thread and give its result; when this call ends, in whatever way, the thread is done.

    Raises what `work` raises, and CancelledError after the thread's end when the caller was cancelled meanwhile.
    """
    future = asyncio.get_running_loop().run_in_executor(None, lambda: work(*args, **kwargs))
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await until_done(future)
        raise


async def in_daemon_thread(work: Callable[[], T], *, name: str, ended: Callable[[], None] = lambda: None) -> T:
    """Run `work` in a thread of its own and give its result; a cancelled caller leaves it behind.

    For what may hang and changes nothing that anybody relies on. A daemon thread and no executor's, which would keep a
    stopping process waiting. `ended` is called when the thread is through, left behind or not, also when none could
    start. Raises what `work` raises; what would end a thread or a loop, and that none can start, as RuntimeError.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(act: Callable[[Any], None], value: Any) -> None:
        ended()
        if not future.done():
            act(value)

    def call() -> None:
        try:
            outcome: tuple[Callable[[Any], None], Any] = (future.set_result, work())
        except BaseException as error:  # noqa: BLE001  # handed over; what would end a thread or a loop is wrapped
            outcome = (future.set_exception, harmless(error, raised_by=name))
        with suppress(RuntimeError):  # the loop is closed: the process is ending
            loop.call_soon_threadsafe(settle, *outcome)

    try:
        threading.Thread(target=call, name=name, daemon=True).start()
    except RuntimeError:  # the system has no room for one more
        ended()
        raise
    return await future


async def until_done(future: asyncio.Future[T]) -> None:
    """Wait for the future, however often the waiting is cancelled; the caller raises the cancellation afterwards."""
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError:
            continue
    if not future.cancelled():
        future.exception()  # taken, or asyncio complains that nobody ever looked at it
