"""Doing one thing for many, a few at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


async def for_each(items: Iterable[T], act: Callable[[T], Awaitable[None]], *, at_once: int) -> None:
    """Call `act` for every item, `at_once` of them side by side; items are taken in order, and only when one is free.

    When one call fails, the others are cancelled and have ended before its error is raised: as itself, not in a group.
    """
    remaining = iter(items)
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(_work(remaining, act))
    except ExceptionGroup as failures:
        failure = failures.exceptions[0]
    else:
        return
    raise failure


async def _work(remaining: Iterator[T], act: Callable[[T], Awaitable[None]]) -> None:
    for item in remaining:
        await act(item)
