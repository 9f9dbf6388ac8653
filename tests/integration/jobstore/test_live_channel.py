"""The live channel: the log's bytes at once, and a signal whenever some may be missing."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from deploy.local.resp import ask
from deploy.local.valkey import EmbeddedValkey
from shared import limits
from shared.errors import RedisUnavailable
from shared.jobstore.access import Commands, Live, open_live
from shared.jobstore.store import JobStore
from tests.support import inspection, jobs
from tests.support.cluster import Server, nodes_of
from tests.support.servers import cut_clients, frozen
from tests.support.stores import running, running_commands, running_live
from tests.support.waiting import until_so

PATIENCE_SECONDS = 10.0


class Listener:
    """A live channel, with what it heard."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self.restored: asyncio.Queue[None] = asyncio.Queue()
        self.channel: Live

    @contextlib.asynccontextmanager
    async def listening(self, url: str) -> AsyncIterator["Listener"]:
        """Listen until the end of the block."""
        async with running_live(
            url,
            on_message=lambda channel, data: self.heard.put_nowait((channel, data)),
            on_restored=lambda: self.restored.put_nowait(None),
        ) as self.channel:
            yield self

    async def next(self, count: int) -> list[tuple[str, bytes]]:
        """Wait for some messages."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return [await self.heard.get() for _ in range(count)]

    async def until_restored(self) -> None:
        """Wait for the end of an outage."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.restored.get()


@pytest_asyncio.fixture
async def listener(server: Server) -> AsyncIterator[Listener]:
    """A listener on each set-up's server."""
    async with Listener().listening(server.url) as listening:
        yield listening


async def test_the_live_channel_carries_every_event_as_the_log_has_it(store: JobStore, listener: Listener) -> None:
    new = jobs.new_job(store)
    name = store.live_channel(new.job_id)
    await listener.channel.subscribe(name)

    await store.create(new)
    run = await jobs.claim(store, await jobs.take(store, new.job_id))
    await store.append_progress(run, seq=3, message=jobs.progress(0.25))
    await store.append_progress(run, seq=3, message=jobs.progress(0.25))
    await store.release(run, message=jobs.RELEASED)
    run = await jobs.claim(store, await jobs.take(store, new.job_id))
    await store.retry_later(run, message=jobs.RETRYING, error=jobs.BROKEN, delay_ms=0, lease_ms=jobs.LEASE_MS)
    await jobs.sweep(store, jobs.partition_number(new.job_id))
    run = await jobs.claim(store, await jobs.take(store, new.job_id))
    await store.finish(run, jobs.completion())

    log = await inspection.read_log(store, new.job_id)
    heard = await listener.next(len(log))
    assert heard == [(name, b"%b %b" % (entry.event_id.encode(), entry.message)) for entry in log]
    assert listener.heard.empty()


async def test_a_burial_is_heard_too(store: JobStore, listener: Listener) -> None:
    run = await jobs.take_over(store, await jobs.take_over(store, await jobs.start(store)))
    await jobs.lapse(store, run)
    entry = await jobs.take(store, run.job_id)
    await listener.channel.subscribe(store.live_channel(run.job_id))

    await store.claim(entry, "token-9", jobs.terms())

    [(_, data)] = await listener.next(1)
    assert data == b"4-5 " + jobs.BURIED


async def test_only_wanted_channels_are_heard(store: JobStore, listener: Listener) -> None:
    wanted, other = await jobs.start(store), await jobs.start(store)
    await listener.channel.subscribe(store.live_channel(wanted.job_id))

    await store.append_progress(other, seq=3, message=jobs.progress(0.1))
    await store.append_progress(wanted, seq=3, message=jobs.progress(0.2))

    assert await listener.next(1) == [(store.live_channel(wanted.job_id), b"1-3 " + jobs.progress(0.2))]


