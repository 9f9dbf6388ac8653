"""The teller against a real Redis and a real endpoint: every letter arrives, in order, whatever the endpoint does."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from opentelemetry.metrics import NoOpMeter
from structlog.testing import capture_logs

from processor.callbacks.delivery import Delivery
from processor.dead_letters.message import TellPolicy, headers_of
from processor.maintenance import teller
from processor.maintenance.teller import Teller
from processor.metrics import AdminCallbackMetrics
from shared.jobstore import keys
from shared.jobstore.dead_letters import DeadLetters, TellingTurn
from shared.jobstore.letter import DeadLetter
from shared.jobstore.store import JobStore
from tests.support import jobs
from tests.support.admin_endpoint import AdminEndpoint, Received
from tests.support.ports import free_ports
from tests.support.stores import running, running_store

PATIENCE_SECONDS = 30.0
QUICK = TellPolicy(look_every_seconds=0.01, max_refusals=3, base_ms=1, cap_ms=20, floor_ms=1)


class Counted(AdminCallbackMetrics):
    """The metrics, with what they counted in reach."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(self.OUTCOMES, 0)
        self._changed = asyncio.Event()
        super().__init__(NoOpMeter("test"))

    def count(self, outcome: str, times: int = 1) -> None:
        """Count an outcome here too."""
        self.counts[outcome] += times
        self._changed.set()
        super().count(outcome, times)

    async def reach(self, outcome: str, times: int) -> None:
        """Wait until an outcome was counted so often."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.counts[outcome] < times:
                self._changed.clear()
                await self._changed.wait()


@pytest.fixture
def endpoint() -> Iterator[AdminEndpoint]:
    """An endpoint that takes everything."""
    with AdminEndpoint() as listening:
        yield listening


@pytest_asyncio.fixture
async def single(redis_url: str) -> AsyncIterator[JobStore]:
    """A store on one server, whose letters are told from the first one on."""
    async with running_store(redis_url, partitions=1) as store:
        await begin(store)
        yield store


async def begin(store: JobStore) -> None:
    """Let there have been a teller before."""
    for partition in range(store.partitions):
        await jobs.letters_of(store).next_untold(partition, teller="before")
        await store.connection.execute("DEL", keys.teller(partition))


@contextlib.asynccontextmanager
async def telling(
    store: JobStore, url: str, *, processor: str = "p1", policy: TellPolicy = QUICK
) -> AsyncIterator[Counted]:
    """Let a teller run during the block."""
    metrics = Counted()
    one = Teller(jobs.letters_of(store), url, metrics, processor=processor, policy=policy)
    async with running(one.run):
        yield metrics


async def fail(store: JobStore) -> str:
    """Let a job fail; give its id."""
    return (await jobs.fail(store)).job_id


async def test_every_letter_of_every_partition_is_told_once(store: JobStore, endpoint: AdminEndpoint) -> None:
    await begin(store)
    failed = [await fail(store) for _ in range(6)]

    async with telling(store, endpoint.url) as metrics:
        await metrics.reach("told", len(failed))

    assert sorted(received.job_id for received in endpoint.received) == sorted(failed)
    assert {received.body["type"] for received in endpoint.received} == {"dead_letter"}


async def test_letters_of_a_partition_are_told_in_order_with_user_and_path_of_the_url(
    single: JobStore, endpoint: AdminEndpoint
) -> None:
    failed = [await fail(single) for _ in range(3)]

    async with telling(single, endpoint.url) as metrics:
        await metrics.reach("told", 3)

    assert [received.job_id for received in endpoint.received] == failed
    assert endpoint.received[0].path == "/hooks/hunter2"
    assert endpoint.received[0].headers["authorization"].startswith("Basic ")


async def test_a_refused_letter_comes_again_with_the_same_id_until_it_is_taken(
    single: JobStore, endpoint: AdminEndpoint
) -> None:
    statuses = iter([500, 307, 204])
    endpoint.answer = lambda _: next(statuses)
    endpoint.headers = {"Location": "/elsewhere", "Content-Length": "0"}
    await fail(single)

    async with telling(single, endpoint.url) as metrics:
        await metrics.reach("told", 1)

    assert len(endpoint.received) == 3
    assert {received.path for received in endpoint.received} == {"/hooks/hunter2"}
    assert len({received.webhook_id for received in endpoint.received}) == 1
    assert (metrics.counts["refused"], metrics.counts["given_up"]) == (2, 0)


async def test_a_letter_that_is_always_refused_is_given_up_and_the_next_one_told(
    single: JobStore, endpoint: AdminEndpoint
) -> None:
    bad, good = await fail(single), await fail(single)
    endpoint.answer = lambda received: 500 if received.job_id == bad else 204

    with capture_logs() as lines:
        async with telling(single, endpoint.url) as metrics:
            await metrics.reach("told", 1)

    [given_up] = [line for line in lines if line["event"] == "admins not told"]
    assert [received.job_id for received in endpoint.received] == [bad, bad, bad, good]
    assert (given_up["job_id"], given_up["status"], given_up["log_level"]) == (bad, 500, "error")
    assert metrics.counts["given_up"] == 1


async def test_letters_of_all_partitions_take_turns(redis_url: str, endpoint: AdminEndpoint) -> None:
    async with running_store(redis_url, partitions=2) as store:
        await begin(store)
        failed = [(await jobs.fail(store, partition=partition)).job_id for partition in (0, 0, 0, 1)]

        async with telling(store, endpoint.url) as metrics:
            await metrics.reach("told", 4)

    assert [received.job_id for received in endpoint.received] == [failed[0], failed[3], failed[1], failed[2]]


async def test_a_letter_of_a_job_that_no_header_can_name_is_told(single: JobStore, endpoint: AdminEndpoint) -> None:
    await single.connection.execute("XADD", keys.dead(0), "*", "job", "a\nb", "number", 1, b"\xff", "x")

    async with telling(single, endpoint.url) as metrics:
        await metrics.reach("told", 1)

    assert endpoint.received[0].job_id == "a\nb"


async def test_a_letter_whose_telling_breaks_is_given_up_and_the_next_one_told(
    single: JobStore, endpoint: AdminEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = await fail(single), await fail(single)

    def broken(letter: DeadLetter) -> dict[str, str]:
        return headers_of(letter) | ({"X-Broken": "a\nb"} if letter.job_id == bad else {})  # aiohttp: ValueError

    monkeypatch.setattr(teller, "headers_of", broken)
    with capture_logs() as lines:
        async with telling(single, endpoint.url) as metrics:
            await metrics.reach("told", 1)

    assert [received.job_id for received in endpoint.received] == [good]
    assert (metrics.counts["broke"], metrics.counts["given_up"]) == (QUICK.max_refusals, 1)
    [given_up] = [line for line in lines if line["event"] == "admins not told"]
    assert (given_up["job_id"], given_up["trouble"]) == (bad, "it broke here, see the log")


async def test_a_look_that_breaks_lets_its_partition_rest_and_the_others_go_on(
    redis_url: str, endpoint: AdminEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_store(redis_url, partitions=2) as store:
        await begin(store)
        for partition in (0, 1, 1, 1):
            await jobs.fail(store, partition=partition)
        look = DeadLetters.next_untold

        async def broken(letters: DeadLetters, partition: int, *, teller: str) -> TellingTurn:
            if partition == 0:
                raise ValueError("a mistake of ours")
            return await look(letters, partition, teller=teller)

        monkeypatch.setattr(DeadLetters, "next_untold", broken)
        async with telling(store, endpoint.url, policy=QUICK._replace(cap_ms=3_600_000)) as metrics:
            await metrics.reach("told", 3)

    assert metrics.counts["broke"] == 1


async def test_an_endpoint_that_is_away_is_waited_for_and_loses_nothing(single: JobStore) -> None:
    [port] = free_ports(1)
    failed = [await fail(single) for _ in range(2)]

    with capture_logs() as lines:
        async with telling(single, f"http://:hunter2@127.0.0.1:{port}/hunter2") as metrics:
            await metrics.reach("away", QUICK.max_refusals + 1)
            with AdminEndpoint(port=port) as endpoint:
                await metrics.reach("told", 2)

    assert [received.job_id for received in endpoint.received] == failed
    assert metrics.counts["given_up"] == 0
    assert "hunter2" not in str(lines)


async def test_an_endpoint_that_is_away_is_not_asked_for_the_letters_of_other_partitions(
    redis_url: str, endpoint: AdminEndpoint
) -> None:
    endpoint.answer = lambda _: 503
    patient = QUICK._replace(floor_ms=3_600_000)
    async with running_store(redis_url, partitions=2) as store:
        await begin(store)
        for partition in range(2):
            await jobs.fail(store, partition=partition)

        async with telling(store, endpoint.url, policy=patient) as metrics:
            await metrics.reach("away", 1)
            # The second partition is looked at when its lock appears, and was done with when it appears once more.
            for _ in range(2):
                await store.connection.execute("DEL", keys.teller(1))
                await until_set(store, keys.teller(1))

    assert len(endpoint.received) == 1


async def until_set(store: JobStore, key: str) -> None:
    """Wait until somebody sets a key."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await store.connection.execute("EXISTS", key):
            pass


