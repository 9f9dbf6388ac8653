"""How a stream is opened: each row of the design's table, over real sockets, against a job that the test itself runs.

The job's log: 0-1 queued, 1-2 started, 1-3 to 1-5 progress; ended ones have 1-6 completed.
"""

import asyncio
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from shared import limits
from shared.jobstore.operations import Run
from shared.jobstore.store import JobStore
from tests.support import jobs
from tests.support.crowd import crowd
from tests.support.local_http import strict_client
from tests.support.sse_reader import Frame, read_frames
from tests.support.stores import running_store
from tests.support.system import JOBS, System
from tests.support.waiting import until_so

Shown = list[tuple[str | None, str]]
EVENT_STREAM = {"Accept": "text/event-stream"}
TAIL, END = "1-5", "1-6"
LONG_HISTORY = 3 * limits.REPLAY_PAGE_EVENTS + 50


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A gateway without a processor."""
    with System(tmp_path_factory.mktemp("idle"), processors=0) as running:
        yield running


class Row(NamedTuple):
    """A request's cursor, and what is shown first."""

    header: str | None
    query: str | None
    shown: Shown


WHOLE: Shown = [("0-1", "queued"), ("1-2", "started"), ("1-3", "progress"), ("1-4", "progress"), ("1-5", "progress")]

UNFINISHED = {
    "no cursor": Row(None, None, [(TAIL, "snapshot")]),
    "an empty header": Row("", None, [(TAIL, "snapshot")]),
    "the last id": Row(TAIL, None, [(None, "heartbeat")]),
    "the last id, as a query": Row(None, TAIL, [(None, "heartbeat")]),
    "an id in the middle": Row("1-3", None, WHOLE[3:]),
    "an id in the middle, as a query": Row(None, "1-3", WHOLE[3:]),
    "a header and a query: the header wins": Row("1-4", "0-0", WHOLE[4:]),
    "0-0 asks for the whole log": Row("0-0", None, WHOLE),
    "an id of the future": Row("1-9", None, [(TAIL, "gap 1-9>1-5")]),
    "an id of a higher epoch": Row("7-1", None, [(TAIL, "gap 7-1>1-5")]),
    "nonsense": Row("nonsense", None, [(TAIL, "gap None>1-5")]),
    "a number": Row("5", None, [(TAIL, "gap None>1-5")]),
    "a negative id": Row("-1--1", None, [(TAIL, "gap None>1-5")]),
    "a very long id": Row("1" * 5_000, None, [(TAIL, "gap None>1-5")]),
    "a very large id": Row("99999999999999999999-99999999999999999999", None, [(TAIL, "gap None>1-5")]),
    "the id of another job's log": Row("0-3", None, [("1-1", "gap 0-3>1-1"), *WHOLE[1:]]),
    "a vector id": Row("1-5.0-1.-", None, [(TAIL, "gap None>1-5")]),
}

ENDED = {
    "no cursor": Row(None, None, [(None, "snapshot"), (END, "completed")]),
    "an id in the middle": Row("1-4", None, [WHOLE[4], (END, "completed")]),
    "0-0 asks for the whole log": Row("0-0", None, [*WHOLE, (END, "completed")]),
    "the id before the end": Row(TAIL, None, [(END, "completed")]),
    "an id of the future": Row("1-9", None, [(None, "gap 1-9>1-6"), (END, "completed")]),
    "nonsense": Row("%00", None, [(None, "gap None>1-6"), (END, "completed")]),
}

TRIMMED = {
    "no cursor": Row(None, None, [(None, "snapshot"), (END, "completed")]),
    "an id whose followers are gone": Row("1-2", None, [(TAIL, "gap 1-2>1-5"), (END, "completed")]),
    "0-0": Row("0-0", None, [(TAIL, "gap 0-0>1-5"), (END, "completed")]),
    "the last id that is gone": Row(TAIL, None, [(END, "completed")]),
}


def described(frame: Frame) -> tuple[str | None, str]:
    gap = frame.data.get("gap")
    return frame.id, f"gap {gap['from']}>{gap['to']}" if gap else frame.type


async def run_a_job(store: JobStore) -> Run:
    run = await jobs.start(store)
    for number in range(3):
        await store.append_progress(run, seq=3 + number, message=jobs.progress(number / 4))
    return run


def insist_on_the_first_frame(frames: list[Frame]) -> None:
    assert frames[0].retry_ms is not None, "a viewer must know when to come back before it can be cut"
    assert all(frame.retry_ms is None for frame in frames[1:] if frame.type != "busy")


@pytest.mark.parametrize("row", UNFINISHED.values(), ids=UNFINISHED)
async def test_opening_an_unfinished_job_with(row: Row, idle: System) -> None:
    async with running_store(idle.redis.url, partitions=1) as store:
        run = await run_a_job(store)
        query = f"?last_event_id={row.query}" if row.query is not None else ""
        async with crowd([f"{idle.url}{JOBS}/{run.job_id}/stream{query}"], last_event_id=row.header) as [viewer]:
            await until_so(lambda: len(viewer.frames) >= len(row.shown), "it is shown what the table says")
            await store.append_progress(run, seq=6, message=jobs.progress(0.9))
            await store.finish(run, jobs.completion())
            await until_so(lambda: viewer.has_ended, "it is live, and sees the end")

    assert [described(frame) for frame in viewer.frames] == [*row.shown, ("1-6", "progress"), ("1-7", "completed")]
    insist_on_the_first_frame(viewer.frames)


