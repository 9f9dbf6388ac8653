"""Blocking work in threads, for callers that may be cancelled at any await.

A thread cannot be stopped. `asyncio.to_thread` leaves it behind when its caller is cancelled: it would then write to a
file that has been given up, or read from a descriptor that is closed and belongs to something else by now. Here a
cancelled caller first waits for the thread's end, so what it cleans up afterwards stays clean. The work given to
`in_thread` must therefore be short: one part, not one file.
"""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

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


async def until_done(future: asyncio.Future[T]) -> None:
    """Wait for the future, however often the waiting is cancelled; the caller raises the cancellation afterwards."""
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError:
            continue
    if not future.cancelled():
        future.exception()  # taken, or asyncio complains that nobody ever looked at it
