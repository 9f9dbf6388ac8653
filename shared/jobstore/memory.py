"""How much memory the servers behind the partitions have used, and may use."""

import asyncio
from typing import NamedTuple, cast

from shared.errors import UnavailableError
from shared.jobstore import keys
from shared.jobstore.access import Commands
from shared.jobstore.connection import CommandConnection


class Memory(NamedTuple):
    """Of one server, as Redis itself holds the one against the other; `most_bytes` 0: it has no bound of its own."""

    used_bytes: int
    most_bytes: int

    @property
    def used_ratio(self) -> float:
        """Give how much of it is used; 0 without a bound."""
        return self.used_bytes / self.most_bytes if self.most_bytes else 0.0

    def is_short(self, headroom_percent: int) -> bool:
        """Tell whether less than this is left of what it may use; never without a bound, and for 0."""
        if not self.most_bytes or not headroom_percent:
            return False
        return self.used_bytes * 100 > self.most_bytes * (100 - headroom_percent)


async def read_memory(connection: Commands, partitions: int) -> list[Memory | None]:
    """Read the memory of each partition's server, asking each server once; None of those that do not answer."""
    nodes = [_node_of(connection, partition) for partition in range(partitions)]
    servers = {id(node): node for node in nodes}
    read = await asyncio.gather(*(_read_if_there(node) for node in servers.values()))
    memories = dict(zip(servers, read, strict=True))
    return [memories[id(node)] for node in nodes]


def _node_of(connection: Commands, partition: int) -> CommandConnection | None:
    try:
        return connection.node_of(keys.commands(partition))
    except UnavailableError:
        return None


async def _read_if_there(node: CommandConnection | None) -> Memory | None:
    if node is None or node.healthy_since is None:
        return None
    try:
        return await _read(node)
    except UnavailableError:
        return None


async def _read(node: CommandConnection) -> Memory:
    lines = cast(bytes, await node.execute("INFO", "memory")).decode(errors="replace").splitlines()
    facts = dict(line.partition(":")[::2] for line in lines)
    # Redis INFO: buffers of replicas and of the append-only file are not held against maxmemory.
    used_bytes = int(facts.get("used_memory", "0")) - int(facts.get("mem_not_counted_for_evict", "0"))
    return Memory(used_bytes, int(facts.get("maxmemory", "0")))
