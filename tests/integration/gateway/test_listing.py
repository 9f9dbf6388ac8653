"""GET of the jobs over a real job store: each as GET of it alone shows it, and none that it would refuse."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio

from gateway.auth.caller import LOCAL
from shared.jobstore import keys
from shared.jobstore.store import JobStore
from tests.support import jobs
from tests.support.local_gateway import JOBS, LocalGateway, local_gateway
from tests.support.stores import running_store

# The gateway's handlers declare their parameters as Litestar 2 does; it announces the style of Litestar 3.
pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.base_exceptions.LitestarDeprecationWarning")


@pytest_asyncio.fixture
async def store(redis_url: str) -> AsyncIterator[JobStore]:
    """A job store of four partitions."""
    async with running_store(redis_url, partitions=4) as running:
        yield running


@pytest_asyncio.fixture
async def gateway(store: JobStore) -> AsyncIterator[LocalGateway]:
    """A gateway over it."""
    async with local_gateway(store, 70_000) as running:
        yield running


async def create(store: JobStore, count: int) -> list[str]:
    """Create jobs of the gateway's owner; give their ids, newest first."""
    created = [jobs.new_job(store, owner=LOCAL.owner) for _ in range(count)]
    for number, job in enumerate(created):
        await store.create(job)
        owned = keys.owner_jobs(jobs.partition_number(job.job_id), LOCAL.owner)
        await store.connection.execute("ZADD", owned, 1_795_461_600_000 + number, job.job_id)
    return [job.job_id for job in created[::-1]]


async def listing(gateway: LocalGateway, **query: object) -> httpx.Response:
    """Ask for a page; a parameter may be a list."""
    response = await gateway.http.get(JOBS, params=query)  # type: ignore[arg-type]  # values of any kind are sent
    assert response.status_code == 200, response.text
    return response


def ids_of(response: httpx.Response) -> list[str]:
    """Give the ids on a page."""
    return [job["job_id"] for job in response.json()["jobs"]]


async def test_jobs_are_shown_newest_first_as_get_shows_each(gateway: LocalGateway, store: JobStore) -> None:
    created = await create(store, 3)

    answer = await listing(gateway)

    alone: list[dict[str, Any]] = [(await gateway.http.get(f"{JOBS}/{job_id}")).json() for job_id in created]
    assert answer.json() == {"jobs": alone, "next_cursor": None}


async def test_a_listing_may_be_cached_as_a_job_may(gateway: LocalGateway, store: JobStore) -> None:
    [job_id] = await create(store, 1)

    answers = [await listing(gateway), await gateway.http.get(f"{JOBS}/{job_id}")]

    assert answers[0].headers["content-type"] == "application/json"
    assert answers[0].content.endswith(b"}\n")
    for name in ("cache-control", "vary"):
        assert answers[0].headers[name] == answers[1].headers[name]


async def test_without_a_limit_there_are_twenty_on_a_page_and_the_cursor_leads_to_the_rest(
    gateway: LocalGateway, store: JobStore
) -> None:
    created = await create(store, 25)

    first = await listing(gateway)
    second = await listing(gateway, cursor=first.json()["next_cursor"])

    assert (ids_of(first), ids_of(second)) == (created[:20], created[20:])
    assert second.json()["next_cursor"] is None


async def test_limit_and_status_may_change_from_page_to_page(gateway: LocalGateway, store: JobStore) -> None:
    created = await create(store, 8)
    for job_id in created[::2]:
        await jobs.cancel(store, job_id)
    first = await listing(gateway, limit=3)

    second = await listing(gateway, cursor=first.json()["next_cursor"], limit=2, status="cancelled")

    assert ids_of(first) == created[:3]
    assert ids_of(second) == [created[4], created[6]]


async def test_a_hundred_jobs_are_one_page_where_it_is_asked_for(gateway: LocalGateway, store: JobStore) -> None:
    created = await create(store, 101)

    assert ids_of(await listing(gateway, limit=100)) == created[:100]


async def test_what_get_would_refuse_as_gone_is_not_listed(gateway: LocalGateway, store: JobStore) -> None:
    created = await create(store, 6)
    deleted, deleted_while_it_ran, expired, forgotten, cancelled, _waiting = created
    await jobs.cancel(store, deleted, deletes=True)
    await jobs.claim(store, await jobs.take(store, deleted_while_it_ran))
    await jobs.cancel(store, deleted_while_it_ran, deletes=True)
    await jobs.cancel(store, expired, expires_at_ms=1)
    await store.connection.execute("DEL", keys.of_job(jobs.partition_number(forgotten), forgotten).record)
    await jobs.cancel(store, cancelled)

    listed = ids_of(await listing(gateway))

    alone = [(await gateway.http.get(f"{JOBS}/{job_id}")).status_code for job_id in created]
    assert alone == [410, 410, 410, 404, 200, 200]
    assert listed == created[4:]


async def test_status_chooses_and_may_be_repeated(gateway: LocalGateway, store: JobStore) -> None:
    queued, cancelled, processing, failed, completed = created = await create(store, 5)
    await jobs.cancel(store, cancelled)
    endings = {failed: jobs.failure(), completed: msgspec.structs.replace(jobs.completion(), object_key="x")}
    for job_id in (processing, failed, completed):
        run = await jobs.claim(store, await jobs.take(store, job_id))
        if job_id in endings:
            await store.finish(run, endings[job_id])

    shown = {
        status: ids_of(await listing(gateway, status=status))
        for status in ("queued", "processing", "retrying", "completed", "failed", "cancelled")
    }

    assert shown == {
        "queued": [queued],
        "processing": [processing],
        "retrying": [],
        "completed": [completed],
        "failed": [failed],
        "cancelled": [cancelled],
    }
    assert ids_of(await listing(gateway, status=["failed", "queued", "queued"])) == [queued, failed]
    assert ids_of(await listing(gateway)) == created


async def test_jobs_of_others_are_not_listed(gateway: LocalGateway, store: JobStore) -> None:
    await store.create(jobs.new_job(store, owner="anna"))

    assert (await listing(gateway)).json() == {"jobs": [], "next_cursor": None}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=0", "INVALID_LIMIT"),
        ("limit=101", "INVALID_LIMIT"),
        ("limit=1&limit=1", "INVALID_LIMIT"),
        ("cursor=", "INVALID_CURSOR"),
        ("cursor=0-0", "INVALID_CURSOR"),
        ("status=done", "INVALID_STATUS"),
        ("status=queued&status=", "INVALID_STATUS"),
        ("status=queued,failed", "INVALID_STATUS"),
    ],
)
async def test_a_query_that_is_none_is_refused(gateway: LocalGateway, query: str, code: str) -> None:
    answer = await gateway.http.get(f"{JOBS}?{query}")

    assert (answer.status_code, answer.json()["code"]) == (400, code)
