"""A long poll against a real store: what happens between its record and its place in the hub."""

import asyncio
from typing import Any, cast

from litestar import Request
from litestar.types.asgi_types import HTTPDisconnectEvent

from gateway.auth.caller import LOCAL, Caller, Scope
from gateway.streaming.hub import Hub
from gateway.streaming.long_poll import LongPoll, wait_for_end, wait_for_news
from gateway.streaming.places import Places
from shared.event_id import EventId
from shared.jobs import partition_of
from shared.jobstore import keys
from shared.jobstore.operations import Run
from shared.jobstore.owner_limits import OwnerLimits
from shared.jobstore.store import JobStore
from tests.support import jobs
from tests.support.stores import running
from tests.support.waiting import PATIENCE_SECONDS, until_so


def hub_of(store: JobStore, *, max_streams: int) -> Hub:
    """Make a hub with room for so many followers, however many of one owner."""
    places = Places(OwnerLimits(store.connection), most=None)
    return Hub(store, store.connection, max_streams=max_streams, places=places)


def poll_of(run: Run, cursor: EventId) -> LongPoll:
    """Make a long poll of a run's job."""
    return LongPoll(run.job_id, cursor, owner=jobs.OWNER)


async def stays() -> None:
    """The caller, who does not leave."""
    await asyncio.Event().wait()


class CountedHub(Hub):
    """A hub that notes whose place each wait has asked for."""

    def __init__(self, store: JobStore, *, max_streams: int) -> None:
        places = Places(OwnerLimits(store.connection), most=None)
        super().__init__(store, store.connection, max_streams=max_streams, places=places)
        self.admitted: list[str] = []

    async def admit(self, owner: str, *, followers: int = 1) -> None:
        """Let it in, and note it."""
        self.admitted.append(owner)
        await super().admit(owner, followers=followers)


def call_of(prefer: str, *, has_left: bool = False) -> Request[Any, Any, Any]:
    """Make a call that prefers to wait; its caller stays, or has left already."""

    async def receive() -> HTTPDisconnectEvent:
        if not has_left:
            await stays()
        return {"type": "http.disconnect"}

    return Request(cast(Any, {"type": "http", "headers": [(b"prefer", prefer.encode())]}), receive)


def record_of(job_id: str) -> str:
    """Name the key of a job's record."""
    return keys.record(partition_of(job_id) or 0, job_id)


CALLER = Caller(jobs.OWNER, frozenset({Scope.USER}))


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
    places, elsewhere = [Places(OwnerLimits(store.connection), most=1) for _ in range(2)]
    hub = Hub(store, store.connection, max_streams=9, places=places)
    async with running(hub.live.run), asyncio.timeout(PATIENCE_SECONDS):
        await elsewhere.take(jobs.OWNER)
        assert not await poll_of(run, known).wait(hub, store, within_seconds=60, has_left=stays)

        elsewhere.give_back(jobs.OWNER)
        await elsewhere.tell()
        await store.append_progress(run, seq=known.seq + 1, message=jobs.progress(0.5))
        assert await poll_of(run, known).wait(hub, store, within_seconds=60, has_left=stays)
        await places.tell()

        await elsewhere.take(jobs.OWNER)


# ── a POST that waits for the end ─────────────────────────────────────────────────────────────────────────────────────


async def test_once_its_caller_has_left_a_post_waits_no_more(store: JobStore) -> None:
    job_id, hub = await jobs.create(store), CountedHub(store, max_streams=9)
    async with running(hub.live.run):
        await wait_for_end(call_of("wait=1", has_left=True), job_id, CALLER, hub=hub, store=store)

    assert len(hub.admitted) == 1, "it would look again without a pause until its time is up"


async def test_a_post_that_found_no_room_to_wait_in_was_granted_nothing(store: JobStore) -> None:
    job_id = await jobs.create(store)

    told = await wait_for_end(call_of("wait=20"), job_id, CALLER, hub=hub_of(store, max_streams=0), store=store)

    assert told == (None, 0)


async def test_a_post_whose_job_has_ended_already_is_told_so_and_has_waited_for_nothing(store: JobStore) -> None:
    run = await jobs.fail(store)

    record, waited_seconds = await wait_for_end(
        call_of("wait=20"), run.job_id, CALLER, hub=hub_of(store, max_streams=9), store=store
    )

    assert record is not None
    assert (record.job_id, waited_seconds) == (run.job_id, 0)


async def test_a_repeated_post_does_not_show_a_job_that_was_deleted_or_whose_time_is_over(store: JobStore) -> None:
    deleted, over = await jobs.create(store), await jobs.fail(store)
    await jobs.cancel(store, deleted, deletes=True)
    await store.connection.execute("HSET", record_of(over.job_id), "expires_at", 1)
    hub = hub_of(store, max_streams=9)

    told = [
        await wait_for_end(call_of("wait=20"), job_id, CALLER, hub=hub, store=store)
        for job_id in (deleted, over.job_id)
    ]

    assert told == [(None, 0)] * 2


async def test_a_long_poll_of_an_old_job_takes_a_place_of_whoever_calls(store: JobStore) -> None:
    """Jobs from before there were owners have none; streams of them count for the caller too."""
    job_id, hub = await jobs.create(store), CountedHub(store, max_streams=9)
    await store.connection.execute("HSET", record_of(job_id), "owner", "")
    record = await store.find(job_id)
    assert record is not None
    async with running(hub.live.run):
        await wait_for_news(call_of("wait=20", has_left=True), record, LOCAL, hub=hub, store=store)
        await wait_for_end(call_of("wait=20", has_left=True), job_id, LOCAL, hub=hub, store=store)

    assert hub.admitted == [LOCAL.owner] * 2
