"""The commands of a cluster: each goes to the node that serves the slot of its key.

    execute() ─▶ key ─▶ slot ─▶ node's CommandConnection ─▶ reply
                  ▲                        │
                  └── the map is learned anew ◀── MOVED, a node in trouble, a slot that nobody serves

A small router over CommandConnection and not redis-py's RedisCluster (docs/decisions/0002-own-cluster-router.md): all
keys of a partition are in one slot, so nothing is ever split, and what CommandConnection promises (batches, futures,
resending, health) holds for each node.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence

import structlog
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import AskError, MovedError, RedisError, ResponseError

from shared import limits
from shared.errors import RedisUnavailable, SettingsError
from shared.jobstore.connection import Argument, CommandConnection, Reply
from shared.jobstore.keys import PREFIX
from shared.jobstore.location import Address, RedisLocation
from shared.jobstore.script import Script
from shared.jobstore.slots import SlotMap, parse_slots, slot_of
from shared.jobstore.wire import ask, connect, describe, open_connection

log = structlog.get_logger(__name__)


class ClusterCommands:
    """Sends each command to its key's node, and follows the slots when they move.

    Nodes are connected to when something is first asked of them. One node in trouble is the trouble of its own slots.
    """

    def __init__(self, location: RedisLocation, *, name: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.location = location
        self._name = name
        self._monotonic = monotonic
        self._map = SlotMap()
        self._nodes: dict[Address, tuple[CommandConnection, asyncio.Task[None]]] = {}
        self._routes: dict[int, tuple[Address, float]] = {}
        """Where the slots in use have been routed to, and since when."""
        self._group: asyncio.TaskGroup | None = None
        self._wants_refresh = asyncio.Event()
        self._refreshed = asyncio.Event()
        self._trouble = "not connected yet"
        self.on_refreshed: list[Callable[[], None]] = []
        """Called after each learning of the map, changed or not."""

    # ── what is asked ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def execute(
        self,
        *arguments: Argument,
        within_seconds: float = limits.REDIS_REQUEST_WITHIN_SECONDS,
        is_patient: bool = True,
    ) -> Reply:
        """Send one command to the node of its key, which is the first argument that begins as all our keys do."""

        async def send(node: CommandConnection, *, is_asking: bool) -> Reply:
            return await node.execute(
                *arguments, within_seconds=within_seconds, is_patient=is_patient, is_asking=is_asking
            )

        key = next((word for word in arguments if isinstance(word, str) and word.startswith(f"{PREFIX}:")), None)
        return await self._send(slot_of(key) if key else None, send, within_seconds, is_patient=is_patient)

    async def run_script(
        self,
        script: Script,
        keys: Sequence[str],
        *arguments: Argument,
        within_seconds: float = limits.REDIS_REQUEST_WITHIN_SECONDS,
        is_patient: bool = True,
    ) -> Reply:
        """Run one operation, whose keys are all in one slot."""
        return await self.execute(
            "EVALSHA", script.sha, len(keys), *keys, *arguments, within_seconds=within_seconds, is_patient=is_patient
        )

    async def _send(
        self, slot: int | None, send: Callable[..., Awaitable[Reply]], within_seconds: float, *, is_patient: bool
    ) -> Reply:
        try:
            async with asyncio.timeout(within_seconds):
                while True:
                    if (reply := await self._try(slot, send, is_patient=is_patient)) is not None:
                        return reply[0]
                    if not is_patient:
                        raise RedisUnavailable("The cluster is moving the slot to another node. Try again soon.")
                    await self._next_refresh()
        except TimeoutError:
            raise RedisUnavailable(
                f"The cluster did not answer in time ({self.last_trouble}). Try again soon."
            ) from None

    async def _try(
        self, slot: int | None, send: Callable[..., Awaitable[Reply]], *, is_patient: bool
    ) -> tuple[Reply] | None:
        """Give the reply of the node that has the slot by what we know; None when the map must be learned anew."""
        address = self._address_of(slot)
        if address is None:
            return None
        node = self._connection_to(address)
        try:
            return (await send(node, is_asking=False),)
        except MovedError:
            self._note_move(slot)
            return None
        except AskError as redirection:
            self._note_move(slot)
            if not is_patient:
                return None
            target = Address(redirection.host or address.host, redirection.port)
            return (await send(self._connection_to(target), is_asking=True),)
        except RedisUnavailable:
            if is_patient and address not in self._nodes:
                return None  # the node has left: others have its slots
            raise

    # ── who has what ──────────────────────────────────────────────────────────────────────────────────────────────────

    def address_of(self, key: str) -> Address | None:
        """Give the address of the node that serves a key; None when that is not known now."""
        return self._address_of(slot_of(key))

    def node_of(self, key: str) -> CommandConnection:
        """Give the connection to the node that serves a key; raises RedisUnavailable when that is not known now."""
        address = self._address_of(slot_of(key))
        if address is None:
            raise RedisUnavailable(f"No node of the cluster serves this now ({self._trouble}). Try again soon.")
        return self._connection_to(address)

    async def open_another(self, key: str, *, name: str) -> AbstractConnection:
        """Connect once more to the node that holds a key."""
        if (address := self.address_of(key)) is None:
            raise RedisUnavailable(f"No node of the cluster serves this now ({self._trouble}). Try again soon.")
        connection = open_connection(self.location, name=name, address=address)
        try:
            await connect(connection, self.location)
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return connection

    def nodes(self) -> list[CommandConnection]:
        """Give a connection to each master."""
        return [self._connection_to(address) for address in sorted(self._map.masters)]

    def _address_of(self, slot: int | None) -> Address | None:
        if slot is None:
            return min(self._map.masters, default=None)
        address = self._map.master_of(slot)
        if address is not None and self._routes.get(slot, (None,))[0] != address:
            self._routes[slot] = (address, self._monotonic())
        return address

    def _note_move(self, slot: int | None) -> None:
        """Count a slot's health anew: while it moved, nobody could renew a lease in it."""
        if slot is not None:
            self._routes.pop(slot, None)
        self.refresh_soon()

    def _connection_to(self, address: Address) -> CommandConnection:
        known = self._nodes.get(address)
        if known is None:
            assert self._group is not None
            connection = CommandConnection(self.location, name=self._name, address=address, monotonic=self._monotonic)
            task = self._group.create_task(connection.run(), name=f"redis-{address}")
            known = self._nodes[address] = (connection, task)
        return known[0]

    # ── health ────────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def healthy_since(self) -> float | None:
        """Since when some node has answered; None while none does."""
        return max((node.healthy_since for node, _ in self._nodes.values() if node.healthy_since), default=None)

    def is_reachable(self, address: Address) -> bool:
        """Tell whether a node answers."""
        return address in self._nodes and self._nodes[address][0].healthy_since is not None

    @property
    def last_trouble(self) -> str:
        """What went wrong last, node by node."""
        troubles = [
            f"{address}: {node.last_trouble}" for address, (node, _) in self._nodes.items() if node.last_trouble
        ]
        return "; ".join([self._trouble] * bool(self._trouble) + troubles) or "no reply"

    def healthy_since_at(self, key: str) -> float | None:
        """Since when the key's node has answered, and served the key's slot; None while it does not."""
        slot = slot_of(key)
        address = self._address_of(slot)
        if address is None or self._group is None:
            return None
        node_since = self._connection_to(address).healthy_since
        return None if node_since is None else max(node_since, self._routes[slot][1])

    # ── the map ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def refresh_soon(self) -> None:
        """Ask for the map to be learned anew."""
        self._wants_refresh.set()

    async def _next_refresh(self) -> None:
        self._refreshed.clear()
        self.refresh_soon()
        await self._refreshed.wait()

    async def run(self) -> None:
        """Own all connections until cancelled.

        Raises SettingsError when what answers at first is no cluster, or too old.
        """
        try:
            async with asyncio.TaskGroup() as self._group:
                while True:
                    self._wants_refresh.clear()
                    if await self._refresh():
                        await self._wait_until_stale()
                    await asyncio.sleep(random.uniform(0.5, 1.5) * limits.RECONNECT_MIN_SECONDS)
        finally:
            self._map = SlotMap()  # whoever still asks is told that nobody serves it
            self._trouble = "this process is stopping"

    async def _wait_until_stale(self) -> None:
        """Return when somebody asked for it, or about once a second while a node does not answer."""
        while not self._wants_refresh.is_set():
            try:
                async with asyncio.timeout(random.uniform(0.8, 1.2) * limits.RECONNECT_MAX_SECONDS):
                    await self._wants_refresh.wait()
            except TimeoutError:
                if any(node.healthy_since is None for node, _ in self._nodes.values()):
                    return

    async def _refresh(self) -> bool:
        candidates = list({*self.location.addresses, *self._map.masters})
        random.shuffle(candidates)
        for address in candidates:
            try:
                async with asyncio.timeout(limits.REDIS_CONNECT_WITHIN_SECONDS):
                    learned = await self._ask_for_map(address)
            except (RedisError, OSError, TimeoutError) as error:
                self._trouble = f"{address}: {describe(error)}"
                continue
            if learned.masters:
                self._trouble = ""
                self._adopt(learned)
                return True
            self._trouble = f"{address}: it knows of no slots"
        return False

    async def _ask_for_map(self, address: Address) -> SlotMap:
        connection = open_connection(self.location, name=f"{self._name}-map", address=address)
        try:
            await connect(connection, self.location)
            return parse_slots(await ask(connection, "CLUSTER", "SLOTS"), asked=address)
        except ResponseError as error:
            if "cluster support disabled" in str(error) and not self._map.masters:
                raise SettingsError(
                    [
                        f"REDIS_URL={self.location.shown!r}: {address} is not in cluster mode. Begin the URL with "
                        "redis:// (rediss:// with TLS) instead."
                    ]
                ) from None
            raise
        finally:
            await connection.disconnect(nowait=True)

    def _adopt(self, learned: SlotMap) -> None:
        if learned.masters != self._map.masters:
            log.info("cluster nodes", masters=[str(address) for address in sorted(learned.masters)])
        self._map = learned
        for address in set(self._nodes) - learned.masters:
            _, task = self._nodes.pop(address)
            task.cancel()
        self._refreshed.set()
        for listener in self.on_refreshed:
            listener()
