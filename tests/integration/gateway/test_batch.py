"""GET of named jobs over a real job store: each as GET of it alone shows or refuses it, under one entity tag."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

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


async def batch(gateway: LocalGateway, *job_ids: str, method: str = "GET", **headers: str) -> httpx.Response:
    """Ask for these jobs."""
    spelled = {name.replace("_", "-"): text for name, text in headers.items()}
    return await gateway.http.request(method, JOBS, params=[("job", job_id) for job_id in job_ids], headers=spelled)


async def test_jobs_are_shown_in_the_order_of_the_query_and_what_get_refuses_is_named(
    gateway: LocalGateway, store: JobStore
) -> None:
    first, deleted, second = [await jobs.create(store) for _ in range(3)]
    foreign = jobs.new_job(store, owner="somebody-else")
    await store.create(foreign)
    await jobs.cancel(store, deleted, deletes=True)

    answer = await batch(gateway, second, foreign.job_id, "no id", first, deleted)

    alone = {job_id: (await gateway.http.get(f"{JOBS}/{job_id}")).json() for job_id in (first, second, deleted)}
    assert answer.json()["jobs"] == [alone[second], alone[first]]
    missing = answer.json()["missing"]
    assert [(one["job_id"], one["code"]) for one in missing] == [
        (foreign.job_id, "NOT_FOUND"),
        ("no id", "NOT_FOUND"),
        (deleted, "GONE"),
    ]
    assert missing[2]["message"] == alone[deleted]["detail"]


async def test_a_batch_has_one_entity_tag_that_changes_with_any_of_its_jobs(
    gateway: LocalGateway, store: JobStore
) -> None:
    run, waiting = await jobs.start(store), await jobs.create(store)
    before = await batch(gateway, run.job_id, waiting)

    same = await batch(gateway, run.job_id, waiting, if_none_match=before.headers["etag"])
    await jobs.cancel(store, waiting)
    other = await batch(gateway, run.job_id, waiting, if_none_match=before.headers["etag"])

    assert before.headers["etag"].startswith('W/"')
    assert (same.status_code, same.content) == (304, b"")
    assert other.status_code == 200
    for answer in (before, same, other):
        assert answer.headers["retry-after"] == "2"
        assert answer.headers["cache-control"] == "private, no-cache"
        assert answer.headers["vary"] == "Accept, Authorization"


async def test_nobody_need_ask_again_when_all_jobs_have_ended_or_cannot_be_had(
    gateway: LocalGateway, store: JobStore
) -> None:
    job_id = await jobs.create(store)
    await jobs.cancel(store, job_id)

    assert "retry-after" not in (await batch(gateway, job_id, "no id")).headers


async def test_head_tells_what_get_does_without_the_body(gateway: LocalGateway, store: JobStore) -> None:
    job_id = await jobs.create(store)

    shown, head = await batch(gateway, job_id), await batch(gateway, job_id, method="HEAD")

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(shown.content))
    assert head.headers["etag"] == shown.headers["etag"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ([("job", str(number)) for number in range(51)], "INVALID_QUERY"),
        ([("job", "a"), ("job", "a")], "INVALID_QUERY"),
        ([("job", "a"), ("limit", "5")], "INVALID_QUERY"),
    ],
)
async def test_a_query_that_names_too_many_or_something_else_besides_is_refused(
    gateway: LocalGateway, query: list[tuple[str, str]], code: str
) -> None:
    answer = await gateway.http.get(JOBS, params=query)  # type: ignore[arg-type]  # pairs of texts are queries

    assert (answer.status_code, answer.json()["code"]) == (400, code)
