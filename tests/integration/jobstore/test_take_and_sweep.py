"""take and sweep: how entries find a processor, and find another one when it is lost."""

import asyncio

from shared import limits
from shared.jobstore import keys
from shared.jobstore.operations import NotDue, Run
from shared.jobstore.store import JobStore
from tests.support import inspection, jobs
from tests.support.cluster import Server
from tests.support.servers import empty
from tests.support.stores import running_live


async def test_take_gives_new_entries_in_the_order_of_creation_and_never_more_than_asked(store: JobStore) -> None:
    created = [await jobs.create(store, partition=0) for _ in range(5)]

    first = await store.take(0, processor="p1", most=3, in_hand=())
    second = await store.take(0, processor="p2", most=3, in_hand=())

    assert [entry.job_id for entry in first + second] == created
    assert len(first) == 3


async def test_take_of_nothing_is_empty(store: JobStore) -> None:
    assert await store.take(0, processor="p1", most=3, in_hand=()) == []
    await jobs.create(store, partition=0)
    assert await store.take(0, processor="p1", most=0, in_hand=()) == []


async def test_take_gives_what_is_ready_before_what_is_new(store: JobStore) -> None:
    lapsed = await jobs.start(store, partition=0)
    fresh = await jobs.create(store, partition=0)
    await jobs.lapse(store, lapsed)

    one = await store.take(0, processor="p2", most=1, in_hand=())
    other = await store.take(0, processor="p2", most=1, in_hand=[one[0].entry_id])

    assert [entry.job_id for entry in one + other] == [lapsed.job_id, fresh]


async def test_take_drops_a_ready_entry_that_was_deleted_meanwhile(store: JobStore) -> None:
    run = await jobs.start(store, partition=0)
    await jobs.lapse(store, run)
    await store.connection.execute("XDEL", keys.commands(0), run.record.entry)

    taken = await store.take(0, processor="p2", most=10, in_hand=())

    assert taken == []
    assert await inspection.pending(store, 0) == {}


async def test_take_never_gives_one_entry_to_two_processors(store: JobStore) -> None:
    for _ in range(30):
        await jobs.create(store, partition=0)

    hands = await asyncio.gather(*(store.take(0, processor=f"p{n}", most=4, in_hand=()) for n in range(10)))

    taken = [entry.entry_id for hand in hands for entry in hand]
    assert len(taken) == len(set(taken)) == 30


async def test_an_entry_that_was_taken_and_never_claimed_comes_back_uncounted(store: JobStore) -> None:
    job_id = await jobs.create(store, partition=0)
    await jobs.take(store, job_id, processor="crashed")

    await jobs.sweep(store, 0, lease_ms=0)
    run = await jobs.claim(store, await jobs.take(store, job_id, processor="p2"), processor="p2")

    assert (run.record.attempt, run.record.crashes) == (1, 0)


async def test_sweep_moves_nothing_that_shows_signs_of_life(store: JobStore) -> None:
    run = await jobs.start(store, partition=0, processor="p1")

    found = await jobs.sweep(store, 0)

    assert found == 0
    assert await inspection.pending(store, 0) == {run.record.entry: "p1"}


async def test_sweep_goes_on_where_its_last_page_ended(store: JobStore) -> None:
    count = limits.SWEEP_PAGE_ENTRIES + 20
    for _ in range(count):
        await jobs.create(store, partition=0)
    await store.take(0, processor="crashed", most=count, in_hand=())

    first = await store.sweep(0, leader="s1", lease_ms=0, cursor="0-0")
    second = await store.sweep(0, leader="s1", lease_ms=0, cursor=first.cursor)

    assert (first.found, second.found, second.cursor) == (limits.SWEEP_PAGE_ENTRIES, 20, "0-0")
    assert set((await inspection.pending(store, 0)).values()) == {"ready"}


async def test_a_sweep_of_parked_entries_finds_retries_that_are_due_and_robs_nobody(store: JobStore) -> None:
    running, due, later = [await jobs.start(store, partition=0) for _ in range(3)]
    for run, delay_ms in ((due, 0), (later, jobs.LEASE_MS)):
        await store.retry_later(
            run, message=jobs.RETRYING, error=jobs.BROKEN, delay_ms=delay_ms, lease_ms=jobs.LEASE_MS
        )
    await store.renew(running, processor="p1", lease_ms=0)

    sweep = await store.sweep(0, leader="s1", lease_ms=jobs.LEASE_MS, cursor="7-7", parked_only=True)

    assert (sweep.is_leader, sweep.cursor, sweep.found) == (True, "7-7", 1)
    assert await inspection.pending(store, 0) == {
        running.record.entry: "p1", due.record.entry: "ready", later.record.entry: "parked",
    }  # fmt: skip


