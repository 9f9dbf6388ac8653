"""Callbacks that wait: one for each in the outbox that is an owner's, whatever moves it; and creates beyond them."""

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import pytest

from shared import clock, limits
from shared.jobstore import keys
from shared.jobstore.callback import DeliveryOutcome, TakenCallback
from shared.jobstore.damage import bury_damaged
from shared.jobstore.dead_letters import Redriven
from shared.jobstore.in_flight import count_waiting_callbacks
from shared.jobstore.operations import Bounds, Created, Full, NewJob, Refused, Run
from shared.jobstore.outbox import Outbox, Redelivered
from shared.jobstore.store import JobStore
from tests.support import inspection, jobs
from tests.support.cluster import Server
from tests.support.stores import running_store

URL = "https://example.org/hook"
AWAY = DeliveryOutcome(at_ms=1, duration_ms=20, status=503)
HEARD = DeliveryOutcome(at_ms=2, duration_ms=30, status=204)
DAY_MS = 86_400_000


async def waiting(store: JobStore, owner: str = jobs.OWNER) -> int:
    """Count an owner's waiting callbacks in all partitions."""
    return sum(await count_waiting_callbacks(store.connection, owner, range(store.partitions)))


async def take(store: JobStore, job_id: str, *, days: float = 0) -> TakenCallback:
    """Take the one callback that is due in so many days."""
    now_ms = clock.now_ms() + int(days * DAY_MS)
    outbox, partition = Outbox(store), jobs.partition_number(job_id)
    [taken] = await outbox.take(partition, "p1", lease_ms=jobs.LEASE_MS, count=10, now_ms=now_ms)
    return taken


async def fail_again(store: JobStore, failed: Run) -> None:
    """Begin a failed job anew, and let it fail again."""
    await jobs.redrive(store, failed)
    await store.finish(await jobs.claim(store, await jobs.take(store, failed.job_id)), jobs.failure())


def told(store: JobStore) -> NewJob:
    """Give a new job of the first partition that has a callback."""
    return jobs.new_job(store, partition=0, callback_url=URL)


# ── what counts ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_callback_counts_from_the_end_of_its_job_until_it_was_told(store: JobStore) -> None:
    outbox, run = Outbox(store), await jobs.start(store, callback_url=URL)
    before = await waiting(store)
    for _ in range(2):
        await store.finish(run, jobs.completion())
    counts = [await waiting(store)]
    first = await take(store, run.job_id)
    counts.append(await waiting(store))
    await outbox.try_again(first, AWAY, delay_ms=DAY_MS)
    counts.append(await waiting(store))
    second = await take(store, run.job_id, days=2)
    await outbox.release(second)
    counts.append(await waiting(store))

    third = await take(store, run.job_id)
    for _ in range(2):
        await outbox.delivered(third, HEARD)

    assert (before, counts, await waiting(store)) == (0, [1, 1, 1, 1], 0)


async def test_a_callback_that_is_given_up_counts_again_when_it_is_asked_for(store: JobStore) -> None:
    outbox, failed = Outbox(store), await jobs.fail(store, callback_url=URL)
    await outbox.give_up(await take(store, failed.job_id), AWAY)
    given_up = await waiting(store)

    for _ in range(2):
        await outbox.redeliver(failed.job_id)

    assert (given_up, await waiting(store)) == (0, 1)


async def test_an_end_that_is_superseded_counts_no_more(store: JobStore) -> None:
    failed = await jobs.fail(store, callback_url=URL)

    await fail_again(store, failed)

    assert await waiting(store) == 1


async def test_two_ends_of_a_job_count_while_the_first_is_being_told(store: JobStore) -> None:
    failed, outbox = await jobs.fail(store, callback_url=URL), Outbox(store)
    first = await take(store, failed.job_id)
    await fail_again(store, failed)
    both = await waiting(store)

    await outbox.try_again(first, AWAY, delay_ms=0)

    assert (both, await waiting(store)) == (2, 1)


async def test_what_admins_are_told_and_a_job_without_a_url_count_for_nobody(store: JobStore) -> None:
    telling = JobStore(store.connection, partitions=store.partitions, tells_admins=True)
    await jobs.fail(telling)

    assert await waiting(store) == 0
    assert [member async for member in _members(store)] == []


async def test_the_callback_of_a_job_whose_record_forgot_its_owner_is_its_owners(store: JobStore) -> None:
    """What is being told of its first end must be counted out under the name under which it was counted in."""
    failed, outbox = await jobs.fail(store, callback_url=URL), Outbox(store)
    first = await take(store, failed.job_id)
    await jobs.redrive(store, failed)
    entry = await jobs.take(store, failed.job_id)
    record = keys.record(entry.partition, entry.job_id)
    await store.connection.execute("HSET", record, "epoch", "many")
    await store.connection.execute("HDEL", record, "owner")
    await bury_damaged(store, entry, jobs.BROKEN, message=jobs.FAILED, terms=jobs.terms())

    await outbox.delivered(first, HEARD)

    assert await waiting(store) == 1
    await outbox.delivered(await take(store, failed.job_id), HEARD)
    assert [member async for member in _members(store)] == []


async def test_the_last_callback_that_was_told_leaves_nothing_to_count_with(store: JobStore) -> None:
    run = await jobs.fail(store, callback_url=URL)
    await Outbox(store).delivered(await take(store, run.job_id), HEARD)

    names = await inspection.expiries(store.connection)

    assert not [name for name in names if name.endswith(":waiting_callbacks")]


