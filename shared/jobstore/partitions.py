"""What is asked of all partitions, or of many: side by side, and so many at once that other commands find room."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from shared import limits

Reading = TypeVar("Reading")


async def read_each(read: Callable[[int], Awaitable[Reading]], partitions: Iterable[int]) -> list[Reading]:
    """Read some partitions, at most PARTITIONS_READ_AT_ONCE side by side, and give the readings in their order.

    Raises as `read` does. Of thousands, all at once would be most of the commands that may wait for Redis in a process
    (MAX_REDIS_REQUESTS_WAITING), and everybody else's would be refused.
    """
    numbers, readings = list(partitions), list[Reading]()
    for first in range(0, len(numbers), limits.PARTITIONS_READ_AT_ONCE):
        some = numbers[first : first + limits.PARTITIONS_READ_AT_ONCE]
        readings += await asyncio.gather(*map(read, some))
    return readings
