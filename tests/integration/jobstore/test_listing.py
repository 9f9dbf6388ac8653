"""An owner's jobs, newest first: each once, whatever is created and forgotten while somebody turns the pages."""

import asyncio
import uuid
from collections import Counter
from collections.abc import Callable, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared import limits
from shared.jobs import JobRecord, JobState, make_job_id
from shared.jobstore import keys
from shared.jobstore.listing import JobsPage, list_jobs
from shared.jobstore.operations import ListPlace
from shared.jobstore.store import JobStore
from tests.support import jobs
from tests.support.cluster import Server
from tests.support.servers import full

NOON_MS = 1_795_461_600_000
MOST_PAGES = 100
"""More than any walk here has."""


def anything(_: JobRecord) -> bool:
    """Want every job."""
    return True


async def page(
    store: JobStore,
    *,
    owner: str = "anna",
    after: ListPlace | None = None,
    limit: int = 100,
    is_wanted: Callable[[JobRecord], bool] = anything,
) -> JobsPage:
    """Read one page."""
    return await list_jobs(store, owner, after=after, limit=limit, is_wanted=is_wanted)


async def walk(
    store: JobStore, *, owner: str = "anna", limit: int = 100, is_wanted: Callable[[JobRecord], bool] = anything
) -> list[list[str]]:
    """Turn all pages; give the job ids of each."""
    pages, after = [], None
    while True:
        records, after = await page(store, owner=owner, after=after, limit=limit, is_wanted=is_wanted)
        pages.append([record.job_id for record in records])
        if after is None:
            return pages
        assert len(pages) < MOST_PAGES, "the pages do not end"


async def create_at(store: JobStore, created_at_ms: int, *, partition: int, owner: str = "anna") -> ListPlace:
    """Create a job, and let it have been created at another moment."""
    job = jobs.new_job(store, partition=partition, owner=owner)
    await store.create(job)
    await store.connection.execute("ZADD", keys.owner_jobs(partition, owner), created_at_ms, job.job_id)
    return ListPlace(created_at_ms, job.job_id)


async def create_some(store: JobStore, count: int, *, apart_ms: int = 10, owner: str = "anna") -> list[str]:
    """Create jobs in all partitions in turn; give their ids, newest first."""
    creating = [
        create_at(store, NOON_MS + number * apart_ms, partition=number % store.partitions, owner=owner)
        for number in range(count)
    ]
    return [place.job_id for place in sorted(await asyncio.gather(*creating), reverse=True)]


async def test_an_owner_without_jobs_has_one_empty_page(store: JobStore) -> None:
    assert await page(store) == JobsPage([], None)


async def test_jobs_of_all_partitions_come_newest_first(store: JobStore) -> None:
    created = await create_some(store, 20)

    assert await walk(store) == [created]


@pytest.mark.parametrize("limit", [1, 3, 7, 12, 13])
async def test_pages_are_full_and_the_last_one_says_so(store: JobStore, limit: int) -> None:
    created = await create_some(store, 12)

    pages = await walk(store, limit=limit)

    assert pages == [created[start : start + limit] for start in range(0, 12, limit)]


async def test_jobs_of_one_millisecond_are_all_given_once(store: JobStore) -> None:
    created = await create_some(store, 130, apart_ms=0)

    pages = await walk(store, limit=7)

    assert [job_id for shown in pages for job_id in shown] == created


async def test_records_are_those_that_find_gives(store: JobStore) -> None:
    created = await create_some(store, 5)

    found = await page(store)

    assert found.records == [await store.find(job_id) for job_id in created]


async def test_each_owner_sees_his_own_alone(store: JobStore) -> None:
    for_anna, for_bert = await create_some(store, 5), await create_some(store, 5, owner="bert")

    assert await walk(store) == [for_anna]
    assert await walk(store, owner="bert") == [for_bert]


async def test_what_is_not_wanted_is_passed_over_and_pages_are_still_full(store: JobStore) -> None:
    created = await create_some(store, 12)
    for job_id in created[::2]:
        await jobs.cancel(store, job_id)

    pages = await walk(store, limit=4, is_wanted=lambda record: record.state is JobState.CANCELLED)

    assert pages == [created[:8:2], created[8::2]]


