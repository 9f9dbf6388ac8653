"""A long poll against a real store: what happens between its record and its place in the hub."""

import asyncio

from gateway.streaming.hub import Hub
from gateway.streaming.long_poll import LongPoll
from gateway.streaming.places import Places
from shared.event_id import EventId
from shared.jobstore.operations import Run
from shared.jobstore.owner_limits import OwnerLimits
from shared.jobstore.store import JobStore
from tests.support import jobs
from tests.support.stores import running
from tests.support.waiting import PATIENCE_SECONDS, until_so


def hub_of(store: JobStore, *, max_streams: int, most: int | None = None) -> Hub:
    """Make a hub with room for so many followers, and `most` for each owner."""
    places = Places(OwnerLimits(store.connection), most=most)
    return Hub(store, store.connection, max_streams=max_streams, places=places)


def poll_of(run: Run, cursor: EventId) -> LongPoll:
    """Make a long poll of a run's job."""
    return LongPoll(run.job_id, cursor, owner=jobs.OWNER)


async def stays() -> None:
    """The caller, who does not leave."""
    await asyncio.Event().wait()


async def test_an_event_before_the_subscription_is_news(store: JobStore) -> None:
    run = await jobs.start(store)
    known = EventId(run.epoch, run.record.seq)
    await store.append_progress(run, seq=known.seq + 1, message=jobs.progress(0.5))
    hub = hub_of(store, max_streams=1)
    async with running(hub.live.run):
        async with asyncio.timeout(PATIENCE_SECONDS):
            has_waited = await poll_of(run, known).wait(hub, store, within_seconds=2 * PATIENCE_SECONDS, has_left=stays)

    assert has_waited
    assert hub.long_polls == 0, "it would count for ever"


async def test_a_process_without_room_does_not_wait(store: JobStore) -> None:
    run = await jobs.start(store)
    hub = hub_of(store, max_streams=0)

    assert not await poll_of(run, EventId(run.epoch, run.record.seq)).wait(
        hub, store, within_seconds=60, has_left=stays
    )


async def test_a_caller_who_leaves_frees_the_place(store: JobStore) -> None:
    run = await jobs.start(store)
    hub = hub_of(store, max_streams=1)
    leaves = asyncio.Event()

    async def has_left() -> None:
        await leaves.wait()

    async with running(hub.live.run):
        poll = poll_of(run, EventId(run.epoch, run.record.seq))
        waiting = asyncio.create_task(poll.wait(hub, store, within_seconds=2 * PATIENCE_SECONDS, has_left=has_left))
        await until_so(lambda: hub.long_polls == 1, "it waits")
        leaves.set()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await waiting

    assert hub.long_polls == 0


async def test_an_owner_without_a_place_does_not_wait_and_one_who_has_waited_gives_it_back(store: JobStore) -> None:
    run = await jobs.start(store)
    known = EventId(run.epoch, run.record.seq)
    hub, other = hub_of(store, max_streams=9, most=1), hub_of(store, max_streams=9, most=1)
    async with running(hub.live.run), asyncio.timeout(PATIENCE_SECONDS):
        await other.admit(jobs.OWNER)
        assert not await poll_of(run, known).wait(hub, store, within_seconds=60, has_left=stays)

        other.give_back(jobs.OWNER)
        await other.places.tell()
        await store.append_progress(run, seq=known.seq + 1, message=jobs.progress(0.5))
        assert await poll_of(run, known).wait(hub, store, within_seconds=60, has_left=stays)
        await hub.places.tell()

        await other.admit(jobs.OWNER)
