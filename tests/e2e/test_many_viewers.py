"""Thousands of viewers of one gateway: those who stall, those who all leave, and those who all come back."""

import asyncio
import contextlib
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.event_id import START, EventId
from shared.jobstore.operations import Run
from shared.jobstore.store import JobStore
from tests.support import jobs
from tests.support.crowd import crowd
from tests.support.stores import running_store
from tests.support.system import JOBS, System
from tests.support.waiting import until_so

HEALTHY = 1_000
DRAINED = 5_000
FILES = 12_000  # of this process: 5,000 sockets, and everybody else's
EVENTS = 60
LONG_MESSAGE = "a" * 4_000


@pytest.fixture
def idle(tmp_path: Path) -> Iterator[System]:
    """One gateway without a processor: the test itself writes the events."""
    with System(tmp_path, gateways=1, processors=0) as running:
        yield running


async def append(store: JobStore, run: Run, seq: int, message: bytes) -> None:
    """Append an event, however long this busy event loop takes to see the reply."""
    await jobs.insist(lambda: store.append_progress(run, seq=seq, message=message))


async def finish(store: JobStore, run: Run) -> None:
    await jobs.insist(lambda: store.finish(run, jobs.completion()))


async def test_reader_that_never_reads_is_cut_and_a_thousand_others_get_everything(idle: System) -> None:
    gateway = idle.start("gateway", {"STREAM_SEND_WITHIN_SECONDS": 1})
    await asyncio.to_thread(gateway.wait_until_ready)
    async with running_store(idle.redis.url, partitions=1) as store:
        run = await jobs.start(store)
        path = f"{JOBS}/{run.job_id}"
        async with crowd([f"{gateway.url}{path}/stream"] * HEALTHY) as viewers:
            with mute_reader(int(gateway.settings["WAYBILL_PORT"]), f"{path}/stream"):
                await until_so(lambda: gateway.metric("sse_connections_active") == HEALTHY + 1, "the mute one is there")
                for number in range(EVENTS):
                    message = jobs.progress((number + 1) / (EVENTS + 1), LONG_MESSAGE)
                    await append(store, run, run.record.seq + 1 + number, message)
                await until_so(
                    lambda: gateway.metric("sse_streams_ended_total", reason="slow") == 1, "the mute one is cut"
                )
            await finish(store, run)
            await until_so(lambda: all(viewer.has_ended for viewer in viewers), "everybody has seen the end")
        log = await store.read_events(run.job_id, after=EventId(run.epoch, run.record.seq), count=500)

    # Its own socket took some of it; what everybody else got is exactly the log.
    expected = [str(event_id) for event_id, _ in log]
    assert len(expected) == EVENTS + 1
    for viewer in viewers:
        assert viewer.ids[1:] == expected
    gateway.close()


async def test_mute_reader_that_reaches_its_age_while_nothing_can_be_sent_is_gone_all_the_same(idle: System) -> None:
    gateway = idle.start("gateway", {"STREAM_SEND_WITHIN_SECONDS": 3, "STREAM_MAX_AGE_SECONDS": 1.5})
    await asyncio.to_thread(gateway.wait_until_ready)
    async with running_store(idle.redis.url, partitions=1) as store:
        run = await jobs.start(store)
        with mute_reader(int(gateway.settings["WAYBILL_PORT"]), f"{JOBS}/{run.job_id}/stream"):
            await until_so(lambda: gateway.metric("sse_connections_active") == 1, "the mute one is there")
            for number in range(10 * EVENTS):
                message = jobs.progress((number + 1) / (10 * EVENTS + 1), LONG_MESSAGE)
                await append(store, run, run.record.seq + 1 + number, message)
            await until_so(lambda: gateway.metric("sse_connections_active") == 0, "it is closed")
            followed = gateway.metric("sse_jobs_followed")
    gateway.terminate()

    assert followed == 0
    assert gateway.exit_code() == 0
    gateway.close()


@contextlib.contextmanager
def mute_reader(port: int, path: str) -> Iterator[None]:
    """Ask for a stream and read nothing of it."""
    with socket.socket() as mute:
        mute.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
        mute.connect(("127.0.0.1", port))
        mute.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        yield


@pytest.fixture
def many_files() -> None:
    """Let this process have so many files open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES, hard), hard))


@pytest.mark.usefixtures("many_files")
async def test_five_thousand_streams_are_sent_elsewhere_within_the_drain_and_not_in_one_moment(idle: System) -> None:
    gateway = idle.start("gateway", WAYBILL_DRAIN_SECONDS="20")
    await asyncio.to_thread(gateway.wait_until_ready)
    async with running_store(idle.redis.url, partitions=1) as store:
        ids = [await jobs.create(store) for _ in range(50)]
        urls = [f"{gateway.url}{JOBS}/{ids[number % len(ids)]}/stream" for number in range(DRAINED)]
        async with crowd(urls) as viewers:
            gateway.terminate()
            await until_so(lambda: all(viewer.has_ended for viewer in viewers), "every stream is ended")
            exit_code = await asyncio.to_thread(gateway.exit_code)

    goodbyes = [viewer.frames[-1] for viewer in viewers]
    assert exit_code == 0
    assert {(goodbye.type, goodbye.data["reason"]) for goodbye in goodbyes} == {("busy", "drain")}
    assert all(goodbye.id is None and goodbye.retry_ms for goodbye in goodbyes)
    moments = {goodbye.data["at"][:22] for goodbye in goodbyes}  # tens of milliseconds
    assert len(moments) > 20, "they would come back to the others as one"
    drained = [line for line in gateway.log_lines() if line["event"] == "gateway draining"]
    assert drained[0]["streams"] == DRAINED


async def test_viewers_who_come_back_at_once_get_exactly_what_they_missed(idle: System) -> None:
    async with running_store(idle.redis.url, partitions=1) as store:
        runs = [await jobs.start(store) for _ in range(20)]
        for run in runs:
            for number in range(20):
                await append(store, run, 3 + number, jobs.progress(number / 21))
        urls = [f"{idle.url}{JOBS}/{run.job_id}/stream" for run in runs * 20]
        async with crowd([f"{url}?last_event_id=1-2" for url in urls]) as viewers:
            await until_so(lambda: all(len(viewer.ids) == 20 for viewer in viewers), "everybody has what was missed")
            for run in runs:
                await finish(store, run)
            await until_so(lambda: all(viewer.has_ended for viewer in viewers), "everybody has seen the end")
        logs = {run.job_id: await store.read_events(run.job_id, after=START, count=500) for run in runs}

    for viewer, run in zip(viewers, runs * 20, strict=True):
        assert viewer.ids == [str(event_id) for event_id, _ in logs[run.job_id][2:]]