async def test_a_page_looks_at_so_many_jobs_and_no_more(store: JobStore) -> None:
    looks_most = limits.LISTING_BATCHES * limits.LISTING_BATCH_JOBS
    created = await create_some(store, looks_most + 5)
    oldest, looked_at = created[-1], Counter[str]()

    def is_wanted(record: JobRecord) -> bool:
        looked_at[record.job_id] += 1
        return record.job_id == oldest

    first = await page(store, limit=1, is_wanted=is_wanted)
    second = await page(store, limit=1, after=first.next_place, is_wanted=is_wanted)

    assert first.records == []
    assert first.next_place is not None
    assert [record.job_id for record in second.records] == [oldest]
    assert second.next_place is None
    assert looked_at == Counter(created)


async def test_forgotten_and_damaged_records_hide_nobody_else(store: JobStore) -> None:
    created = await create_some(store, 6)
    forgotten, damaged = (keys.of_job(jobs.partition_number(job_id), job_id).record for job_id in created[1:3])
    await store.connection.execute("DEL", forgotten)
    await store.connection.execute("HSET", damaged, "epoch", "many")

    assert await walk(store, limit=2) == [[created[0], created[3]], created[4:]]


async def test_a_place_whose_job_is_forgotten_is_a_place_still(store: JobStore) -> None:
    created = await create_some(store, 9, apart_ms=0)
    first = await page(store, limit=3)
    assert first.next_place is not None
    partition = jobs.partition_number(first.next_place.job_id)
    await store.connection.execute("ZREM", keys.owner_jobs(partition, "anna"), first.next_place.job_id)

    second = await page(store, after=first.next_place)

    assert [record.job_id for record in second.records] == created[3:]


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        (ListPlace(1, make_job_id(0, 0)), 0),
        (ListPlace(NOON_MS + 15, make_job_id(0, 0)), 2),
        (ListPlace(10**16 - 1, make_job_id(4_095, 2**110 - 1)), 5),
    ],
)
async def test_a_place_where_no_job_ever_stood_is_a_place_too(store: JobStore, place: ListPlace, shown: int) -> None:
    created = await create_some(store, 5)

    found = await page(store, after=place)

    assert [record.job_id for record in found.records] == created[5 - shown :]


async def test_a_partition_that_was_added_is_listed_with_the_others(store: JobStore) -> None:
    before = await create_some(store, 5)
    more = JobStore(store.connection, partitions=16)
    await more.prepare()
    newest = await create_at(more, NOON_MS + 1_000, partition=15)

    assert await walk(more, limit=2) == [[newest.job_id, before[0]], before[1:3], before[3:]]


async def test_a_full_redis_lists_as_before(store: JobStore, server: Server) -> None:
    created = await create_some(store, 5)

    with full(server):
        assert await walk(store, limit=3) == [created[:3], created[3:]]


Change = tuple[bool, int, int]
"""Whether a job is forgotten (else created), where (a moment in ms, or the number of a job), and the partition."""


@settings(max_examples=25, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    moments=st.lists(st.integers(0, 5), max_size=25),
    changes=st.lists(st.lists(st.tuples(st.booleans(), st.integers(0, 8), st.integers(0, 7)), max_size=4), max_size=6),
    limit=st.integers(1, 6),
)
async def test_pages_that_are_turned_while_jobs_come_and_go_miss_none_and_show_none_twice(
    store: JobStore, moments: list[int], changes: Sequence[Sequence[Change]], limit: int
) -> None:
    owner = uuid.uuid4().hex
    old = [
        await create_at(store, NOON_MS + moment, partition=number % store.partitions, owner=owner)
        for number, moment in enumerate(moments)
    ]
    forgotten: set[str] = set()
    shown: list[str] = []
    after, turns = None, list(changes)

    while True:
        records, after = await page(store, owner=owner, after=after, limit=limit)
        shown += [record.job_id for record in records]
        if after is None:
            break
        assert len(shown) <= len(moments) + 24, "the pages do not end"
        for is_forgotten, where, partition in turns.pop() if turns else ():
            if is_forgotten and old:
                place = old[where % len(old)]
                forgotten.add(place.job_id)
                zset = keys.owner_jobs(jobs.partition_number(place.job_id), owner)
                await store.connection.execute("ZREM", zset, place.job_id)
            else:
                await create_at(store, NOON_MS + where, partition=partition % store.partitions, owner=owner)

    assert max(Counter(shown).values(), default=1) == 1
    known = [place.job_id for place in sorted(old, reverse=True)]
    assert [job_id for job_id in shown if job_id in known and job_id not in forgotten] == [
        job_id for job_id in known if job_id not in forgotten
    ]
