"""The outbox: every end of a job with a callback leaves one, and it is in one deliverer's hands until it is settled."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import msgspec
import pytest

from shared import clock, limits
from shared.errors import RedisUnavailable
from shared.jobs import JobState
from shared.jobstore import keys, script
from shared.jobstore.callback import CallbackRecord, CallbackState, DeliveryOutcome, OutboxCounts, TakenCallback
from shared.jobstore.damage import bury_damaged
from shared.jobstore.lifetimes import Step
from shared.jobstore.operations import Buried, Cancelled, Run
from shared.jobstore.outbox import Outbox, Redelivered
from shared.jobstore.store import JobStore
from tests.support import inspection, jobs
from tests.support.cluster import Server
from tests.support.servers import full
from tests.support.stores import running_live

PATIENCE_SECONDS = 20.0
DAY_MS = 86_400_000
URL = "https://example.org/hook"
REFUSED = DeliveryOutcome(at_ms=1, duration_ms=20, status=503)
AWAY = DeliveryOutcome(at_ms=2, duration_ms=10_000, error="no answer within 10 s")
HEARD = DeliveryOutcome(at_ms=3, duration_ms=30, status=204)


async def take(store: JobStore, job_id: str, *, now_ms: int | None = None, deliverer: str = "p1") -> TakenCallback:
    """Take the one callback that is due."""
    partition = jobs.partition_number(job_id)
    [taken] = await Outbox(store).take(partition, deliverer, lease_ms=jobs.LEASE_MS, count=10, now_ms=now_ms)
    return taken


async def take_none(store: JobStore, job_id: str, *, now_ms: int | None = None) -> None:
    """See that no callback is due."""
    partition = jobs.partition_number(job_id)
    assert await Outbox(store).take(partition, "p2", lease_ms=jobs.LEASE_MS, count=10, now_ms=now_ms) == []


async def completed(store: JobStore) -> str:
    """Complete a job that has a callback."""
    run = await jobs.start(store, callback_url=URL)
    await store.finish(run, jobs.completion())
    return run.job_id


async def only(store: JobStore, job_id: str) -> CallbackRecord:
    """Give what is kept of a job's one callback."""
    [callback] = await Outbox(store).deliveries(job_id)
    return callback


# ── every end ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def complete(store: JobStore) -> str:
    return await completed(store)


async def fail(store: JobStore) -> str:
    return (await jobs.fail(store, callback_url=URL)).job_id


async def cancel_waiting(store: JobStore) -> str:
    job_id = await jobs.create(store, callback_url=URL)
    await jobs.cancel(store, job_id)
    return job_id


async def delete_waiting(store: JobStore) -> str:
    job_id = await jobs.create(store, callback_url=URL)
    await jobs.cancel(store, job_id, deletes=True)
    return job_id


async def cancel_running(store: JobStore) -> str:
    run = await jobs.start(store, callback_url=URL)
    await jobs.cancel(store, run.job_id)
    await store.finish(run, jobs.cancellation())
    return run.job_id


async def cancel_by_the_next_claim(store: JobStore) -> str:
    run = await jobs.start(store, callback_url=URL)
    await jobs.cancel(store, run.job_id)
    await jobs.lapse(store, run)
    assert isinstance(await store.claim(await jobs.take(store, run.job_id), "t", jobs.terms()), Cancelled)
    return run.job_id


async def crash_too_often(store: JobStore) -> str:
    run = await jobs.start(store, callback_url=URL)
    for _ in range(limits.MAX_CRASHES - 1):
        run = await jobs.take_over(store, run)
    await jobs.lapse(store, run)
    assert isinstance(await store.claim(await jobs.take(store, run.job_id), "t", jobs.terms()), Buried)
    return run.job_id


async def expire(store: JobStore) -> str:
    job_id = await jobs.create(store, callback_url=URL)
    in_two_days = clock.now_ms() + 2 * DAY_MS
    lifetimes = jobs.lifetimes_of(store)
    assert (await lifetimes.expire(job_id, jobs.expiry_terms(), now_ms=in_two_days)).step is Step.EXPIRED
    return job_id


async def expire_what_was_asked_to_end(store: JobStore) -> str:
    run = await jobs.start(store, callback_url=URL)
    await jobs.park_in_spite_of_a_wish(store, run)
    in_two_days = clock.now_ms() + 2 * DAY_MS
    taken = await jobs.lifetimes_of(store).expire(run.job_id, jobs.expiry_terms(), now_ms=in_two_days)
    assert taken.step is Step.CANCELLED
    return run.job_id


async def damage(store: JobStore) -> str:
    entry = await jobs.take(store, await jobs.create(store, callback_url=URL))
    await store.connection.execute("HSET", keys.of_job(entry.partition, entry.job_id).record, "epoch", "many")
    assert await bury_damaged(store, entry, jobs.BROKEN, message=jobs.FAILED, terms=jobs.terms())
    return entry.job_id


ENDS: list[tuple[Callable[[JobStore], Awaitable[str]], JobState, bytes]] = [
    (complete, JobState.COMPLETED, jobs.COMPLETED),
    (fail, JobState.FAILED, jobs.FAILED),
    (cancel_waiting, JobState.CANCELLED, jobs.CANCELLED),
    (delete_waiting, JobState.CANCELLED, jobs.CANCELLED),
    (cancel_running, JobState.CANCELLED, jobs.CANCELLED),
    (cancel_by_the_next_claim, JobState.CANCELLED, jobs.CANCELLED),
    (crash_too_often, JobState.FAILED, jobs.BURIED),
    (expire, JobState.FAILED, jobs.EXPIRED),
    (expire_what_was_asked_to_end, JobState.CANCELLED, jobs.CANCELLED),
    (damage, JobState.FAILED, jobs.FAILED),
]
A_WEEK_MS = 7 * DAY_MS


