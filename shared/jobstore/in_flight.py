"""How many jobs of an owner are unfinished, read partition by partition (scripts/shared/in_flight.lua keeps count)."""

import asyncio
from collections.abc import Iterable
from typing import cast

from shared.jobstore import keys
from shared.jobstore.access import Commands


async def count_in_flight(connection: Commands, owner: str, partitions: Iterable[int]) -> list[int]:
    """Count an owner's unfinished jobs in each of these partitions. Raises as the job store does.

    Each at its own moment: what is created or ends meanwhile may be counted or not.
    """
    # No owner has a space in it, and `!` is what comes after one: so this is all that begins with the owner's name.
    bounds = (f"[{owner} ", f"({owner}!")
    counts = await asyncio.gather(
        *(connection.execute("ZLEXCOUNT", keys.in_flight(partition), *bounds) for partition in partitions)
    )
    return cast("list[int]", counts)
