"""What the live channel loses, viewers are shown all the same: the hub looks at the end of each followed log."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.resp import ask
from shared.jobstore.operations import Run
from shared.jobstore.store import JobStore
from tests.support import jobs
from tests.support.crowd import crowd
from tests.support.service import Service
from tests.support.stores import running_store
from tests.support.system import JOBS, System
from tests.support.waiting import until_so


@pytest.fixture
def idle(tmp_path: Path) -> Iterator[System]:
    """A gateway without a processor, and a Redis of its own."""
    with System(tmp_path, processors=0) as running:
        yield running


async def started(system: System, **alterations: float) -> Service:
    gateway = system.start("gateway", alterations)
    await asyncio.to_thread(gateway.wait_until_ready)
    return gateway


async def append_unheard(store: JobStore, run: Run, seq: int) -> None:
    """Write an event as the script does, but publish nothing."""
    record = f"waybill:{{0}}:job:{run.job_id}"
    execute = store.connection.execute
    await execute("XADD", store.live_channel(run.job_id), f"{run.epoch}-{seq}", "e", jobs.progress(0.5))
    await execute("HSET", record, "seq", seq)


async def test_event_that_was_never_published_is_shown_at_the_next_look(idle: System) -> None:
    gateway = await started(idle, LOOK_AT_LOG_EVERY_SECONDS=0.3)
    async with running_store(idle.redis.url, partitions=1) as store:
        run = await jobs.start(store)
        async with crowd([f"{gateway.url}{JOBS}/{run.job_id}/stream"] * 100) as viewers:
            await store.append_progress(run, seq=3, message=jobs.progress(0.4))
            await until_so(lambda: all(viewer.ids[-1] == "1-3" for viewer in viewers), "everybody is live")
            await append_unheard(store, run, 4)
            await until_so(lambda: all(viewer.ids[-1] == "1-4" for viewer in viewers), "everybody is shown it")

        assert all(viewer.ids == ["1-2", "1-3", "1-4"] for viewer in viewers)
        assert gateway.metric("sse_replay_bytes_total") > 0


async def test_viewers_and_polls_go_on_by_reading_while_the_live_channel_is_refused(idle: System) -> None:
    ask(idle.redis.port, "ACL", "SETUSER", "default", "resetchannels")
    gateway = idle.start("gateway")
    await asyncio.to_thread(gateway.wait_until_ready)
    async with running_store(idle.redis.url, partitions=1) as store:
        run = await jobs.start(store)
        async with crowd([f"{gateway.url}{JOBS}/{run.job_id}/stream"] * 3) as viewers:
            for seq in range(3, 6):
                await store.append_progress(run, seq=seq, message=jobs.progress(seq / 9))
            await until_so(lambda: all(viewer.ids[-1] == "1-5" for viewer in viewers), "everybody is shown all")
            polled = gateway.metric("sse_jobs_polled")
            await until_so(gateway.is_alive_and_unready, "the gateway says what is wrong")
            problems = gateway.ask("/readyz").json()["problems"]
            ask(idle.redis.port, "ACL", "SETUSER", "default", "allchannels")
            await until_so(lambda: gateway.metric("sse_jobs_polled") == 0, "the live channel is back")
            await store.finish(run, jobs.completion())
            await until_so(lambda: all(viewer.has_ended for viewer in viewers), "everybody sees the end")

    assert polled == 1
    assert problems == ["The live channel is not connected; streams read the log instead."]
    assert all(viewer.ids == ["1-2", "1-3", "1-4", "1-5", "1-6"] for viewer in viewers)