async def test_an_answer_that_never_comes_is_waited_for_in_bounded_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        async with (
            Delivery.opened(url, variable="X", within_seconds=0.2) as delivery,
            asyncio.timeout(PATIENCE_SECONDS),
        ):
            reception = await delivery.post(b"{}", {})

    assert (reception.status, reception.trouble) == (None, "no answer within 0.2 s")


async def test_an_answer_without_end_is_not_read() -> None:
    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"10000\r\n" + bytes(65_536) + b"\r\n")
                await writer.drain()
        writer.close()

    async with asyncio.timeout(PATIENCE_SECONDS), await asyncio.start_server(pour, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with Delivery.opened(f"http://127.0.0.1:{port}/", variable="X") as delivery:
            reception = await delivery.post(b"{}", {})

    assert reception.status == 200


async def test_a_teller_that_died_before_it_moved_the_cursor_loses_nothing(
    single: JobStore, endpoint: AdminEndpoint
) -> None:
    failed = await fail(single)
    reached = asyncio.Event()
    loop = asyncio.get_running_loop()

    def refuse_and_say(received: Received) -> int:
        loop.call_soon_threadsafe(reached.set)
        return 500

    endpoint.answer = refuse_and_say
    async with telling(single, endpoint.url, processor="p1"):
        await reached.wait()
    endpoint.answer = lambda _: 204
    async with telling(single, endpoint.url, processor="p2") as metrics:
        # The dead teller's lock is there yet; its time to live would end it.
        await single.connection.execute("PEXPIRE", keys.teller(0), 0)
        await metrics.reach("told", 1)

    assert {received.job_id for received in endpoint.received} == {failed}
    assert len({received.webhook_id for received in endpoint.received}) == 1


async def test_letters_trimmed_untold_are_counted_and_logged(single: JobStore, endpoint: AdminEndpoint) -> None:
    for _ in range(3):
        await fail(single)
    await single.connection.execute("XTRIM", keys.dead(0), "MAXLEN", 1)

    with capture_logs() as lines:
        async with telling(single, endpoint.url) as metrics:
            await metrics.reach("told", 1)

    assert metrics.counts["trimmed"] == 2
    [line] = [line for line in lines if line["event"] == "dead letters trimmed before admins were told"]
    assert (line["letters"], line["log_level"]) == (2, "error")
