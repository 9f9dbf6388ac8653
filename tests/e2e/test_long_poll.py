"""`Prefer: wait`: an answer that would tell nothing new waits for news, and never longer than it may."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import pytest_asyncio

from shared import limits
from shared.jobstore.operations import Run
from shared.jobstore.store import JobStore
from tests.support import cargo, jobs
from tests.support.stores import running_store
from tests.support.system import JOBS, System
from tests.support.waiting import until_so


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A gateway without a processor: the test itself runs the jobs."""
    settings = {"WAYBILL_OWNER_JOBS_IN_FLIGHT": "1000", "WAYBILL_OWNER_CREATES_PER_MINUTE": "1000"}
    with System(tmp_path_factory.mktemp("idle"), processors=0, settings=settings) as running:
        yield running


@pytest_asyncio.fixture
async def store(idle: System) -> AsyncIterator[JobStore]:
    """The job store of the gateway."""
    async with running_store(idle.redis.url, partitions=1) as running:
        yield running


@pytest_asyncio.fixture
async def http(idle: System) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the gateway."""
    async with httpx.AsyncClient(base_url=idle.url, timeout=60) as client:
        yield client


async def waiting(idle: System, call: asyncio.Task[httpx.Response]) -> None:
    """Return once the gateway holds the call."""
    await until_so(lambda: idle.gateways[0].metric("long_polls_active") == 1, "the gateway holds the call")
    assert not call.done()


async def append(store: JobStore, run: Run) -> None:
    await store.append_progress(run, seq=run.record.seq + 1, message=jobs.progress(0.5))


async def test_a_poll_is_answered_when_something_changes(
    idle: System, store: JobStore, http: httpx.AsyncClient
) -> None:
    run = await jobs.start(store)
    known = (await http.get(f"{JOBS}/{run.job_id}")).headers["etag"]
    headers = {"Prefer": "wait=20", "If-None-Match": known}
    call = asyncio.create_task(http.get(f"{JOBS}/{run.job_id}", headers=headers))
    await waiting(idle, call)

    await append(store, run)
    response = await call

    assert response.status_code == 200
    assert response.json()["progress"] == 0.5
    assert response.headers["preference-applied"] == "wait=20"
    assert response.headers["etag"] != known


async def test_a_poll_without_an_etag_waits_for_a_change_from_now_on(
    idle: System, store: JobStore, http: httpx.AsyncClient
) -> None:
    run = await jobs.start(store)
    call = asyncio.create_task(http.get(f"{JOBS}/{run.job_id}", headers={"Prefer": "wait=20"}))
    await waiting(idle, call)

    await store.finish(run, jobs.completion())

    assert (await call).json()["status"] == "completed"


async def test_a_poll_that_knows_something_old_is_answered_at_once(store: JobStore, http: httpx.AsyncClient) -> None:
    run = await jobs.start(store)

    response = await http.get(f"{JOBS}/{run.job_id}", headers={"Prefer": "wait=20", "If-None-Match": 'W/"0-1.0"'})

    assert response.status_code == 200
    assert "preference-applied" not in response.headers


async def test_a_poll_of_an_ended_job_is_answered_at_once(store: JobStore, http: httpx.AsyncClient) -> None:
    run = await jobs.start(store)
    await store.finish(run, jobs.completion())
    known = (await http.get(f"{JOBS}/{run.job_id}")).headers["etag"]

    response = await http.get(f"{JOBS}/{run.job_id}", headers={"Prefer": "wait=20", "If-None-Match": known})

    assert response.status_code == 304
    assert "preference-applied" not in response.headers


async def test_when_the_time_is_up_nothing_new_is_told(store: JobStore, http: httpx.AsyncClient) -> None:
    run = await jobs.start(store)
    known = (await http.get(f"{JOBS}/{run.job_id}")).headers["etag"]
    started = time.monotonic()

    response = await http.get(f"{JOBS}/{run.job_id}", headers={"Prefer": "wait=1", "If-None-Match": known})

    assert response.status_code == 304
    assert response.headers["preference-applied"] == "wait=1"
    assert time.monotonic() - started >= 1


async def test_an_empty_page_of_events_waits_for_the_next_event(
    idle: System, store: JobStore, http: httpx.AsyncClient
) -> None:
    run = await jobs.start(store)
    call = asyncio.create_task(http.get(f"{JOBS}/{run.job_id}/events?after=1-2", headers={"Prefer": "wait=20"}))
    await waiting(idle, call)

    await append(store, run)
    response = await call

    assert [event["id"] for event in response.json()["events"]] == ["1-3"]
    assert response.headers["preference-applied"] == "wait=20"


async def test_a_page_with_events_and_one_after_the_end_do_not_wait(store: JobStore, http: httpx.AsyncClient) -> None:
    run = await jobs.start(store)
    full = await http.get(f"{JOBS}/{run.job_id}/events?after=0-1", headers={"Prefer": "wait=20"})
    await store.finish(run, jobs.completion())
    over = await http.get(f"{JOBS}/{run.job_id}/events?after=1-3", headers={"Prefer": "wait=20"})

    assert len(full.json()["events"]) == 1
    assert over.json()["events"] == []
    assert "preference-applied" not in full.headers
    assert "preference-applied" not in over.headers


async def test_a_job_that_ends_while_its_post_waits_is_the_answer(
    idle: System, store: JobStore, http: httpx.AsyncClient
) -> None:
    call = asyncio.create_task(post(http, "wait=20"))
    await waiting(idle, call)
    [entry] = await store.take(0, processor="p9", most=1, in_hand=())
    run = await jobs.claim(store, entry, processor="p9")
    await append(store, run)
    await store.finish(run, jobs.completion())
    response = await call

    assert response.status_code == 200
    assert (response.json()["job_id"], response.json()["status"]) == (run.job_id, "completed")
    assert response.headers["location"] == f"{JOBS}/{run.job_id}"
    assert response.headers["preference-applied"] == "wait=20"
    assert "retry-after" not in response.headers
    assert '"jobs-in-flight"' not in response.headers["ratelimit"]
    assert '"creates";r=' in response.headers["ratelimit"]
    assert response.headers["ratelimit-policy"].startswith('"jobs-in-flight";q=1000;')


async def test_a_post_whose_time_is_up_is_accepted_as_any_other(store: JobStore, http: httpx.AsyncClient) -> None:
    response = await post(http, "wait=1")
    await jobs.cancel(store, response.json()["job_id"])

    assert (response.status_code, response.json()["status"]) == (202, "queued")
    assert response.headers["preference-applied"] == "wait=1"
    assert response.headers["retry-after"] == str(limits.POLL_AFTER_SECONDS)
    assert response.headers["ratelimit"].startswith('"jobs-in-flight";r=')


async def post(http: httpx.AsyncClient, prefer: str) -> httpx.Response:
    return await http.post(JOBS, json={"file_ids": cargo.ids_of(cargo.MIXED[0])}, headers={"Prefer": prefer})


async def test_a_drain_releases_those_who_wait(idle: System, store: JobStore) -> None:
    gateway = idle.start("gateway")
    await asyncio.to_thread(gateway.wait_until_ready)
    run = await jobs.start(store)
    async with httpx.AsyncClient(base_url=gateway.url, timeout=60) as client:
        call = asyncio.create_task(client.get(f"{JOBS}/{run.job_id}", headers={"Prefer": "wait=25"}))
        await until_so(lambda: gateway.metric("long_polls_active") == 1, "the gateway holds the call")
        gateway.terminate()
        response = await call

    assert response.status_code == 200
    assert await asyncio.to_thread(gateway.exit_code) == 0


async def test_a_client_that_changes_between_transports_at_any_id_misses_and_doubles_nothing(
    idle: System, store: JobStore, http: httpx.AsyncClient
) -> None:
    run = await jobs.start(store)
    writing = asyncio.create_task(write_slowly(store, run))
    seen: list[str] = []
    chance = random.Random(7)
    for _ in range(1_000):
        after = seen[-1] if seen else "0-0"
        seen += await read_some(http, run.job_id, after, by_stream=chance.random() < 0.5)
        if seen[-1:] == ["1-43"]:
            break
    await writing
    log = await http.get(f"{JOBS}/{run.job_id}/events?limit=500")

    assert seen == [event["id"] for event in log.json()["events"]]


async def write_slowly(store: JobStore, run: Run) -> None:
    for number in range(40):
        await store.append_progress(run, seq=3 + number, message=jobs.progress(number / 41))
        await asyncio.sleep(0.01)
    await store.finish(run, jobs.completion())


async def read_some(http: httpx.AsyncClient, job_id: str, after: str, *, by_stream: bool) -> list[str]:
    """Read one page, or as much of a stream as comes in its first piece."""
    if not by_stream:
        headers = {"Prefer": "wait=5"}
        page = await http.get(f"{JOBS}/{job_id}/events?after={after}&limit=3", headers=headers)
        return [event["id"] for event in page.json()["events"]]
    async with http.stream("GET", f"{JOBS}/{job_id}/stream", headers={"Last-Event-ID": after}) as stream:
        async for piece in stream.aiter_text():
            return [line[4:] for line in piece.split("\n") if line.startswith("id: ")]
    return []