async def ended_job(store: JobStore, *, is_trimmed: bool = False) -> str:
    run = await run_a_job(store)
    await store.finish(run, jobs.completion())
    if is_trimmed:
        await store.connection.execute("XTRIM", store.live_channel(run.job_id), "MAXLEN", 1)
    return f"{JOBS}/{run.job_id}"


def read(system: System, path: str, row: Row) -> list[Frame]:
    headers = EVENT_STREAM | ({"Last-Event-ID": row.header} if row.header is not None else {})
    with strict_client() as client:
        response = client.get(f"{system.url}{path}/stream", headers=headers)
    assert response.status_code == 200
    return read_frames(response.content)


@pytest.mark.parametrize("row", ENDED.values(), ids=ENDED)
async def test_opening_an_ended_job_with(row: Row, idle: System) -> None:
    async with running_store(idle.redis.url, partitions=1) as store:
        path = await ended_job(store)

    frames = await asyncio.to_thread(read, idle, path, row)

    assert [described(frame) for frame in frames] == row.shown
    insist_on_the_first_frame(frames)


@pytest.mark.parametrize("row", TRIMMED.values(), ids=TRIMMED)
async def test_opening_an_ended_job_whose_log_was_trimmed_with(row: Row, idle: System) -> None:
    async with running_store(idle.redis.url, partitions=1) as store:
        path = await ended_job(store, is_trimmed=True)

    frames = await asyncio.to_thread(read, idle, path, row)

    assert [described(frame) for frame in frames] == row.shown


async def test_a_long_history_is_replayed_whole_and_in_order_page_by_page(idle: System) -> None:
    async with running_store(idle.redis.url, partitions=1) as store:
        run = await jobs.start(store)
        for seq in range(3, LONG_HISTORY):
            await store.append_progress(run, seq=seq, message=jobs.progress(seq / (LONG_HISTORY + 1)))
        await store.finish(run, jobs.completion())
        path = f"{JOBS}/{run.job_id}"

    frames = await asyncio.to_thread(read, idle, path, Row("0-0", None, []))

    assert [frame.id for frame in frames] == ["0-1", *(f"1-{seq}" for seq in range(2, LONG_HISTORY + 1))]


async def test_opening_at_the_end_of_an_ended_job_answers_204_so_that_an_eventsource_stops(idle: System) -> None:
    async with running_store(idle.redis.url, partitions=1) as store:
        path = await ended_job(store)

    response = await asyncio.to_thread(idle.get, f"{path}/stream", last_event_id=END, accept="text/event-stream")

    assert (response.status_code, response.content) == (204, b"")


async def test_opening_at_the_failure_of_a_job_that_was_redriven_goes_on(idle: System) -> None:
    async with running_store(idle.redis.url, partitions=1) as store:
        run = await jobs.fail(store)
        await jobs.redrive(store, run)
        url = f"{idle.url}{JOBS}/{run.job_id}/stream"
        async with crowd([url], last_event_id="1-3") as [viewer]:
            await until_so(lambda: bool(viewer.frames), "the redrive is shown")

    assert described(viewer.frames[0]) == ("2-4", "queued")


# ── refusing ──────────────────────────────────────────────────────────────────────────────────────────────────────────

UNKNOWN = f"{JOBS}/00000000-0000-8000-8000-000000000000"


@pytest.mark.parametrize("accept", ["text/event-stream", "*/*", "application/json"])
def test_an_unknown_job_is_404_for_everybody(idle: System, accept: str) -> None:
    response = idle.get(f"{UNKNOWN}/stream", accept=accept)

    assert (response.status_code, response.json()["code"]) == (404, "NOT_FOUND")


async def test_a_deleted_job_is_410(idle: System) -> None:
    async with running_store(idle.redis.url, partitions=1) as store:
        path = await ended_job(store)
    await asyncio.to_thread(idle.call, "DELETE", path)

    response = await asyncio.to_thread(idle.get, f"{path}/stream", accept="text/event-stream")

    assert (response.status_code, response.json()["code"]) == (410, "GONE")


def test_head_of_a_stream_is_405(idle: System) -> None:
    assert idle.call("HEAD", f"{UNKNOWN}/stream").status_code == 405


async def test_the_head_of_a_stream_says_what_proxies_must_know(idle: System) -> None:
    async with running_store(idle.redis.url, partitions=1) as store:
        path = await ended_job(store)

    response = await asyncio.to_thread(idle.get, f"{path}/stream", accept="text/event-stream")

    assert response.headers["content-type"] == "text/event-stream"
    assert response.headers["cache-control"] == "no-store, no-transform"
    assert response.headers["x-accel-buffering"] == "no"
    assert response.headers["vary"] == "Accept, Origin"
    assert response.headers["transfer-encoding"] == "chunked"
    assert "content-length" not in response.headers
