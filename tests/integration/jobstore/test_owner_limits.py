"""What an owner may do in a minute and at once, counted for all gateways together; time is passed by writing it."""

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import pytest_asyncio

from shared import limits
from shared.clock import now_ms
from shared.jobstore import keys
from shared.jobstore.owner_limits import OwnerLimits
from shared.jobstore.store import JobStore
from tests.support import inspection
from tests.support.cluster import Server
from tests.support.owners import digest_of
from tests.support.stores import running_commands

ANNA = digest_of("anna")


@pytest_asyncio.fixture
async def other(server: Server) -> AsyncIterator[OwnerLimits]:
    """What another gateway asks."""
    async with running_commands(server.url) as commands:
        yield OwnerLimits(commands)


async def age_creates(store: JobStore, by_ms: int) -> None:
    """Let Anna's creates be older."""
    for name in cast("list[bytes]", await store.connection.execute("ZRANGE", keys.owner_creates(ANNA), 0, -1)):
        await store.connection.execute("ZINCRBY", keys.owner_creates(ANNA), -by_ms, name)


# ── creates ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_creates_of_a_minute_are_counted_until_there_is_no_room(store: JobStore) -> None:
    owners = OwnerLimits(store.connection)

    paces = [await owners.count_create("anna", f"{number}", most=2) for number in range(3)]

    assert [(pace.is_counted, pace.left) for pace in paces] == [(True, 1), (True, 0), (False, 0)]
    assert all(limits.CREATES_WINDOW_MS - 5_000 < pace.next_ms <= limits.CREATES_WINDOW_MS for pace in paces)


async def test_a_name_that_was_counted_is_never_counted_again_nor_refused(store: JobStore) -> None:
    owners = OwnerLimits(store.connection)

    paces = [await owners.count_create("anna", "the same", most=2) for _ in range(3)]
    await owners.count_create("anna", "another", most=2)
    at_the_limit = await owners.count_create("anna", "the same", most=2)

    assert [(pace.is_counted, pace.left) for pace in paces] == [(True, 1)] * 3
    assert (at_the_limit.is_counted, at_the_limit.left) == (True, 0)


async def test_there_is_room_again_when_the_oldest_is_a_minute_old_and_not_before(store: JobStore) -> None:
    owners = OwnerLimits(store.connection)
    await owners.count_create("anna", "first", most=2)
    await age_creates(store, by_ms=limits.CREATES_WINDOW_MS - 10_000)
    await owners.count_create("anna", "second", most=2)

    early = await owners.count_create("anna", "third", most=2)
    await age_creates(store, by_ms=10_000)
    in_time = await owners.count_create("anna", "third", most=2)

    assert not early.is_counted
    assert 0 < early.next_ms <= 10_000
    assert (in_time.is_counted, in_time.left) == (True, 0)


async def test_a_limit_that_was_lowered_says_when_enough_of_them_are_old(store: JobStore) -> None:
    owners = OwnerLimits(store.connection)
    await owners.count_create("anna", "0", most=9)
    await age_creates(store, by_ms=30_000)
    await owners.count_create("anna", "1", most=9)

    refused = await owners.count_create("anna", "2", most=1)

    assert not refused.is_counted
    assert refused.next_ms > 50_000


async def test_of_many_creates_at_once_through_two_gateways_the_limit_is_counted(
    store: JobStore, other: OwnerLimits
) -> None:
    gateways = (OwnerLimits(store.connection), other)

    paces = await asyncio.gather(*(gateways[n % 2].count_create("anna", f"{n}", most=10) for n in range(50)))

    assert sum(pace.is_counted for pace in paces) == 10


async def test_a_create_that_came_to_nothing_gives_its_place_back(store: JobStore) -> None:
    owners = OwnerLimits(store.connection)
    await owners.count_create("anna", "first", most=1)

    await owners.uncount_create("anna", "first")

    assert (await owners.count_create("anna", "second", most=1)).is_counted


async def test_each_owner_has_a_count_of_its_own_and_each_key_an_expiry(store: JobStore) -> None:
    owners = OwnerLimits(store.connection)

    assert (await owners.count_create("anna", "x", most=1)).is_counted
    assert (await owners.count_create("bert", "x", most=1)).is_counted
    assert await owners.hold_streams("anna", "g1", 1, most=1)
    assert await owners.hold_streams("bert", "g1", 1, most=1)

    expiries = await inspection.expiries(store.connection)
    counted = {name: ttl for name, ttl in expiries.items() if ":creates:" in name or ":streams:" in name}
    assert len(counted) == 4
    assert inspection.NO_EXPIRY not in counted.values()


# ── streams ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_streams_of_all_gateways_together_are_as_many_as_there_may_be(
    store: JobStore, other: OwnerLimits
) -> None:
    owners = OwnerLimits(store.connection)

    held = [
        await owners.hold_streams("anna", "g1", 2, most=3),
        await other.hold_streams("anna", "g2", 1, most=3),
        await other.hold_streams("anna", "g2", 2, most=3),
        await owners.hold_streams("anna", "g1", 1, most=3),
        await other.hold_streams("anna", "g2", 2, most=3),
    ]

    assert held == [True, True, False, True, True]


async def test_a_gateway_that_has_none_left_leaves_nothing(store: JobStore) -> None:
    owners = OwnerLimits(store.connection)
    await owners.hold_streams("anna", "g1", 1, most=1)

    await owners.hold_streams("anna", "g1", 0)

    assert not [name for name in await inspection.expiries(store.connection) if ":streams:" in name]


async def test_streams_of_a_gateway_whose_lease_is_over_count_no_more(store: JobStore) -> None:
    owners = OwnerLimits(store.connection)
    await owners.hold_streams("anna", "dead", 5, most=5)
    assert not await owners.hold_streams("anna", "g1", 1, most=5)

    await store.connection.execute("HSET", keys.owner_streams(ANNA), "dead", f"5 {now_ms() - 1}")

    assert await owners.hold_streams("anna", "g1", 5, most=5)
    assert await store.connection.execute("HEXISTS", keys.owner_streams(ANNA), "dead") == 0


async def test_a_renewal_is_noted_whatever_the_limit(store: JobStore) -> None:
    owners = OwnerLimits(store.connection)

    assert await owners.hold_streams("anna", "g1", 1_000)
    assert not await owners.hold_streams("anna", "g2", 1, most=5)