@pytest.mark.parametrize(("end", "state", "message"), ENDS, ids=[end.__name__ for end, _, _ in ENDS])
async def test_every_end_leaves_one_callback_that_says_which(
    store: JobStore, end: Callable[[JobStore], Awaitable[str]], state: JobState, message: bytes
) -> None:
    job_id = await end(store)

    taken = await take(store, job_id, now_ms=clock.now_ms() + A_WEEK_MS)

    record = await store.find(job_id)
    assert record is not None
    assert (taken.record.state, taken.message, taken.record.callback_url) == (state, message, URL)
    assert taken.callback_id == f"msg_{job_id.replace('-', '')}_{record.epoch}"
    assert (taken.is_for_admins, taken.letter, taken.attempt, taken.tries) == (False, None, 1, ())
    assert (await store.find(job_id)) == record
    await take_none(store, job_id, now_ms=clock.now_ms() + A_WEEK_MS)


@pytest.mark.parametrize("end", [fail, crash_too_often, expire, damage], ids=lambda end: end.__name__)
async def test_a_dead_letter_leaves_one_more_for_the_admins(
    store: JobStore, end: Callable[[JobStore], Awaitable[str]]
) -> None:
    telling = JobStore(store.connection, partitions=store.partitions, tells_admins=True)

    job_id = await end(telling)

    partition = jobs.partition_number(job_id)
    week = clock.now_ms() + A_WEEK_MS
    [owners, admins] = sorted(
        await Outbox(store).take(partition, "p1", lease_ms=1, count=10, now_ms=week),
        key=lambda taken: taken.is_for_admins,
    )
    assert admins.callback_id == f"{owners.callback_id}_admin"
    assert admins.letter == await jobs.letter_of(store, job_id)
    assert [callback.name for callback in await Outbox(store).deliveries(job_id)] == [owners.name]
    assert [callback.name for callback in await Outbox(store).deliveries(job_id, for_admins=True)] == [admins.name]


async def test_admins_are_told_of_a_job_without_a_callback_of_its_own(store: JobStore) -> None:
    telling = JobStore(store.connection, partitions=store.partitions, tells_admins=True)

    run = await jobs.fail(telling)

    assert (await take(store, run.job_id)).is_for_admins


@pytest.mark.parametrize("end", [complete, cancel_waiting], ids=lambda end: end.__name__)
async def test_admins_are_not_told_of_an_end_without_a_dead_letter(
    store: JobStore, end: Callable[[JobStore], Awaitable[str]]
) -> None:
    job_id = await end(JobStore(store.connection, partitions=store.partitions, tells_admins=True))

    assert not (await take(store, job_id)).is_for_admins


async def test_a_job_without_a_url_leaves_nothing(store: JobStore) -> None:
    run = await jobs.start(store)

    await store.finish(run, jobs.completion())

    await take_none(store, run.job_id)
    assert await Outbox(store).deliveries(run.job_id) == []


async def test_a_callback_carries_what_is_told_of_the_job(store: JobStore) -> None:
    failed = await jobs.fail(store, callback_url=URL)
    await jobs.redrive(store, failed)
    await store.finish(await jobs.claim(store, await jobs.take(store, failed.job_id)), jobs.completion())
    record = await store.find(failed.job_id)
    assert record is not None
    await jobs.cancel(store, failed.job_id, deletes=True)

    partition = jobs.partition_number(failed.job_id)
    told = (await Outbox(store).take(partition, "p1", lease_ms=jobs.LEASE_MS, count=10))[-1]

    assert told.total_files == len(record.file_ids) > 1
    of_the_run = {"entry": "", "token": None, "processor": None, "object_key": None, "due_at_ms": 0, "run_at_ms": None}
    of_its_making = {"file_ids": (), "redriven_at_ms": None, "standing": None, "failures": 0, "crashes": 0}
    assert told.record == msgspec.structs.replace(record, **of_the_run, **of_its_making)


async def test_a_callback_of_a_thousand_files_is_as_small_as_one_of_two(single: JobStore) -> None:
    few, many = jobs.new_job(single, callback_url=URL), jobs.new_job(single, callback_url=URL)
    many = msgspec.structs.replace(many, file_ids=tuple(range(10_000_000, 10_001_000)))
    sizes_bytes = []
    for new in (few, many):
        await single.create(new)
        await jobs.cancel(single, new.job_id)
        sizes_bytes.append(await single.connection.execute("HSTRLEN", keys.callbacks(0, new.job_id), "1"))

    taken = await Outbox(single).take(0, "p1", lease_ms=jobs.LEASE_MS, count=10)

    assert sorted(callback.total_files for callback in taken) == [len(few.file_ids), 1_000]
    assert sizes_bytes[1] - sizes_bytes[0] < 10  # type: ignore[operator]  # the number has more digits


async def test_a_callback_outlives_the_record_of_its_job(store: JobStore) -> None:
    job_id = await completed(store)
    await store.connection.execute("DEL", keys.of_job(jobs.partition_number(job_id), job_id).record)

    taken = await take(store, job_id)

    assert (taken.record.owner, taken.record.bundle) == (jobs.OWNER, jobs.BUNDLE)


