"""leave: what a processor that drains gives up, and what it keeps."""

from shared.jobs import JobState
from shared.jobstore import keys
from shared.jobstore.operations import Answer
from shared.jobstore.store import JobStore
from tests.support import inspection, jobs


async def test_entries_that_were_not_claimed_go_back_at_once_and_those_in_hand_stay(store: JobStore) -> None:
    run = await jobs.start(store, partition=0, processor="p1")
    waiting = await jobs.create(store, partition=0)
    entry = await jobs.take(store, waiting, processor="p1")

    await store.leave(0, processor="p1", in_hand=[run.record.entry])

    assert await inspection.pending(store, 0) == {run.record.entry: "p1", entry.entry_id: "ready"}
    assert await store.renew(run, processor="p1", lease_ms=jobs.LEASE_MS) is Answer.OK
    assert await store.take(0, processor="p2", most=9, in_hand=()) == [entry]
    record = await store.find(waiting)
    assert record is not None
    assert (record.state, record.attempt) == (JobState.QUEUED, 0)


async def test_nothing_of_anybody_else_is_touched(store: JobStore) -> None:
    await jobs.take(store, await jobs.create(store, partition=0), processor="p2")
    await store.sweep(0, leader="p2", lease_ms=jobs.LEASE_MS, cursor="0-0")
    await jobs.lifetimes_of(store).next_due(0, janitor="p2")
    pending = await inspection.pending(store, 0)

    await store.leave(0, processor="p1", in_hand=())

    assert await inspection.pending(store, 0) == pending
    assert [await store.connection.execute("GET", lock) for lock in keys.offices(0)] == [b"p2"] * 2


async def test_others_have_the_offices_at_once(store: JobStore) -> None:
    await store.sweep(0, leader="p1", lease_ms=jobs.LEASE_MS, cursor="0-0")
    await jobs.lifetimes_of(store).next_due(0, janitor="p1")

    await store.leave(0, processor="p1", in_hand=())

    assert [await store.connection.execute("GET", lock) for lock in keys.offices(0)] == [None] * 2
    assert (await store.sweep(0, leader="p2", lease_ms=jobs.LEASE_MS, cursor="0-0")).is_leader


async def test_the_lead_of_a_sweeper_that_may_rob_nobody_yet_is_given_up_too(store: JobStore) -> None:
    await store.sweep(0, leader="p1", lease_ms=jobs.LEASE_MS, cursor="0-0", parked_only=True)

    await store.leave(0, processor="p1", in_hand=())

    assert await store.connection.execute("GET", keys.sweeper(0)) is None


async def test_leaving_twice_changes_nothing(store: JobStore) -> None:
    await jobs.take(store, await jobs.create(store, partition=0), processor="p1")
    await store.leave(0, processor="p1", in_hand=())
    before = await inspection.everything(store.connection)

    await store.leave(0, processor="p1", in_hand=())

    assert await inspection.everything(store.connection) == before
