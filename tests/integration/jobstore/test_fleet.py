"""Processors that live are known, with their slots; one that falls silent is forgotten, and leaves nothing."""

import pytest

from shared import clock, limits
from shared.jobstore import keys
from shared.jobstore.fleet import Fleet, LivingProcessor, Sign
from shared.jobstore.store import JobStore
from tests.support import inspection


@pytest.fixture
def fleet(store: JobStore) -> Fleet:
    return Fleet(store.connection)


async def fall_silent(store: JobStore, processor: str) -> None:
    """Let a processor's last sign be as old as one that counts no more."""
    at_ms = clock.now_ms() - limits.SIGN_COUNTS_MS
    await store.connection.execute("ZADD", keys.SIGNS_OF_LIFE, at_ms, processor)


async def test_who_says_so_lives_with_what_it_said_last(fleet: Fleet) -> None:
    await fleet.say("p1", Sign(slots=4, open_slots=4))
    await fleet.say("p2", Sign(slots=8, open_slots=8))
    await fleet.say("p1", Sign(slots=4, open_slots=0))

    found = {processor.name: processor for processor in await fleet.processors()}

    assert [found[name]._replace(silent_ms=0) for name in ("p1", "p2")] == [
        LivingProcessor("p1", slots=4, open_slots=0, silent_ms=0),
        LivingProcessor("p2", slots=8, open_slots=8, silent_ms=0),
    ]
    assert all(0 <= processor.silent_ms < limits.SIGN_COUNTS_MS for processor in found.values())


async def test_who_has_been_silent_for_too_long_is_not_listed(store: JobStore, fleet: Fleet) -> None:
    await fleet.say("p1", Sign(4, 4))
    await fall_silent(store, "p1")

    assert await fleet.processors() == []


async def test_the_next_sign_of_anybody_removes_what_the_silent_said(store: JobStore, fleet: Fleet) -> None:
    await fleet.say("p1", Sign(4, 4))
    await fall_silent(store, "p1")

    await fleet.say("p2", Sign(4, 4))

    kept = await inspection.everything(store.connection)
    assert "p1" not in repr([kept[keys.SIGNS_OF_LIFE], kept[keys.SIGNS_SAY]])


async def test_with_the_last_processor_the_keys_go(store: JobStore, fleet: Fleet) -> None:
    await fleet.say("p1", Sign(4, 4))

    expiries = await inspection.expiries(store.connection)

    for name in (keys.SIGNS_OF_LIFE, keys.SIGNS_SAY):
        assert 0 < expiries[name] <= limits.SIGN_COUNTS_MS


async def test_who_leaves_is_forgotten_at_once(fleet: Fleet) -> None:
    await fleet.say("p1", Sign(4, 4))
    await fleet.say("p2", Sign(4, 4))

    await fleet.leave("p1")
    await fleet.leave("p1")

    assert [processor.name for processor in await fleet.processors()] == ["p2"]
