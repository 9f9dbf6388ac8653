"""The live channel of a cluster: one LiveChannel for each node that holds a wanted channel.

Sharded channels have slots as keys have, and go with them when a slot moves: the old node tells its subscribers
(a `sunsubscribe` that nobody asked for), refuses new ones (MOVED), or is gone. Each leads to the new node, and to
`on_restored`, because what was published meanwhile was missed.
"""

import asyncio
from collections.abc import Callable

from shared import limits
from shared.errors import RedisUnavailable
from shared.jobstore.cluster import ClusterCommands
from shared.jobstore.live import LiveChannel
from shared.jobstore.location import Address


class ClusterLive:
    """Delivers messages as LiveChannel does. `commands` knows which node serves which slot, and must be running."""

    def __init__(
        self,
        commands: ClusterCommands,
        *,
        name: str,
        on_message: Callable[[str, bytes], None],
        on_restored: Callable[[], None],
    ) -> None:
        self._commands = commands
        self._name = name
        self._on_message = on_message
        self._on_restored = on_restored
        self._nodes: dict[Address, tuple[LiveChannel, asyncio.Task[None]]] = {}
        self._places: dict[str, Address | None] = {}
        """The wanted channels, each with the node where it was asked for; None while that is not known."""
        self._displaced: set[str] = set()
        """Those among them that were served elsewhere before: their confirmation is a restoration."""
        self._rerouted = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None
        commands.on_refreshed.append(self._reroute)

    @property
    def is_connected(self) -> bool:
        """Whether messages of some node arrive; with no wanted channel, whether the nodes are known."""
        if self._nodes:
            return any(live.is_connected for live, _ in self._nodes.values())
        return self._commands.healthy_since is not None

    async def subscribe(self, channel: str) -> None:
        """Return when the channel's node has confirmed.

        Raises RedisUnavailable when there is no confirmation in time; the channel stays wanted.
        """
        self._places.setdefault(channel, None)
        try:
            async with asyncio.timeout(limits.REDIS_REQUEST_WITHIN_SECONDS):
                while True:
                    live = self._settle(channel)
                    if live is None:
                        await self._next_reroute()
                        continue
                    await live.subscribe(channel)
                    if live is self._live_of(channel):
                        return
        except TimeoutError:
            raise RedisUnavailable("The live channel is not connected. Try again soon.") from None

    def unsubscribe(self, channel: str) -> None:
        """Stop wanting a channel; messages that are on their way may still arrive."""
        live = self._live_of(channel)
        self._places.pop(channel, None)
        self._displaced.discard(channel)
        if live is not None:
            live.unsubscribe(channel)

    def is_subscribed(self, channel: str) -> bool:
        """Tell whether messages of this channel arrive now."""
        live = self._live_of(channel)
        return live is not None and live.is_subscribed(channel)

    async def run(self) -> None:
        """Own the connections until cancelled."""
        async with asyncio.TaskGroup() as self._group:
            self._reroute()
            await asyncio.Event().wait()

    async def _next_reroute(self) -> None:
        self._rerouted.clear()
        self._commands.refresh_soon()
        await self._rerouted.wait()

    def _live_of(self, channel: str) -> LiveChannel | None:
        address = self._places.get(channel)
        return self._nodes[address][0] if address in self._nodes else None

    def _settle(self, channel: str) -> LiveChannel | None:
        """Give the node of a wanted channel, having chosen one if it has none yet."""
        if (live := self._live_of(channel)) is None and channel in self._places and self._group is not None:
            address = self._commands.address_of(channel)
            if address is not None:
                self._places[channel] = address
                live = self._live_to(address, self._group)
                if channel in self._displaced:
                    self._displaced.discard(channel)
                    live.restore(channel)
        return live

    def _live_to(self, address: Address, group: asyncio.TaskGroup) -> LiveChannel:
        if address not in self._nodes:
            live = LiveChannel(
                self._commands.location,
                name=self._name,
                on_message=self._on_message,
                on_restored=self._on_restored,
                is_reachable=lambda: self._commands.is_reachable(address),
                address=address,
                on_displaced=self._displace,
            )
            self._nodes[address] = (live, group.create_task(live.run(), name=f"live-{address}"))
        return self._nodes[address][0]

    def _displace(self, channels: list[str]) -> None:
        for channel in channels:
            if channel in self._places:
                self._places[channel] = None
                self._displaced.add(channel)
        self._commands.refresh_soon()

    def _reroute(self) -> None:
        """Ask for each wanted channel at the node that has its slot now."""
        for channel, place in list(self._places.items()):
            address = self._commands.address_of(channel)
            if address is None or address == place:
                continue
            if (live := self._live_of(channel)) is not None:
                live.unsubscribe(channel)
            self._places[channel] = None
            self._displaced.add(channel)  # also what nobody could serve yet: whoever gave up waiting is told
            self._settle(channel)
        for address in set(self._nodes) - set(self._places.values()):
            _, task = self._nodes.pop(address)
            task.cancel()
        self._rerouted.set()