async def test_a_deleted_job_is_told_as_it_ended(store: JobStore) -> None:
    job_id = await completed(store)

    await jobs.cancel(store, job_id, deletes=True)

    assert (await take(store, job_id)).record.state is JobState.COMPLETED


# ── a job that ends again ─────────────────────────────────────────────────────────────────────────────────────────────


async def fail_again(store: JobStore, failed: Run) -> Run:
    """Begin a failed job anew, and let it fail again."""
    await jobs.redrive(store, failed)
    run = await jobs.claim(store, await jobs.take(store, failed.job_id))
    await store.finish(run, jobs.failure())
    return run


async def complete_after_all(store: JobStore, failed: Run) -> Run:
    """Begin a failed job anew, and complete it."""
    await jobs.redrive(store, failed)
    run = await jobs.claim(store, await jobs.take(store, failed.job_id))
    await store.finish(run, jobs.completion())
    return run


async def states(store: JobStore, job_id: str, *, for_admins: bool = False) -> list[str]:
    """Say where the callbacks of a job stand."""
    return [callback.state.value for callback in await Outbox(store).deliveries(job_id, for_admins=for_admins)]


async def test_each_end_of_a_redriven_job_is_told(store: JobStore) -> None:
    failed = await jobs.fail(store, callback_url=URL)
    first = await take(store, failed.job_id)
    await Outbox(store).delivered(first, HEARD)
    run = await complete_after_all(store, failed)

    second = await take(store, failed.job_id)

    assert [told.record.state for told in (first, second)] == [JobState.FAILED, JobState.COMPLETED]
    assert [told.name.epoch for told in (first, second)] == [failed.epoch, run.epoch]


async def test_an_end_that_waits_is_superseded_by_the_next(store: JobStore) -> None:
    failed, outbox = await jobs.fail(store, callback_url=URL), Outbox(store)
    await outbox.try_again(await take(store, failed.job_id), REFUSED, delay_ms=DAY_MS)
    run = await complete_after_all(store, failed)

    told = await take(store, failed.job_id, now_ms=clock.now_ms() + A_WEEK_MS)

    assert told.name.epoch == run.epoch
    assert await states(store, failed.job_id) == ["superseded", "delivering"]
    assert (await outbox.deliveries(failed.job_id))[0].tries == (REFUSED,)
    assert (await outbox.counts(told.partition)).waiting == 1
    await outbox.delivered(told, HEARD)
    await take_none(store, failed.job_id, now_ms=clock.now_ms() + A_WEEK_MS)
    assert await store.connection.execute("PTTL", keys.callbacks(told.partition, run.job_id)) != inspection.NO_EXPIRY


@pytest.mark.parametrize("is_tried", [True, False])
async def test_an_end_that_is_being_told_is_not_told_again_once_there_is_a_later_one(
    store: JobStore, is_tried: bool
) -> None:
    failed, outbox = await jobs.fail(store, callback_url=URL), Outbox(store)
    first = await take(store, failed.job_id)
    run = await complete_after_all(store, failed)
    before = await states(store, failed.job_id)

    for _ in range(2):
        assert await (outbox.try_again(first, REFUSED, delay_ms=0) if is_tried else outbox.release(first))

    assert (before, await states(store, failed.job_id)) == (["delivering", "waiting"], ["superseded", "waiting"])
    assert len((await outbox.deliveries(failed.job_id))[0].tries) == is_tried
    assert (await take(store, failed.job_id)).name.epoch == run.epoch


async def test_an_end_whose_deliverer_died_is_not_told_again_once_there_is_a_later_one(store: JobStore) -> None:
    failed = await jobs.fail(store, callback_url=URL)
    await take(store, failed.job_id)
    run = await complete_after_all(store, failed)

    told = await take(store, failed.job_id, now_ms=clock.now_ms() + jobs.LEASE_MS + 1_000)

    assert told.name.epoch == run.epoch
    assert await states(store, failed.job_id) == ["superseded", "delivering"]


async def test_an_end_that_is_being_told_may_be_heard_after_a_later_one(store: JobStore) -> None:
    failed, outbox = await jobs.fail(store, callback_url=URL), Outbox(store)
    first = await take(store, failed.job_id)
    await complete_after_all(store, failed)
    await outbox.delivered(await take(store, failed.job_id), HEARD)

    assert await outbox.delivered(first, HEARD)

    assert await states(store, failed.job_id) == ["delivered", "delivered"]


async def test_what_admins_are_told_is_superseded_by_what_they_are_told_alone(store: JobStore) -> None:
    telling = JobStore(store.connection, partitions=store.partitions, tells_admins=True)
    failed = await jobs.fail(telling, callback_url=URL)
    run = await fail_again(telling, failed)

    await complete_after_all(telling, run)

    assert await states(store, run.job_id) == ["superseded", "superseded", "waiting"]
    assert await states(store, run.job_id, for_admins=True) == ["superseded", "waiting"]


async def test_of_a_job_that_fails_again_and_again_one_callback_waits(single: JobStore) -> None:
    run = await jobs.fail(single, callback_url=URL)
    for _ in range(limits.CALLBACK_ENDS_KEPT + 3):
        run = await fail_again(single, run)

    kept = await states(single, run.job_id)

    assert kept == ["superseded"] * limits.CALLBACK_ENDS_KEPT + ["waiting"]
    assert (await Outbox(single).counts(0)).waiting == 1


