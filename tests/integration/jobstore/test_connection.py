"""The command connection: batches, givers-up, and every way in which Redis can be away for a while."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.local.resp import ask
from deploy.local.valkey import EmbeddedValkey
from shared import limits
from shared.errors import RedisUnavailable
from shared.jobstore.connection import CommandConnection
from shared.jobstore.location import parse_location
from shared.jobstore.operations import Answer, Run
from shared.jobstore.store import JobStore
from tests.support import inspection, jobs
from tests.support.cluster import Server
from tests.support.servers import cut_clients, forget_scripts, frozen
from tests.support.stores import running_connection


@pytest_asyncio.fixture
async def connection(redis_url: str) -> AsyncIterator[CommandConnection]:
    """A running connection to the standalone server."""
    async with running_connection(redis_url) as running:
        yield running


# ── batches and callers ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_every_caller_gets_its_own_reply(connection: CommandConnection) -> None:
    replies = await asyncio.gather(*(connection.execute("ECHO", n) for n in range(3 * limits.MAX_REDIS_BATCH)))

    assert replies == [b"%d" % n for n in range(3 * limits.MAX_REDIS_BATCH)]


async def test_what_is_asked_in_one_turn_travels_together(
    connection: CommandConnection, standalone_server: EmbeddedValkey
) -> None:
    def reads_processed() -> int:
        info = ask(standalone_server.port, "INFO", "stats")
        return int(next(line for line in info.splitlines() if line.startswith("total_reads_processed")).split(":")[1])

    await connection.execute("PING")
    before = reads_processed()

    await asyncio.gather(*(connection.execute("PING") for _ in range(200)))

    assert reads_processed() - before < 20


async def test_a_callers_error_is_its_own(connection: CommandConnection) -> None:
    replies = await asyncio.gather(
        connection.execute("ECHO", "a"),
        connection.execute("NO-SUCH-COMMAND"),
        connection.execute("ECHO", "b"),
        return_exceptions=True,
    )

    assert (replies[0], replies[2]) == (b"a", b"b")
    assert isinstance(replies[1], Exception)


@pytest.mark.parametrize("unsendable", [None, "\ud800"], ids=["none", "lone surrogate"])
async def test_a_caller_with_an_argument_that_cannot_be_sent_disturbs_nobody(
    connection: CommandConnection, unsendable: str
) -> None:
    replies = await asyncio.gather(
        connection.execute("ECHO", "a"),
        connection.execute("ECHO", unsendable),
        connection.execute("ECHO", "b"),
        return_exceptions=True,
    )

    assert (replies[0], replies[2]) == (b"a", b"b")
    assert isinstance(replies[1], Exception)
    assert not isinstance(replies[1], RedisUnavailable)
    assert await connection.execute("ECHO", "c") == b"c"


async def test_a_caller_who_gives_up_in_flight_disturbs_nobody(
    connection: CommandConnection, standalone_server: EmbeddedValkey
) -> None:
    await connection.execute("PING")
    with frozen(standalone_server):
        callers = [asyncio.create_task(connection.execute("ECHO", n)) for n in range(5)]
        await asyncio.sleep(0)  # all have asked
        await asyncio.sleep(0)  # the batch is on its way
        callers[1].cancel()
        callers[3].cancel()
        await asyncio.wait([callers[1], callers[3]])

    replies = await asyncio.gather(*callers, return_exceptions=True)

    assert [replies[0], replies[2], replies[4]] == [b"0", b"2", b"4"]
    assert [caller.cancelled() for caller in callers] == [False, True, False, True, False]
    assert await connection.execute("ECHO", "after") == b"after"


async def test_what_was_given_up_before_it_was_sent_is_never_sent(
    connection: CommandConnection, standalone_server: EmbeddedValkey
) -> None:
    await connection.execute("PING")
    with frozen(standalone_server):
        first = asyncio.create_task(connection.execute("INCR", "counter"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        second = asyncio.create_task(connection.execute("INCR", "counter"))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.wait([second])

    assert await first == 1
    assert await connection.execute("GET", "counter") == b"1"


async def test_too_many_waiting_requests_are_refused_at_once(redis_url: str) -> None:
    connection = CommandConnection(parse_location(redis_url), name="idle")
    waiting = [
        asyncio.create_task(connection.execute("PING", within_seconds=30))
        for _ in range(limits.MAX_REDIS_REQUESTS_WAITING)
    ]
    await asyncio.sleep(0)

    with pytest.raises(RedisUnavailable, match="Too many requests"):
        await connection.execute("PING", within_seconds=30)

    for caller in waiting:
        caller.cancel()
    await asyncio.wait(waiting)


# ── trouble ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_scripts_that_the_server_forgot_are_loaded_again_and_run_once(store: JobStore, server: Server) -> None:
    new = [jobs.new_job(store) for _ in range(20)]
    forget_scripts(server)

    created = await asyncio.gather(*(store.create(job) for job in new))

    assert all(reply.is_new for reply in created)
    assert store.connection.healthy_since is not None


async def test_a_connection_that_was_cut_heals_unseen(store: JobStore, server: Server) -> None:
    run = await jobs.start(store)
    for seq in range(3, 9):
        assert cut_clients(server) >= 1

        assert await store.append_progress(run, seq=seq, message=jobs.progress(seq / 100)) is Answer.OK

    assert [entry.event_id.seq for entry in await inspection.read_log(store, run.job_id)] == list(range(1, 9))


async def test_requests_in_flight_while_the_connection_is_cut_are_answered_once(
    store: JobStore, server: Server
) -> None:
    async def finish(run: Run) -> Answer:
        for seq in range(3, 53):
            assert await store.append_progress(run, seq=seq, message=jobs.progress(0.5)) in (Answer.OK, Answer.DUP)
        return await store.finish(run, jobs.completion())

    runs = [await jobs.start(store) for _ in range(20)]
    finishing = asyncio.gather(*(finish(run) for run in runs))
    for _ in range(10):
        await store.connection.execute("PING", within_seconds=10)
        await asyncio.to_thread(cut_clients, server)

    assert set(await finishing) <= {Answer.OK, Answer.DONE}
    for run in runs:
        log = await inspection.read_log(store, run.job_id)
        assert [entry.event_id.seq for entry in log] == list(range(1, 54))
        assert [entry.type for entry in log].count("completed") == 1


async def test_a_frozen_server_is_unavailable_within_the_deadline_and_serves_again_afterwards(
    connection: CommandConnection, standalone_server: EmbeddedValkey
) -> None:
    await connection.execute("PING")
    with frozen(standalone_server):
        asked_at = time.monotonic()
        with pytest.raises(RedisUnavailable) as refusal:
            await connection.execute("PING")
        waited_seconds = time.monotonic() - asked_at

    assert limits.REDIS_REQUEST_WITHIN_SECONDS <= waited_seconds < 2.0
    assert "()" not in refusal.value.message
    assert await connection.execute("ECHO", "again", within_seconds=10) == b"again"


async def test_a_server_that_died_is_unavailable_and_serves_again_once_it_is_back(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as server:
        async with running_connection(server.url) as connection:
            await connection.execute("PING")
            healthy_before = connection.healthy_since
            await asyncio.to_thread(server.kill)

            with pytest.raises(RedisUnavailable):
                await connection.execute("PING")
            healthy_meanwhile = connection.healthy_since
            await asyncio.to_thread(server.start)

            assert await connection.execute("ECHO", "again", within_seconds=10) == b"again"
            assert healthy_before is not None
            assert healthy_meanwhile is None
            assert connection.healthy_since is not None
            assert connection.healthy_since > healthy_before


async def test_healthy_since_begins_anew_after_a_lost_connection(
    connection: CommandConnection, standalone_server: EmbeddedValkey
) -> None:
    await connection.execute("PING")
    before = connection.healthy_since
    cut_clients(standalone_server)

    await connection.execute("PING")

    assert before is not None
    assert connection.healthy_since is not None
    assert connection.healthy_since > before


async def test_healthy_since_stays_while_all_is_well(connection: CommandConnection) -> None:
    await connection.execute("PING")
    before = connection.healthy_since

    for _ in range(10):
        await connection.execute("PING")

    assert connection.healthy_since == before


async def test_a_server_that_refuses_writes_is_an_outage_and_its_end_is_a_new_beginning(
    connection: CommandConnection, standalone_server: EmbeddedValkey
) -> None:
    await connection.execute("PING")
    before = connection.healthy_since
    ask(standalone_server.port, "REPLICAOF", "127.0.0.1", "1")
    try:
        with pytest.raises(RedisUnavailable, match="read only"):
            await connection.execute("SET", "a", "1")
        meanwhile = connection.healthy_since
    finally:
        ask(standalone_server.port, "REPLICAOF", "NO", "ONE")

    await connection.execute("SET", "a", "2")

    assert await connection.execute("GET", "a") == b"2"
    assert meanwhile is None
    assert before is not None
    assert connection.healthy_since is not None
    assert connection.healthy_since > before


async def test_a_server_without_enough_replicas_is_an_outage_and_not_the_callers_error(
    connection: CommandConnection, standalone_server: EmbeddedValkey
) -> None:
    ask(standalone_server.port, "CONFIG", "SET", "min-replicas-to-write", "1")
    try:
        with pytest.raises(RedisUnavailable, match="NOREPLICAS"):
            await connection.execute("SET", "a", "1")
        meanwhile = connection.healthy_since
    finally:
        ask(standalone_server.port, "CONFIG", "SET", "min-replicas-to-write", "0")

    await connection.execute("SET", "a", "2")

    assert meanwhile is None
    assert connection.healthy_since is not None


async def ask_until_refused(connection: CommandConnection) -> None:
    """Ask until the other client's script has arrived and keeps the server busy."""
    async with asyncio.timeout(20):
        while True:
            await connection.execute("ECHO", "too early")