async def test_an_unwanted_channel_falls_silent(store: JobStore, listener: Listener) -> None:
    unwanted, wanted = await jobs.start(store), await jobs.start(store)
    await listener.channel.subscribe(store.live_channel(unwanted.job_id))
    listener.channel.unsubscribe(store.live_channel(unwanted.job_id))
    await listener.channel.subscribe(store.live_channel(wanted.job_id))  # its answer follows the one before

    await store.append_progress(unwanted, seq=3, message=jobs.progress(0.1))
    await store.append_progress(wanted, seq=3, message=jobs.progress(0.2))

    assert await listener.next(1) == [(store.live_channel(wanted.job_id), b"1-3 " + jobs.progress(0.2))]


async def test_a_channel_unwanted_and_wanted_again_at_once_loses_nothing(store: JobStore, listener: Listener) -> None:
    run = await jobs.start(store)
    name = store.live_channel(run.job_id)
    await listener.channel.subscribe(name)

    for seq in range(3, 53):
        for _ in range(seq % 3):
            listener.channel.unsubscribe(name)
            hasty = asyncio.create_task(listener.channel.subscribe(name))
            await asyncio.sleep(0)
            hasty.cancel()
        listener.channel.unsubscribe(name)
        await listener.channel.subscribe(name)
        await store.append_progress(run, seq=seq, message=jobs.progress(seq / 100))

    heard = await listener.next(50)
    assert [data.split(b" ")[0] for _, data in heard] == [b"1-%d" % seq for seq in range(3, 53)]
    assert listener.heard.empty()


async def test_a_subscriber_who_gives_up_waiting_disturbs_nobody(store: JobStore, listener: Listener) -> None:
    run = await jobs.start(store)
    name = store.live_channel(run.job_id)
    hasty = asyncio.create_task(listener.channel.subscribe(name))
    await asyncio.sleep(0)
    hasty.cancel()

    await listener.channel.subscribe(name)
    await store.append_progress(run, seq=3, message=jobs.progress(0.5))

    assert len(await listener.next(1)) == 1


async def test_a_lost_connection_is_restored_with_all_channels_and_says_so(
    store: JobStore, server: Server, listener: Listener
) -> None:
    runs = [await jobs.start(store, partition=number % store.partitions) for number in range(20)]
    await asyncio.gather(*(listener.channel.subscribe(store.live_channel(run.job_id)) for run in runs))
    while not listener.restored.empty():
        listener.restored.get_nowait()

    assert cut_clients(server, kind="pubsub") == len(nodes_of(server))
    for _ in nodes_of(server):
        await listener.until_restored()
    for run in runs:
        await store.append_progress(run, seq=3, message=jobs.progress(0.5))

    heard = await listener.next(20)
    assert {name for name, _ in heard} == {store.live_channel(run.job_id) for run in runs}


async def test_a_channel_that_is_no_longer_wanted_does_not_come_back_with_the_connection(
    store: JobStore, server: Server, listener: Listener
) -> None:
    unwanted, wanted = await jobs.start(store), await jobs.start(store)
    for run in (unwanted, wanted):
        await listener.channel.subscribe(store.live_channel(run.job_id))
    while not listener.restored.empty():
        listener.restored.get_nowait()
    cut_clients(server, kind="pubsub")
    listener.channel.unsubscribe(store.live_channel(unwanted.job_id))
    await listener.until_restored()

    await store.append_progress(unwanted, seq=3, message=jobs.progress(0.1))
    await store.append_progress(wanted, seq=3, message=jobs.progress(0.2))

    assert await listener.next(1) == [(store.live_channel(wanted.job_id), b"1-3 " + jobs.progress(0.2))]


async def test_subscribe_without_an_answer_raises_in_time_and_the_channel_stays_wanted(
    store: JobStore, server: Server, listener: Listener
) -> None:
    run = await jobs.start(store)
    name = store.live_channel(run.job_id)
    await listener.channel.subscribe(store.live_channel(store.new_job_id()))
    with frozen(server), pytest.raises(RedisUnavailable):
        await listener.channel.subscribe(name)

    await listener.channel.subscribe(name)
    await store.append_progress(run, seq=3, message=jobs.progress(0.5))

    assert len(await listener.next(1)) == 1