async def test_the_last_settled_ones_are_kept_beside_those_under_way(single: JobStore) -> None:
    run, outbox = await jobs.fail(single, callback_url=URL), Outbox(single)
    await outbox.delivered(await take(single, run.job_id), HEARD)
    for _ in range(limits.CALLBACK_ENDS_KEPT):
        run = await fail_again(single, run)
        await take(single, run.job_id)
    run = await fail_again(single, run)

    kept = await states(single, run.job_id)

    assert kept == ["delivered"] + ["delivering"] * limits.CALLBACK_ENDS_KEPT + ["waiting"]


async def test_a_try_that_is_ended_once_more_after_its_callback_is_forgotten_is_ended_still(single: JobStore) -> None:
    run, outbox = await jobs.fail(single, callback_url=URL), Outbox(single)
    first = await take(single, run.job_id)
    answers = [await outbox.delivered(first, HEARD)]
    for _ in range(limits.CALLBACK_ENDS_KEPT + 2):
        run = await fail_again(single, run)
    before = await inspection.everything(single.connection)

    answers += [await outbox.delivered(first, HEARD), await outbox.try_again(first, AWAY, delay_ms=0)]

    assert first.name not in [callback.name for callback in await outbox.deliveries(run.job_id)]
    assert answers == [True] * 3
    assert await inspection.everything(single.connection) == before


async def test_the_end_is_told_although_redis_takes_no_new_data(store: JobStore, server: Server) -> None:
    run, outbox = await jobs.start(store, callback_url=URL), Outbox(store)

    with full(server):
        await store.finish(run, jobs.completion())
        assert await outbox.release(await take(store, run.job_id))
        assert await outbox.try_again(await take(store, run.job_id), REFUSED, delay_ms=0)
        assert await outbox.give_up(await take(store, run.job_id), AWAY)
        assert await outbox.redeliver(run.job_id) is Redelivered.OK
        assert await outbox.delivered(await take(store, run.job_id), HEARD)
        assert (await outbox.counts(jobs.partition_number(run.job_id))).waiting == 0

    assert (await only(store, run.job_id)).state is CallbackState.DELIVERED


async def test_deliverers_hear_of_an_end_and_of_a_wish_at_once(store: JobStore, server: Server) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    outbox = Outbox(store)
    async with running_live(server.url, on_message=lambda channel, _: heard.put_nowait(channel)) as live:
        for channel in outbox.wake_channels():
            await live.subscribe(channel)

        job_id = await completed(store)
        async with asyncio.timeout(PATIENCE_SECONDS):
            first = await heard.get()
        await outbox.redeliver(job_id)
        async with asyncio.timeout(PATIENCE_SECONDS):
            second = await heard.get()

    assert first == second == keys.outbox(jobs.partition_number(job_id))


# ── tries ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_callback_in_somebodys_hands_is_nobody_elses(store: JobStore) -> None:
    job_id = await completed(store)

    await take(store, job_id)

    await take_none(store, job_id)
    assert (await only(store, job_id)).state is CallbackState.DELIVERING


async def test_of_two_deliverers_that_see_a_callback_due_one_gets_it(store: JobStore) -> None:
    job_id, outbox = await completed(store), Outbox(store)
    partition = jobs.partition_number(job_id)

    taken = await asyncio.gather(
        *(outbox.take(partition, deliverer, lease_ms=jobs.LEASE_MS, count=10) for deliverer in ("p1", "p2"))
    )

    assert sorted(map(len, taken)) == [0, 1]


async def test_the_callback_of_a_deliverer_that_died_is_due_when_its_lease_is_over(store: JobStore) -> None:
    job_id = await completed(store)
    first = await take(store, job_id)

    second = await take(store, job_id, now_ms=clock.now_ms() + jobs.LEASE_MS + 1_000, deliverer="p2")

    assert (second.callback_id, second.attempt) == (first.callback_id, 1)
    assert not await Outbox(store).delivered(first, HEARD)
    assert (await only(store, job_id)).state is CallbackState.DELIVERING


async def test_a_try_counts_once_it_has_ended_however_many_deliverers_have_died(store: JobStore) -> None:
    job_id, outbox, now_ms = await completed(store), Outbox(store), clock.now_ms()
    await outbox.try_again(await take(store, job_id), REFUSED, delay_ms=0)

    for _ in range(10):
        now_ms += jobs.LEASE_MS + 1_000
        await take(store, job_id, now_ms=now_ms)

    last = await take(store, job_id, now_ms=now_ms + jobs.LEASE_MS + 1_000)
    assert (last.attempt, last.tries, (await only(store, job_id)).attempt) == (2, (REFUSED,), 2)
    await outbox.give_up(last, AWAY)
    assert [dead.attempts for dead in await outbox.dead(last.partition)] == [(await only(store, job_id)).attempt] == [2]


async def test_who_is_superseded_changes_nothing(store: JobStore) -> None:
    job_id, outbox = await completed(store), Outbox(store)
    late = await take(store, job_id)
    await take(store, job_id, now_ms=clock.now_ms() + jobs.LEASE_MS + 1_000, deliverer="p2")
    before = await inspection.everything(store.connection)

    answers = [
        await outbox.delivered(late, HEARD),
        await outbox.give_up(late, AWAY),
        await outbox.try_again(late, AWAY, delay_ms=0),
        await outbox.release(late),
    ]

    assert answers == [False] * 4
    assert await inspection.everything(store.connection) == before