async def test_a_server_that_is_busy_with_somebodys_script_is_an_outage_and_not_the_callers_error(
    connection: CommandConnection, redis_url: str, standalone_server: EmbeddedValkey
) -> None:
    async with running_connection(redis_url) as other:
        await other.execute("CONFIG", "SET", "busy-reply-threshold", "1")
        await connection.execute("PING")
        endless = asyncio.create_task(other.execute("EVAL", "while true do end", 0))

        try:
            with pytest.raises(RedisUnavailable, match="BUSY"):
                await ask_until_refused(connection)
        finally:
            await asyncio.to_thread(ask, standalone_server.port, "SCRIPT", "KILL")
            await asyncio.gather(endless, return_exceptions=True)
            await other.execute("CONFIG", "SET", "busy-reply-threshold", "5000")

        assert await connection.execute("ECHO", "again") == b"again"


async def test_a_connection_that_nobody_runs_answers_unavailable(redis_url: str) -> None:
    connection = CommandConnection(parse_location(redis_url), name="idle")

    with pytest.raises(RedisUnavailable, match="not connected yet"):
        await connection.execute("PING", within_seconds=0.01)


async def test_a_process_that_stops_answers_its_callers_at_once(
    redis_url: str, standalone_server: EmbeddedValkey
) -> None:
    async with running_connection(redis_url) as connection:
        await connection.execute("PING")
        with frozen(standalone_server):
            caller = asyncio.create_task(connection.execute("PING", within_seconds=60))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            stopping = asyncio.create_task(_leave(connection))
            await stopping
    with pytest.raises(RedisUnavailable, match="stopping"):
        async with asyncio.timeout(5):
            await caller


async def _leave(connection: CommandConnection) -> None:
    for task in asyncio.all_tasks():
        if task.get_name() == "test-owner":
            task.cancel()
