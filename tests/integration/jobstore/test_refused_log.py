"""Scripts do not roll back, so the append to the log comes first: what the log refuses has not happened."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from shared.errors import RedisRefused
from shared.jobstore.operations import Run
from shared.jobstore.store import JobStore
from tests.support import inspection, jobs
from tests.support.cluster import Server
from tests.support.stores import running_live

Operation = Callable[[JobStore, Run], Awaitable[object]]

APPENDING: dict[str, Operation] = {
    "append_progress": lambda store, run: store.append_progress(run, seq=3, message=jobs.progress(0.5)),
    "retry_later": lambda store, run: store.retry_later(
        run, message=jobs.RETRYING, error=jobs.BROKEN, delay_ms=0, lease_ms=jobs.LEASE_MS
    ),
    "release": lambda store, run: store.release(run, message=jobs.RELEASED),
    "finish_completed": lambda store, run: store.finish(run, jobs.completion()),
    "finish_failed": lambda store, run: store.finish(run, jobs.failure()),
}


async def let_the_log_refuse(store: JobStore, job_id: str) -> None:
    """Let the log have an event of the future already, as a second writer would leave it."""
    await store.connection.execute("XADD", store.live_channel(job_id), "77-99", "d", '{"type":"progress"}')


@pytest.mark.parametrize("operation", APPENDING.values(), ids=APPENDING)
async def test_what_the_log_refuses_has_not_happened(store: JobStore, operation: Operation) -> None:
    run = await jobs.start(store)
    await let_the_log_refuse(store, run.job_id)
    before = await inspection.everything_about(store, run.job_id)

    with pytest.raises(RedisRefused):
        await operation(store, run)

    assert await inspection.everything_about(store, run.job_id) == before


@pytest.mark.parametrize("operation", APPENDING.values(), ids=APPENDING)
async def test_what_the_log_refuses_is_not_told_to_viewers(
    store: JobStore, server: Server, operation: Operation
) -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    run = await jobs.start(store)
    channel = store.live_channel(run.job_id)
    await let_the_log_refuse(store, run.job_id)
    hearing = running_live(server.url, on_message=lambda _, message: heard.put_nowait(message))
    async with asyncio.timeout(10), hearing as live:
        await live.subscribe(channel)

        with pytest.raises(RedisRefused):
            await operation(store, run)
        await store.connection.execute("SPUBLISH", channel, "what comes next")

        assert await heard.get() == b"what comes next"
