"""Idempotency keys in Redis: one job for each key of an owner, whoever asks, and whatever happens in between."""

import asyncio
from itertools import pairwise

import pytest

from shared import clock, limits
from shared.errors import RecordUnreadable, RedisFull
from shared.jobstore import keys
from shared.jobstore.idempotency import IdempotencyKeys, Reservation
from shared.jobstore.lifetimes import Step
from shared.jobstore.store import JobStore
from shared.retention import Retention
from tests.support import inspection, jobs
from tests.support.cluster import Server
from tests.support.servers import full

KEEP_MS = 86_400_000
RETENTION = Retention(60)
"""The shortest that an operator may set."""


def keys_of(store: JobStore, *, keep_ms: int = KEEP_MS) -> IdempotencyKeys:
    """Give the keys beside a store."""
    return IdempotencyKeys(store.connection, keep_ms=keep_ms)


async def reserve(store: JobStore, key: str = "k", *, owner: str = "anna", fingerprint: str = "f") -> Reservation:
    """Reserve a freshly drawn job id, as a gateway does."""
    return await keys_of(store).reserve(owner, key, job_id=store.new_job_id(), fingerprint=fingerprint)


async def kept(store: JobStore) -> dict[str, int]:
    """Give the names of all keys that are kept, and how long they live (ms)."""
    return {name: ttl for name, ttl in (await inspection.expiries(store.connection)).items() if ":idem:" in name}


async def test_a_key_that_was_not_used_is_not_found(store: JobStore) -> None:
    assert await keys_of(store).find("anna", "k") is None


async def test_the_first_reservation_stands_for_all_that_follow(store: JobStore) -> None:
    first = await reserve(store, fingerprint="what was asked")

    second = await reserve(store, fingerprint="something else")
    found = await keys_of(store).find("anna", "k")

    assert found is not None
    assert {first[:2], second[:2], found[:2]} == {(first.job_id, "what was asked")}


async def test_a_hundred_reservations_at_once_agree_on_one_job(store: JobStore) -> None:
    async def reserve_and_create() -> tuple[str, bool]:
        reserved = await reserve(store)
        created = await store.create(jobs.new_job(store, job_id=reserved.job_id))
        return reserved.job_id, created.is_new

    answers = await asyncio.gather(*(reserve_and_create() for _ in range(100)))

    assert len({job_id for job_id, _ in answers}) == 1
    assert [is_new for _, is_new in answers].count(True) == 1
    assert sum([(await store.backlog(partition)).unfinished for partition in range(store.partitions)]) == 1


async def test_keys_of_two_owners_are_two(store: JobStore) -> None:
    reserved = [await reserve(store, owner=owner) for owner in ("anna", "bert")]

    assert reserved[0].job_id != reserved[1].job_id
    assert len(await kept(store)) == 2


async def test_neither_owner_nor_key_can_be_read_in_redis(store: JobStore) -> None:
    await reserve(store, "secret-key", owner="secret-owner")

    [name] = await kept(store)

    assert "secret" not in name


async def test_owner_and_key_cannot_be_shifted_against_each_other(store: JobStore) -> None:
    names = [("a", "bc"), ("ab", "c"), ("abc", "")]

    reserved = [await reserve(store, key, owner=owner) for owner, key in names]

    assert all(one.job_id != other.job_id for one, other in pairwise(reserved))
    assert len(await kept(store)) == len(names)


async def test_a_repetition_does_not_keep_a_key_for_longer(store: JobStore) -> None:
    first = await keys_of(store, keep_ms=50_000).reserve("anna", "k", job_id=store.new_job_id(), fingerprint="f")

    again = await reserve(store)
    found = await keys_of(store).find("anna", "k")

    [ttl] = (await kept(store)).values()
    assert found is not None
    assert 0 < ttl <= found.left_ms <= again.left_ms <= first.left_ms <= 50_000


async def test_a_reservation_survives_a_partition_that_was_added(store: JobStore) -> None:
    reserved = await reserve(store)
    more = JobStore(store.connection, partitions=16)
    await more.prepare()

    again = await reserve(more)
    created = await more.create(jobs.new_job(more, job_id=again.job_id))

    assert again.job_id == reserved.job_id
    assert created.is_new
    assert await more.find(reserved.job_id) is not None


async def test_a_process_that_does_not_know_of_the_new_partition_yet_gives_the_same_job(store: JobStore) -> None:
    more = JobStore(store.connection, partitions=16)
    await more.prepare()
    job_id = jobs.new_job(more, partition=15).job_id
    await keys_of(more).reserve("anna", "k", job_id=job_id, fingerprint="f")

    reserved = await reserve(store)
    created = await store.create(jobs.new_job(store, job_id=reserved.job_id))

    assert (reserved.job_id, created.is_new) == (job_id, True)
    assert (await jobs.take(more, job_id)).job_id == job_id


async def test_no_key_is_reserved_on_a_full_redis_and_those_of_before_are_found(
    store: JobStore, server: Server
) -> None:
    before = await reserve(store, "before")

    with full(server):
        with pytest.raises(RedisFull):
            await reserve(store, "new")
        found = await keys_of(store).find("anna", "before")

    assert found is not None
    assert found.job_id == before.job_id
    assert await keys_of(store).find("anna", "new") is None


async def test_no_job_is_forgotten_before_its_key(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shortest life has a job that is deleted right after its creation; also where keys were to be kept longer."""
    monkeypatch.setattr(limits, "IDEMPOTENCY_KEY_SECONDS", 10 * 86_400)
    job_id = await jobs.create(store)
    await jobs.cancel(store, job_id, deletes=True)
    lifetimes = jobs.lifetimes_of(store)
    ended_at_ms = clock.now_ms()
    await lifetimes.expire(job_id, jobs.expiry_terms())

    taken = await lifetimes.expire(job_id, jobs.expiry_terms(), now_ms=ended_at_ms + RETENTION.idempotency_ms - 1_000)

    assert taken.step is Step.NOT_YET
    assert not (await store.create(jobs.new_job(store, job_id=job_id))).is_new


def test_a_key_is_kept_for_a_day() -> None:
    assert RETENTION.idempotency_ms == 86_400_000


@pytest.mark.parametrize("nonsense", ["", "x", "x|f", "00000000-0000-8000-8000-000000000000|", "|", b"\xff|f"])
async def test_a_key_under_which_something_else_stands_is_told_as_unreadable(
    store: JobStore, nonsense: str | bytes
) -> None:
    await reserve(store)
    [name] = await kept(store)
    await store.connection.execute("SET", name, nonsense, "KEEPTTL")

    with pytest.raises(RecordUnreadable, match="Use another key"):
        await keys_of(store).find("anna", "k")
    with pytest.raises(RecordUnreadable, match="Use another key"):
        await reserve(store)


def test_keys_have_slots_of_their_own() -> None:
    assert "{" not in keys.idempotency("0" * 64)