async def test_what_was_told_is_due_no_more(store: JobStore) -> None:
    job_id, outbox = await completed(store), Outbox(store)

    assert await outbox.delivered(await take(store, job_id), HEARD)

    await take_none(store, job_id, now_ms=clock.now_ms() + A_WEEK_MS)
    callback = await only(store, job_id)
    assert (callback.state, callback.tries, callback.attempt) == (CallbackState.DELIVERED, (HEARD,), 1)
    assert callback.next_try_at_ms is None


async def test_a_callback_is_tried_again_after_its_delay_and_not_before(store: JobStore) -> None:
    job_id, outbox, now_ms = await completed(store), Outbox(store), clock.now_ms() + 1_000
    taken = await take(store, job_id, now_ms=now_ms)

    assert await outbox.try_again(taken, REFUSED, delay_ms=5_000, now_ms=now_ms)

    callback = await only(store, job_id)
    assert (callback.state, callback.next_try_at_ms) == (CallbackState.WAITING, now_ms + 5_000)
    await take_none(store, job_id, now_ms=now_ms + 4_999)
    again = await take(store, job_id, now_ms=now_ms + 5_000)
    assert (again.attempt, again.tries, again.callback_id) == (2, (REFUSED,), taken.callback_id)


async def test_a_released_try_does_not_count(store: JobStore) -> None:
    job_id, outbox = await completed(store), Outbox(store)

    assert await outbox.release(await take(store, job_id))

    again = await take(store, job_id)
    assert (again.attempt, again.tries) == (1, ())


async def test_the_last_tries_are_kept(store: JobStore) -> None:
    job_id, outbox = await completed(store), Outbox(store)
    for number in range(limits.CALLBACK_TRIES_KEPT + 2):
        outcome = DeliveryOutcome(at_ms=number, duration_ms=1, status=500)
        await outbox.try_again(await take(store, job_id), outcome, delay_ms=0)

    callback = await only(store, job_id)

    assert [outcome.at_ms for outcome in callback.tries] == list(range(2, limits.CALLBACK_TRIES_KEPT + 2))
    assert callback.attempt == limits.CALLBACK_TRIES_KEPT + 2


async def test_a_callback_that_is_given_up_is_a_dead_one(store: JobStore) -> None:
    job_id, outbox = await completed(store), Outbox(store)
    partition = jobs.partition_number(job_id)
    taken = await take(store, job_id)

    assert await outbox.give_up(taken, AWAY)

    [dead] = await outbox.dead(partition)
    assert (dead.callback_id, dead.job_id, dead.owner, dead.url) == (taken.callback_id, job_id, jobs.OWNER, URL)
    assert (dead.attempts, dead.reason, dead.status) == (1, AWAY.error, None)
    assert (await only(store, job_id)).state is CallbackState.DEAD
    await take_none(store, job_id, now_ms=clock.now_ms() + A_WEEK_MS)
    assert await outbox.counts(partition) == OutboxCounts(waiting=0, dead=1, overdue_ms=0)


# ── what is left ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_waits_has_no_expiry_and_what_is_settled_has_one(store: JobStore) -> None:
    failed = await jobs.fail(store, callback_url=URL)
    name = keys.callbacks(jobs.partition_number(failed.job_id), failed.job_id)
    expiries = [await store.connection.execute("PTTL", name)]
    await Outbox(store).delivered(await take(store, failed.job_id), HEARD)
    expiries.append(await store.connection.execute("PTTL", name))
    await fail_again(store, failed)
    expiries.append(await store.connection.execute("PTTL", name))
    await Outbox(store).give_up(await take(store, failed.job_id), AWAY)
    expiries.append(await store.connection.execute("PTTL", name))

    assert [expiry == inspection.NO_EXPIRY for expiry in expiries] == [True, False, True, False]


async def test_a_job_with_one_callback_told_and_one_waiting_is_kept(store: JobStore) -> None:
    failed = await jobs.fail(store, callback_url=URL)
    first = await take(store, failed.job_id)
    await fail_again(store, failed)

    await Outbox(store).delivered(first, HEARD)

    name = keys.callbacks(jobs.partition_number(failed.job_id), failed.job_id)
    assert await store.connection.execute("PTTL", name) == inspection.NO_EXPIRY


async def test_of_a_job_that_is_redriven_for_ever_the_last_callbacks_are_kept(single: JobStore) -> None:
    run = await jobs.fail(single, callback_url=URL)
    epochs = [run.epoch]
    for _ in range(limits.CALLBACK_ENDS_KEPT + 3):
        await Outbox(single).delivered(await take(single, run.job_id), HEARD)
        run = await fail_again(single, run)
        epochs.append(run.epoch)

    kept = await Outbox(single).deliveries(run.job_id)

    assert [callback.name.epoch for callback in kept] == epochs[-limits.CALLBACK_ENDS_KEPT - 1 :]
    fields = await single.connection.execute("HLEN", keys.callbacks(0, run.job_id))
    assert fields == 3 + 5 * limits.CALLBACK_ENDS_KEPT + 1


async def test_counts_say_what_waits_and_for_how_long_it_is_due(single: JobStore) -> None:
    job_id = await completed(single)
    await single.connection.execute("ZADD", keys.outbox(0), 1, (await only(single, job_id)).callback_id)

    counts = await Outbox(single).counts(0)

    assert (counts.waiting, counts.dead) == (1, 0)
    assert counts.overdue_ms > DAY_MS
    assert await Outbox(single).next_due_at_ms(0) == 1


