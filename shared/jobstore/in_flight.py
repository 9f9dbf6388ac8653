"""How many jobs of an owner are unfinished, and how many of its callbacks wait, read partition by partition.

The scripts keep count (scripts/shared/in_flight.lua, callback.lua).
"""

from collections.abc import Callable, Iterable
from typing import cast

from shared.jobstore import keys
from shared.jobstore.access import Commands
from shared.jobstore.partitions import read_each


async def count_in_flight(connection: Commands, owner: str, partitions: Iterable[int]) -> list[int]:
    """Count an owner's unfinished jobs in each of these partitions. Raises as the job store does.

    Each at its own moment: what is created or ends meanwhile may be counted or not.
    """
    return await _count(connection, owner, keys.in_flight, partitions)


async def count_waiting_callbacks(connection: Commands, owner: str, partitions: Iterable[int]) -> list[int]:
    """Count an owner's callbacks that wait, or are being delivered, as count_in_flight() counts its jobs."""
    return await _count(connection, owner, keys.waiting_callbacks, partitions)


async def _count(
    connection: Commands, owner: str, name_of: Callable[[int], str], partitions: Iterable[int]
) -> list[int]:
    # No owner has a space in it, and `!` is what comes after one: so this is all that begins with the owner's name.
    bounds = (f"[{owner} ", f"({owner}!")
    counts = await read_each(lambda number: connection.execute("ZLEXCOUNT", name_of(number), *bounds), partitions)
    return cast("list[int]", counts)