async def test_a_callback_of_an_older_version_counts_from_its_next_try_on(store: JobStore) -> None:
    run, outbox = await jobs.fail(store, callback_url=URL), Outbox(store)
    await store.connection.execute("DEL", keys.waiting_callbacks(jobs.partition_number(run.job_id)))

    taken = await take(store, run.job_id)

    assert await waiting(store) == 1
    await store.connection.execute("DEL", keys.waiting_callbacks(taken.partition))
    assert await outbox.delivered(taken, HEARD)


async def test_a_callback_that_nobody_can_read_and_is_given_up_counts_no_more(single: JobStore) -> None:
    run, now_ms = await jobs.fail(single, callback_url=URL), clock.now_ms() + 1_000
    [callback] = await Outbox(single).deliveries(run.job_id)
    await single.connection.execute("HSET", keys.callbacks(0, run.job_id), callback.name.field, b"\xff{")
    counts = []
    for at_ms in (now_ms, now_ms + limits.CALLBACK_UNREAD_FOR_MS + limits.CALLBACK_UNREAD_PAUSE_MS):
        assert await Outbox(single).take(0, "p1", lease_ms=jobs.LEASE_MS, count=10, now_ms=at_ms) == []
        counts.append(await waiting(single))

    assert counts == [1, 0]


async def test_owners_whose_names_begin_alike_have_their_own_callbacks(store: JobStore) -> None:
    names = ["anna", "anna:b", "annabel", "ann"]
    for number, owner in enumerate(names, start=1):
        for _ in range(number):
            await jobs.fail(store, owner=owner, callback_url=URL)

    assert [await waiting(store, owner) for owner in names] == [1, 2, 3, 4]


async def _members(store: JobStore) -> AsyncIterator[bytes]:
    for partition in range(store.partitions):
        reply = await store.connection.execute("ZRANGE", keys.waiting_callbacks(partition), 0, -1)
        for member in cast("list[bytes]", reply):
            yield member


# ── what meets the bound ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_create_with_a_callback_meets_the_bound_and_leaves_nothing(store: JobStore) -> None:
    await jobs.fail(store, partition=0, callback_url=URL)
    before = await inspection.everything(store.connection)

    refused = await store.create_within(told(store), Bounds(callbacks=1))

    assert refused == Refused(Full.CALLBACKS, unfinished_jobs=0, in_flight=0)
    assert await inspection.everything(store.connection) == before


async def test_others_callbacks_do_not_count_against_an_owner(store: JobStore) -> None:
    for owner in ("anna", f"{jobs.OWNER}.", "zoe"):
        await jobs.fail(store, partition=0, owner=owner, callback_url=URL)

    created = await store.create_within(told(store), Bounds(callbacks=1))

    assert isinstance(created, Created)
    assert created.callbacks == 0


async def test_a_create_that_is_repeated_is_found_however_many_wait(store: JobStore) -> None:
    job = told(store)
    await store.create(job)
    await jobs.fail(store, partition=0, callback_url=URL)

    again = await store.create_within(job, Bounds(callbacks=0))

    assert isinstance(again, Created)
    assert (again.is_new, again.callbacks) == (False, 1)


async def test_what_is_told_makes_room_at_once(store: JobStore) -> None:
    run = await jobs.fail(store, partition=0, callback_url=URL)
    assert isinstance(await store.create_within(told(store), Bounds(callbacks=1)), Refused)

    await Outbox(store).delivered(await take(store, run.job_id), HEARD)

    assert isinstance(await store.create_within(told(store), Bounds(callbacks=1)), Created)


async def test_as_many_wait_beyond_the_bound_as_were_in_flight_when_it_was_met(store: JobStore, server: Server) -> None:
    """No job that was let in goes untold."""
    async with running_store(server.url, partitions=store.partitions) as second:
        news = [told(store) for _ in range(6)]
        answers = await asyncio.gather(
            *(each.create_within(new, Bounds(callbacks=1)) for new, each in zip(news, [store, second] * 3, strict=True))
        )
    for new in news:
        await jobs.cancel(store, new.job_id)

    assert all(isinstance(answer, Created) for answer in answers)
    assert await waiting(store) == 6
    assert isinstance(await store.create_within(told(store), Bounds(callbacks=1)), Refused)


@pytest.mark.parametrize("waits", [True, False])
async def test_a_retry_is_refused_where_it_would_let_one_more_wait(store: JobStore, waits: bool) -> None:
    failed = await jobs.fail(store, partition=0, callback_url=URL)
    if not waits:
        await Outbox(store).give_up(await take(store, failed.job_id), AWAY)
        await jobs.fail(store, partition=0, callback_url=URL)

    answer = await jobs.letters_of(store).redrive_within(
        failed.job_id, Bounds(callbacks=1), epoch=failed.epoch, token="t", message=jobs.REDRIVEN
    )

    assert answer == (Redriven.OK if waits else Refused(Full.CALLBACKS, unfinished_jobs=0, in_flight=0))


@pytest.mark.parametrize("waits", [True, False])
async def test_a_redelivery_is_refused_where_it_would_let_one_more_wait(store: JobStore, waits: bool) -> None:
    failed = await jobs.fail(store, partition=0, callback_url=URL)
    taken = await take(store, failed.job_id)
    await (Outbox(store).try_again(taken, AWAY, delay_ms=DAY_MS) if waits else Outbox(store).give_up(taken, AWAY))
    if not waits:
        await jobs.fail(store, partition=0, callback_url=URL)
    before = await inspection.everything(store.connection)

    answer = await Outbox(store).redeliver(failed.job_id, most=1)

    assert answer is (Redelivered.OK if waits else Redelivered.FULL)
    assert (await inspection.everything(store.connection) == before) is not waits
    assert await waiting(store) == 1