async def test_a_server_that_falls_silent_is_taken_for_lost_and_restored(
    store: JobStore, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LIVE_PING_EVERY_SECONDS", 0.1)
    monkeypatch.setattr(limits, "LIVE_SILENCE_MAX_SECONDS", 0.5)
    run = await jobs.start(store)
    name = store.live_channel(run.job_id)
    async with Listener().listening(server.url) as listener:
        await listener.channel.subscribe(name)
        await until_so(lambda: listener.channel.is_connected, "it is connected")
        while not listener.restored.empty():
            listener.restored.get_nowait()

        with frozen(server):
            await until_so(lambda: not listener.channel.is_subscribed(name), "the silence is noticed")
        await listener.until_restored()
        await store.append_progress(run, seq=3, message=jobs.progress(0.5))

        assert len(await listener.next(1)) == 1


async def test_channels_that_were_wanted_before_the_start_are_subscribed_at_the_start(
    store: JobStore, server: Server
) -> None:
    run = await jobs.start(store)
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    async with running_commands(server.url) as commands:
        live = open_live(
            commands, name="late", on_message=lambda _, data: heard.put_nowait(data), on_restored=lambda: None
        )
        waiting = asyncio.create_task(live.subscribe(store.live_channel(run.job_id)))
        await asyncio.sleep(0)

        async with running(live.run):
            await waiting
            await store.append_progress(run, seq=3, message=jobs.progress(0.5))

            async with asyncio.timeout(PATIENCE_SECONDS):
                assert await heard.get() == b"1-3 " + jobs.progress(0.5)


# ── what the log says ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_channel_that_never_was_is_not_said_to_be_lost_with_the_server() -> None:
    tried: asyncio.Queue[None] = asyncio.Queue()

    async def turn_away(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if b"the-live-one" in await reader.read(limits.MAX_HEAD_BYTES):
            tried.put_nowait(None)
        writer.close()

    server = await asyncio.start_server(turn_away, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    with capture_logs() as lines:
        async with server, running_commands(f"redis://127.0.0.1:{port}/0") as commands, heard_by(commands):
            async with asyncio.timeout(PATIENCE_SECONDS):
                for _ in range(3):
                    await tried.get()

    assert {line["event"] for line in lines} == {"redis unreachable"}


async def test_what_keeps_the_channel_alone_away_is_said_once(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as valkey, capture_logs() as lines:
        ask(valkey.port, "ACL", "SETUSER", "deaf", "on", ">pw", "~*", "&*", "+@all", "-ssubscribe")
        async with running_commands(f"redis://deaf:pw@127.0.0.1:{valkey.port}/0") as commands:
            await commands.execute("PING")
            live = open_live(commands, name="deaf", on_message=lambda *_: None, on_restored=lambda: None)
            wanted = asyncio.create_task(live.subscribe("waybill:{0}:events:1"))
            await asyncio.sleep(0)
            async with running(live.run):
                with pytest.raises(RedisUnavailable):
                    await wanted

    [line] = [line for line in lines if "live channel" in line["event"]]
    assert line["event"] == "live channel not connected"
    assert "lacks a permission" in line["trouble"]


async def test_a_channel_that_was_there_is_said_to_be_lost(standalone_server: EmbeddedValkey) -> None:
    async with Listener().listening(standalone_server.url) as listener:
        await until_so(lambda: listener.channel.is_connected, "it is connected")
        with capture_logs() as lines:
            cut_clients(standalone_server, kind="normal")
            await until_so(lambda: any("live channel" in line["event"] for line in lines), "the loss is logged")

    assert [line["event"] for line in lines if "live channel" in line["event"]] == ["live channel lost"]


@contextlib.asynccontextmanager
async def heard_by(commands: Commands) -> AsyncIterator[Live]:
    """Run a live channel beside commands, under a name of its own."""
    live = open_live(commands, name="the-live-one", on_message=lambda *_: None, on_restored=lambda: None)
    async with running(live.run):
        yield live