async def test_sweep_has_one_leader_for_each_partition(store: JobStore) -> None:
    leader = await store.sweep(0, leader="s1", lease_ms=0, cursor="0-0")
    follower = await store.sweep(0, leader="s2", lease_ms=0, cursor="0-0")
    again = await store.sweep(0, leader="s1", lease_ms=0, cursor="0-0")

    assert [leader.is_leader, follower.is_leader, again.is_leader] == [True, False, True]


async def test_a_sweeper_that_may_rob_nobody_yet_gives_way_to_one_that_may(store: JobStore) -> None:
    await jobs.start(store, partition=0, processor="crashed")
    young = await store.sweep(0, leader="young", lease_ms=0, cursor="0-0", parked_only=True)

    old = await store.sweep(0, leader="old", lease_ms=0, cursor="0-0")
    young_again = await store.sweep(0, leader="young", lease_ms=0, cursor="0-0", parked_only=True)

    assert [young.is_leader, old.is_leader, young_again.is_leader] == [True, True, False]
    assert old.found == 1


async def test_of_two_sweepers_that_may_rob_nobody_yet_one_leads(store: JobStore) -> None:
    sweeps = [
        await store.sweep(0, leader=name, lease_ms=0, cursor="0-0", parked_only=True) for name in ("s1", "s2", "s1")
    ]

    assert [sweep.is_leader for sweep in sweeps] == [True, False, True]


async def test_a_leader_that_may_rob_nobody_any_more_gives_way(store: JobStore) -> None:
    await store.sweep(0, leader="s1", lease_ms=0, cursor="0-0")
    await store.sweep(0, leader="s1", lease_ms=0, cursor="0-0", parked_only=True)

    assert (await store.sweep(0, leader="s2", lease_ms=0, cursor="0-0")).is_leader


async def test_the_sweepers_lock_ends_by_itself(store: JobStore) -> None:
    await store.sweep(0, leader="s1", lease_ms=0, cursor="0-0")

    lock_ms = (await inspection.expiries(store.connection))[keys.sweeper(0)]

    assert 0 < lock_ms <= limits.SWEEP_LOCK_MS


async def test_a_sweep_that_comes_too_early_robs_nobody(store: JobStore) -> None:
    run = await jobs.start(store, partition=0, processor="p1")
    await jobs.sweep(store, 0, lease_ms=0)
    [entry] = await store.take(0, processor="p2", most=1, in_hand=())

    refused = await store.claim(entry, "token-2", jobs.terms("p2"))

    assert isinstance(refused, NotDue)
    assert await inspection.pending(store, 0) == {run.record.entry: "p1"}


async def test_idle_processors_are_woken_by_create_release_and_sweep(store: JobStore, server: Server) -> None:
    woken: asyncio.Queue[str] = asyncio.Queue()
    hearing = running_live(server.url, on_message=lambda channel, _: woken.put_nowait(channel))
    async with asyncio.timeout(10), hearing as live:
        for channel in store.wake_channels():
            await live.subscribe(channel)

        run = await jobs.start(store, partition=0)
        if store.partitions > 1:  # else processors wait in a blocking read, which needs no waking
            assert await woken.get() == keys.wake(0)
        assert woken.empty()
        await store.release(run, message=jobs.RELEASED)
        assert await woken.get() == keys.wake(0)
        await jobs.sweep(store, 0, lease_ms=0)
        assert await woken.get() == keys.wake(0)


async def test_a_server_that_was_emptied_serves_again(store: JobStore, server: Server) -> None:
    await jobs.start(store, partition=0)
    empty(server)

    assert not (await store.sweep(0, leader="s1", lease_ms=0, cursor="0-0")).found
    assert (await store.backlog(0)).unfinished == 0
    assert await store.take(0, processor="p1", most=1, in_hand=()) == []
    job_id = await jobs.create(store, partition=0)

    assert isinstance(await jobs.claim(store, await jobs.take(store, job_id)), Run)


async def test_entries_whose_reply_was_lost_are_handed_out_again_and_those_in_hand_are_not(store: JobStore) -> None:
    known = await store.take(0, processor="p1", most=10, in_hand=())
    created = {await jobs.create(store, partition=0) for _ in range(3)}
    lost = await store.take(0, processor="p1", most=2, in_hand=())

    first = await store.take(0, processor="p1", most=1, in_hand=())
    rest = await store.take(0, processor="p1", most=5, in_hand=[first[0].entry_id])

    assert known == []
    assert len(lost) == 2
    assert {entry.job_id for entry in first + rest} == created
    assert len(rest) == 2
    assert {entry.entry_id for entry in lost} <= {entry.entry_id for entry in first + rest}