async def test_those_that_are_due_next_are_given_first_across_partitions_and_no_more_than_asked_for(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CALLBACKS_READ_AT_ONCE", 2)
    outbox, now_ms, ended = Outbox(store), clock.now_ms(), list[str]()
    for number in range(5):
        ended.append(await completed(store))
        taken = await take(store, ended[-1])
        await outbox.try_again(taken, REFUSED, delay_ms=DAY_MS * (5 - number), now_ms=now_ms)
    gone = ended[3]
    await store.connection.execute("DEL", keys.callbacks(jobs.partition_number(gone), gone))

    found = await outbox.next_up(count=5)

    assert [one.name.job_id for one in found] == [ended[4], ended[2], ended[1], ended[0]]
    assert [one.next_try_at_ms for one in found] == [now_ms + DAY_MS * days for days in (1, 3, 4, 5)]
    assert found == [await only(store, one.name.job_id) for one in found]
    assert await outbox.next_up(count=1) == found[:1]


async def test_an_empty_outbox_has_nothing_due(single: JobStore) -> None:
    assert await Outbox(single).next_due_at_ms(0) is None
    assert await Outbox(single).counts(0) == OutboxCounts(0, 0, 0)


async def test_what_strangers_put_into_the_outbox_goes(single: JobStore) -> None:
    job_id = await completed(single)
    foreign = "msg_" + "0" * 32 + "_1"
    await single.connection.execute("ZADD", keys.outbox(0), 1, "x", 2, b"\xff", 3, foreign)

    taken = await take(single, job_id)

    assert await single.connection.execute("ZRANGE", keys.outbox(0), 0, -1) == [taken.callback_id.encode()]


async def test_an_entry_whose_callback_is_gone_goes_too(single: JobStore) -> None:
    job_id = await completed(single)
    await single.connection.execute("DEL", keys.callbacks(0, job_id))

    await take_none(single, job_id)

    assert await Outbox(single).next_due_at_ms(0) is None


async def test_a_key_of_another_type_stops_no_other_callback(single: JobStore) -> None:
    bad, good = await completed(single), await completed(single)
    await single.connection.execute("SET", keys.callbacks(0, bad), "x")

    taken = await take(single, good)

    assert taken.name.job_id == good
    assert await single.connection.execute("ZRANGE", keys.outbox(0), 0, -1) == [taken.callback_id.encode()]


async def test_an_end_is_told_although_a_key_of_another_type_stood_in_its_place(store: JobStore) -> None:
    run = await jobs.start(store, callback_url=URL)
    await store.connection.execute("SET", keys.callbacks(jobs.partition_number(run.job_id), run.job_id), "x")

    await store.finish(run, jobs.completion())

    assert (await take(store, run.job_id)).message == jobs.COMPLETED


async def test_what_was_taken_is_given_although_one_of_the_page_cannot_be(
    single: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost, found = await completed(single), await completed(single)
    run_script = single.connection.run_script

    async def answer(operation: script.Script, names: Any, *arguments: Any, **options: Any) -> object:
        if operation is script.TAKE_CALLBACK and arguments[0] == lost:
            raise RedisUnavailable("It went away.")
        return await run_script(operation, names, *arguments, **options)

    monkeypatch.setattr(single.connection, "run_script", answer)

    assert (await take(single, found)).name.job_id == found
    with pytest.raises(RedisUnavailable):
        await Outbox(single).take(0, "p1", lease_ms=jobs.LEASE_MS, count=10)


UNREADABLE = [("", b"\xff{"), ("", b'["m"]'), ("", b'["m","state","completed","total_files","x"]'), ("schema", b"")]


@pytest.mark.parametrize(("field", "text"), UNREADABLE)
async def test_a_callback_that_cannot_be_read_waits_for_one_who_can(single: JobStore, field: str, text: bytes) -> None:
    job_id, outbox, now_ms = await completed(single), Outbox(single), clock.now_ms() + 1_000
    callback, name = await only(single, job_id), keys.callbacks(0, job_id)
    whole = cast("bytes", await single.connection.execute("HGET", name, callback.name.field))
    newer = whole.replace(b'"schema","1"', b'"schema","2"')
    assert newer != whole
    await single.connection.execute("HSET", name, callback.name.field, newer if field else text)

    await take_none(single, job_id, now_ms=now_ms)

    seen = await only(single, job_id)
    assert (seen.state, seen.attempt, seen.tries) == (CallbackState.WAITING, 0, ())
    assert seen.next_try_at_ms == now_ms + limits.CALLBACK_UNREAD_PAUSE_MS
    await single.connection.execute("HSET", name, callback.name.field, whole)
    again = await take(single, job_id, now_ms=now_ms + limits.CALLBACK_UNREAD_PAUSE_MS)
    assert (again.attempt, await outbox.dead(0)) == (1, [])


async def test_a_callback_that_nobody_could_read_for_days_is_given_up(single: JobStore) -> None:
    job_id, outbox, now_ms = await completed(single), Outbox(single), clock.now_ms() + 1_000
    await outbox.try_again(await take(single, job_id), REFUSED, delay_ms=0)
    callback = await only(single, job_id)
    await single.connection.execute("HSET", keys.callbacks(0, job_id), callback.name.field, b"\xff{")
    await take_none(single, job_id, now_ms=now_ms)
    await take_none(single, job_id, now_ms=now_ms + limits.CALLBACK_UNREAD_FOR_MS - 1)
    last_ms = now_ms + limits.CALLBACK_UNREAD_FOR_MS + limits.CALLBACK_UNREAD_PAUSE_MS
    waits = (await only(single, job_id)).state

    await take_none(single, job_id, now_ms=last_ms)

    assert waits is CallbackState.WAITING
    [dead] = await outbox.dead(0)
    assert (dead.callback_id, dead.owner, dead.url, dead.attempts) == (callback.callback_id, jobs.OWNER, URL, 1)
    assert ((await only(single, job_id)).state, (await only(single, job_id)).tries) == (CallbackState.DEAD, (REFUSED,))


# ── once more ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_callback_is_told_again_under_the_same_id(store: JobStore) -> None:
    job_id, outbox = await completed(store), Outbox(store)
    first = await take(store, job_id)
    await outbox.delivered(first, HEARD)

    assert await outbox.redeliver(job_id) is Redelivered.OK

    again = await take(store, job_id)
    assert (again.callback_id, again.attempt, again.tries) == (first.callback_id, 1, (HEARD,))
    assert await store.connection.execute("PTTL", keys.callbacks(again.partition, job_id)) == inspection.NO_EXPIRY


async def test_a_dead_callback_that_is_told_again_is_dead_no_more(store: JobStore) -> None:
    job_id, outbox = await completed(store), Outbox(store)
    await outbox.give_up(await take(store, job_id), AWAY)

    await outbox.redeliver(job_id)

    assert await outbox.dead(jobs.partition_number(job_id)) == []
    assert await outbox.delivered(await take(store, job_id), HEARD)


async def test_the_last_end_is_the_one_that_is_told_again(store: JobStore) -> None:
    failed, outbox = await jobs.fail(store, callback_url=URL), Outbox(store)
    await outbox.delivered(await take(store, failed.job_id), HEARD)
    await jobs.redrive(store, failed)
    run = await jobs.claim(store, await jobs.take(store, failed.job_id))
    await store.finish(run, jobs.completion())
    await outbox.delivered(await take(store, failed.job_id), HEARD)

    await outbox.redeliver(run.job_id)

    assert (await take(store, run.job_id)).name.epoch == run.epoch


async def test_what_waits_for_hours_is_due_at_once_when_it_is_wanted(store: JobStore) -> None:
    job_id, outbox = await completed(store), Outbox(store)
    await outbox.try_again(await take(store, job_id), REFUSED, delay_ms=DAY_MS)

    await outbox.redeliver(job_id)

    assert (await take(store, job_id)).attempt == 1


async def test_a_try_under_way_is_what_was_asked_for(store: JobStore) -> None:
    job_id, outbox = await completed(store), Outbox(store)
    await outbox.try_again(await take(store, job_id), REFUSED, delay_ms=0)
    under_way = await take(store, job_id)
    before = await inspection.everything(store.connection)

    assert await outbox.redeliver(job_id) is Redelivered.UNCHANGED

    assert await inspection.everything(store.connection) == before
    assert await outbox.delivered(under_way, HEARD)


async def test_within_a_minute_an_end_is_told_again_once(store: JobStore) -> None:
    job_id, outbox, now_ms = await completed(store), Outbox(store), clock.now_ms()
    await outbox.delivered(await take(store, job_id), HEARD)
    await outbox.redeliver(job_id, now_ms=now_ms)
    await outbox.try_again(await take(store, job_id), REFUSED, delay_ms=DAY_MS)
    before = await inspection.everything(store.connection)

    answers = [await outbox.redeliver(job_id, now_ms=now_ms + limits.REDELIVERY_PAUSE_MS - 1)]
    unchanged = await inspection.everything(store.connection)
    answers.append(await outbox.redeliver(job_id, now_ms=now_ms + limits.REDELIVERY_PAUSE_MS))

    assert answers == [Redelivered.UNCHANGED, Redelivered.OK]
    assert unchanged == before
    assert (await take(store, job_id, now_ms=now_ms + limits.REDELIVERY_PAUSE_MS)).attempt == 1


async def test_what_was_tried_before_an_end_is_told_again_is_still_shown_and_no_more_than_the_last_tries(
    store: JobStore,
) -> None:
    job_id, outbox, now_ms = await completed(store), Outbox(store), clock.now_ms()
    for number in range(limits.CALLBACK_TRIES_KEPT):
        failed = DeliveryOutcome(at_ms=number, duration_ms=1, status=503)
        await outbox.try_again(await take(store, job_id), failed, delay_ms=0)
    never_asked = (await only(store, job_id)).asked_at_ms

    await outbox.redeliver(job_id, now_ms=now_ms)
    before = await only(store, job_id)
    await outbox.delivered(await take(store, job_id), HEARD)

    after = await only(store, job_id)
    assert (never_asked, before.asked_at_ms, before.attempt) == (None, now_ms, 0)
    assert [one.at_ms for one in before.tries] == list(range(limits.CALLBACK_TRIES_KEPT))
    assert (after.attempt, after.tries) == (1, (*before.tries[1:], HEARD))


async def test_an_end_is_told_again_when_its_record_is_forgotten(store: JobStore) -> None:
    failed, outbox = await jobs.fail(store, callback_url=URL), Outbox(store)
    run = await complete_after_all(store, failed)
    await outbox.delivered(await take(store, run.job_id), HEARD)
    assert await outbox.whose(run.job_id) == jobs.OWNER
    await store.connection.execute("DEL", keys.record(jobs.partition_number(run.job_id), run.job_id))

    assert await outbox.redeliver(run.job_id) is Redelivered.OK

    again = await take(store, run.job_id)
    assert (again.name.epoch, again.record.owner, again.record.callback_url) == (run.epoch, jobs.OWNER, URL)


async def test_nobody_is_told_again_of_a_forgotten_job_that_admins_alone_were_told_of(store: JobStore) -> None:
    telling = JobStore(store.connection, partitions=store.partitions, tells_admins=True)
    run, outbox = await jobs.fail(telling), Outbox(store)
    await store.connection.execute("DEL", keys.record(jobs.partition_number(run.job_id), run.job_id))

    assert await outbox.redeliver(run.job_id) is Redelivered.GONE
    assert [await outbox.whose(job_id) for job_id in (run.job_id, "x")] == [None, None]


async def test_admins_are_told_again_of_the_last_letter_wherever_its_job_stands_and_its_owner_is_not(
    store: JobStore,
) -> None:
    telling, outbox = JobStore(store.connection, partitions=store.partitions, tells_admins=True), Outbox(store)
    run = await jobs.fail(telling, callback_url=URL)
    partition = jobs.partition_number(run.job_id)
    taken = await outbox.take(partition, "p1", lease_ms=jobs.LEASE_MS, count=10)
    for each in taken:
        await outbox.give_up(each, AWAY)
    await jobs.redrive(telling, run)

    answers = [await outbox.redeliver(run.job_id, for_admins=True)]

    [again] = await outbox.take(partition, "p1", lease_ms=jobs.LEASE_MS, count=10)
    assert (again.name.epoch, again.is_for_admins, again.attempt, again.tries) == (run.epoch, True, 1, (AWAY,))
    assert again.letter is not None
    assert [dead.callback_id for dead in await outbox.dead(partition)] == [
        each.callback_id for each in taken if not each.is_for_admins
    ]
    assert await outbox.delivered(again, HEARD)
    await jobs.cancel(store, run.job_id, deletes=True)
    answers.append(await outbox.redeliver(run.job_id, for_admins=True, now_ms=clock.now_ms() + DAY_MS))
    await store.connection.execute("DEL", keys.record(partition, run.job_id))
    answers.append(await outbox.redeliver(run.job_id, for_admins=True, now_ms=clock.now_ms() + 2 * DAY_MS))
    assert answers == [Redelivered.OK] * 3


async def test_admins_are_not_told_again_of_what_they_were_not_told(store: JobStore) -> None:
    outbox, run = Outbox(store), await jobs.fail(store, callback_url=URL)
    forgotten = await completed(store)
    partition = jobs.partition_number(forgotten)
    await store.connection.execute("DEL", keys.record(partition, forgotten), keys.callbacks(partition, forgotten))
    before = await inspection.everything(store.connection)

    answers = [await outbox.redeliver(job_id, for_admins=True) for job_id in (run.job_id, forgotten, "x")]

    assert answers == [Redelivered.NO_CALLBACK, Redelivered.GONE, Redelivered.GONE]
    assert await inspection.everything(store.connection) == before


async def test_a_deleted_job_is_told_to_nobody_once_its_record_is_forgotten(store: JobStore) -> None:
    job_id, outbox = await completed(store), Outbox(store)
    await outbox.delivered(await take(store, job_id), HEARD)
    await jobs.cancel(store, job_id, deletes=True)
    await store.connection.execute("DEL", keys.record(jobs.partition_number(job_id), job_id))

    assert await outbox.redeliver(job_id) is Redelivered.GONE


async def test_an_end_by_a_processor_of_an_older_version_is_told_when_it_is_wanted(store: JobStore) -> None:
    job_id, outbox = await completed(store), Outbox(store)
    partition = jobs.partition_number(job_id)
    await store.connection.execute("DEL", keys.callbacks(partition, job_id), keys.outbox(partition))

    assert await outbox.redeliver(job_id) is Redelivered.OK

    assert (await take(store, job_id)).message == jobs.COMPLETED


async def test_the_repetition_of_a_wish_tells_nothing_again(store: JobStore) -> None:
    job_id, outbox = await completed(store), Outbox(store)
    partition = jobs.partition_number(job_id)
    names = [*keys.of_job(partition, job_id), keys.dead_callbacks(partition)]
    answers = [await store.connection.run_script(script.REDELIVER, names, job_id, "wish", "", 0)]
    await outbox.delivered(await take(store, job_id), HEARD)

    answers.append(await store.connection.run_script(script.REDELIVER, names, job_id, "wish", "", 0))

    assert answers == [[b"OK"]] * 2
    assert (await only(store, job_id)).state is CallbackState.DELIVERED


async def test_only_what_has_ended_and_has_a_url_is_told_again(store: JobStore) -> None:
    outbox = Outbox(store)
    running = await jobs.start(store, callback_url=URL)
    without = await jobs.fail(store)
    deleted, untold, forgotten = await completed(store), await completed(store), await completed(store)
    await jobs.cancel(store, deleted, deletes=True)
    await jobs.cancel(store, untold, deletes=True)
    await store.connection.execute("DEL", keys.callbacks(jobs.partition_number(untold), untold))
    partition = jobs.partition_number(forgotten)
    await store.connection.execute("DEL", keys.record(partition, forgotten), keys.callbacks(partition, forgotten))

    assert await outbox.redeliver(running.job_id) is Redelivered.NOT_ENDED
    assert await outbox.redeliver(without.job_id) is Redelivered.NO_CALLBACK
    assert [await outbox.redeliver(job) for job in (deleted, untold, forgotten, "x")] == [Redelivered.GONE] * 4
