"""The deliverer on a real Redis and a real receiver: everything arrives, whatever becomes of either, and of itself."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from ipaddress import ip_network
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from opentelemetry.metrics import NoOpMeter
from opentelemetry.sdk.trace import TracerProvider
from standardwebhooks import Webhook
from structlog.testing import capture_logs

from gateway.auth.ticket import caller_by_ticket
from processor.callbacks.courier import ADMINS, Courier, Terms
from processor.callbacks.deliverer import Deliverer
from processor.callbacks.message import Links
from processor.callbacks.metrics import DeliveryMetrics
from processor.callbacks.name_look_up import NameLookUp
from processor.callbacks.outcome import Reception, Verdict, after_try
from shared import limits
from shared.callbacks.signing_secret import SigningSecret
from shared.callbacks.target import CallbackRules
from shared.environment import load
from shared.jobstore import keys
from shared.jobstore.callback import CallbackRecord, CallbackState
from shared.jobstore.outbox import Outbox, Redelivered
from shared.jobstore.store import JobStore
from shared.processor_settings import ProcessorSettings
from shared.ticket import TicketSecret
from tests.support import jobs
from tests.support.doorstep import MappedNames
from tests.support.promised import promised
from tests.support.receiver import Received, Receiver
from tests.support.stores import running_store

RULES = CallbackRules(takes_http=True, ports=(range(1, 65_536),), networks=(ip_network("127.0.0.1"),))
OLD, NEW = SigningSecret(secrets.token_bytes(32)), SigningSecret(secrets.token_bytes(32))
TICKETS = TicketSecret("k1", b"1" * 32)
SCHEDULE_SECONDS = load(ProcessorSettings, {}).schedule_seconds
DAY_MS = 86_400_000
PATIENCE_SECONDS = 30.0


class Counted(DeliveryMetrics):
    """The metrics, with what they counted in reach."""

    def __init__(self) -> None:
        super().__init__(NoOpMeter("test"))
        self.receptions: list[Reception] = []
        self.given_up = 0

    def count_try(self, reception: Reception, *, duration_ms: int) -> None:
        """Keep a reception."""
        self.receptions.append(reception)
        super().count_try(reception, duration_ms=duration_ms)

    def count_given_up(self, *, is_for_admins: bool, is_unwanted: bool) -> None:
        """Count here too."""
        self.given_up += 1
        super().count_given_up(is_for_admins=is_for_admins, is_unwanted=is_unwanted)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that takes everything."""
    with Receiver() as listening:
        yield listening


@pytest_asyncio.fixture
async def single(redis_url: str) -> AsyncIterator[JobStore]:
    """A store on one server."""
    async with running_store(redis_url, partitions=1) as store:
        yield store


def deliverer(
    store: JobStore, *, terms: Terms | None = None, names: MappedNames | None = None, processor: str = "p1"
) -> tuple[Deliverer, Counted]:
    """Make a deliverer, and what counts for it."""
    metrics = Counted()
    courier = Courier(terms or Terms(RULES, secrets=(OLD,)), names or NameLookUp())
    made = Deliverer(Outbox(store), courier, metrics, processor=processor, schedule_seconds=SCHEDULE_SECONDS)
    return made, metrics


async def deliver(one: Deliverer, *, now_ms: int | None = None) -> int:
    """Let it look once, and wait for what it began."""
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        return await one.look(group, now_ms=now_ms)


@contextlib.asynccontextmanager
async def delivering(one: Deliverer) -> AsyncIterator[None]:
    """Let it run during the block, and come to its end in peace."""
    going = asyncio.create_task(one.run(), name="deliverer")
    try:
        yield
    finally:
        one.stop()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await going


async def complete(store: JobStore, url: str, *, owner: str = jobs.OWNER, partition: int | None = None) -> str:
    """Complete a job with this callback; give its id."""
    run = await jobs.start(store, callback_url=url, owner=owner, partition=partition)
    await store.finish(run, jobs.completion())
    return run.job_id


async def kept(store: JobStore, job_id: str, *, for_admins: bool = False) -> CallbackRecord:
    """Give what is kept of a job's one callback."""
    [callback] = await Outbox(store).deliveries(job_id, for_admins=for_admins)
    return callback


async def due_at_ms(store: JobStore) -> int:
    """Give when the next callback of the one partition is due."""
    at_ms = await Outbox(store).next_due_at_ms(0)
    assert at_ms is not None
    return at_ms


def verified(received: Received, secret: SigningSecret, owner: str = jobs.OWNER) -> Any:
    """Verify what came as a receiver does that knows nothing of us."""
    return Webhook(secret.of_owner(owner).text).verify(received.raw, received.headers)


# ── what arrives ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_every_end_of_every_partition_is_told_once_and_verifies(store: JobStore, receiver: Receiver) -> None:
    completed = [await complete(store, receiver.url) for _ in range(3)]
    failed = (await jobs.fail(store, callback_url=receiver.url)).job_id
    cancelled = await jobs.create(store, callback_url=receiver.url)
    await jobs.cancel(store, cancelled)
    one, _ = deliverer(store)

    async with delivering(one):
        await asyncio.to_thread(receiver.wait_for, 5)

    told = {received.job_id: verified(received, OLD)["type"] for received in receiver.received}
    assert len(receiver.received) == len(told) == 5
    assert [told[job_id] for job_id in (*completed, failed, cancelled)] == [
        *["download.completed"] * 3,
        "download.failed",
        "download.cancelled",
    ]
    assert {(await kept(store, job_id)).state for job_id in told} == {CallbackState.DELIVERED}
    for received in receiver.received:
        assert promised().breaches_of_webhook("jobEnded", received.headers, received.body) == []


async def test_the_link_is_absolute_and_its_ticket_opens_this_job_for_as_long_as_the_archive_is_kept(
    single: JobStore, receiver: Receiver
) -> None:
    job_id = await complete(single, receiver.url)
    terms = Terms(RULES, links=Links("https://downloads.example.org/", TICKETS))

    await deliver(deliverer(single, terms=terms)[0])

    record = await single.find(job_id)
    link, _, ticket = receiver.received[0].body["data"]["download_url"].partition("?ticket=")
    caller = caller_by_ticket(ticket, [TICKETS], now_ms=0)
    assert record is not None
    assert link.startswith("https://downloads.example.org/v1/download/jobs/")
    assert (caller.owner, caller.job_ids, caller.expires_at_ms) == (
        jobs.OWNER,
        frozenset({job_id}),
        record.expires_at_ms,
    )


async def test_while_secrets_change_a_receiver_is_content_with_either_and_another_owners_never(
    single: JobStore, receiver: Receiver
) -> None:
    await complete(single, receiver.url)

    await deliver(deliverer(single, terms=Terms(RULES, secrets=(NEW, OLD)))[0])

    [received] = receiver.received
    assert verified(received, OLD) == verified(received, NEW) == received.body
    with pytest.raises(Exception, match="No matching signature"):
        verified(received, OLD, owner="somebody-else")


async def test_admins_are_told_of_a_dead_letter_by_their_url_with_a_secret_that_no_owner_has(
    redis_url: str, receiver: Receiver
) -> None:
    async with running_store(redis_url, partitions=1) as store:
        store.tells_admins = True
        run = await jobs.fail(store)
        terms = Terms(CallbackRules(), secrets=(OLD,), admin_url=receiver.admin_url)

        await deliver(deliverer(store, terms=terms)[0])

        [received] = receiver.received
        assert verified(received, OLD, owner=ADMINS)["type"] == "dead_letter"
        assert (received.job_id, received.path) == (run.job_id, "/hooks/hunter2")
        assert received.headers["authorization"].startswith("Basic ")
        assert (await kept(store, run.job_id, for_admins=True)).state is CallbackState.DELIVERED


# ── a receiver that will not ──────────────────────────────────────────────────────────────────────────────────────────


async def test_a_receiver_that_is_down_for_a_day_is_told_when_it_is_back_with_the_same_id_and_body(
    single: JobStore, receiver: Receiver
) -> None:
    job_id = await complete(single, receiver.url)
    began_ms = await due_at_ms(single)
    receiver.answer = lambda _: 503
    one, metrics = deliverer(single)

    while (at_ms := await due_at_ms(single)) < began_ms + DAY_MS:
        assert await deliver(one, now_ms=at_ms - 1) == 0
        assert await deliver(one, now_ms=at_ms) == 1
    receiver.answer = lambda _: 204
    await deliver(one, now_ms=at_ms)

    assert len(receiver.received) == len(metrics.receptions) > 5
    assert len({received.webhook_id for received in receiver.received}) == 1
    assert len({received.raw for received in receiver.received}) == 1
    callback = await kept(single, job_id)
    assert (callback.state, callback.attempt) == (CallbackState.DELIVERED, len(receiver.received))
    assert [one_try.status for one_try in callback.tries] == [503] * (len(receiver.received) - 1) + [204]


async def test_a_receiver_that_never_takes_it_is_given_up_after_three_days_and_told_when_asked_for(
    single: JobStore, receiver: Receiver
) -> None:
    job_id = await complete(single, receiver.url)
    began_ms = at_ms = await due_at_ms(single)
    receiver.answer = lambda _: 500
    one, metrics = deliverer(single)

    with capture_logs() as lines:
        while (due := await Outbox(single).next_due_at_ms(0)) is not None:
            at_ms = due
            await deliver(one, now_ms=at_ms)

    assert len(receiver.received) == len(SCHEDULE_SECONDS)
    assert 3 * DAY_MS < at_ms - began_ms < 4 * DAY_MS
    assert (metrics.given_up, (await kept(single, job_id)).state) == (1, CallbackState.DEAD)
    [dead] = await Outbox(single).dead(0)
    assert (dead.job_id, dead.status, dead.reason) == (job_id, 500, "The receiver answered 500.")
    [given_up] = [line for line in lines if line["event"] == "callback given up"]
    assert (given_up["job_id"], given_up["receiver"], given_up["log_level"]) == (job_id, "127.0.0.1", "warning")
    assert "hunter2" not in str(lines)

    receiver.answer = lambda _: 200
    assert await Outbox(single).redeliver(job_id) is Redelivered.OK
    await deliver(one)
    assert (await kept(single, job_id)).state is CallbackState.DELIVERED
    assert len({received.webhook_id for received in receiver.received}) == 1


async def test_a_receiver_that_wants_no_more_is_not_asked_again(single: JobStore, receiver: Receiver) -> None:
    job_id = await complete(single, receiver.url)
    receiver.answer = lambda _: 410
    one, _ = deliverer(single)

    await deliver(one)

    assert await Outbox(single).next_due_at_ms(0) is None
    assert (await kept(single, job_id)).state is CallbackState.DEAD


async def test_a_receiver_may_ask_for_a_pause_and_gets_no_longer_one_than_a_day(
    single: JobStore, receiver: Receiver
) -> None:
    job_id = await complete(single, receiver.url)
    began_ms = await due_at_ms(single)
    receiver.answer = lambda _: 429
    one, _ = deliverer(single)

    for asked, least_ms in (("3600", 3_600_000), (str(10**9), DAY_MS)):
        receiver.headers = {"Retry-After": asked}
        await deliver(one, now_ms=began_ms)
        pause_ms = await due_at_ms(single) - began_ms
        assert least_ms <= pause_ms <= least_ms * 1.25
        began_ms += pause_ms

    assert [one_try.status for one_try in (await kept(single, job_id)).tries] == [429, 429]


@pytest.mark.parametrize(
    "asked", [f"Mon, 01 Jan 2024 00:00:00 +{'9' * 20}", f"Mon, 01 Jan {'9' * 20} 00:00:00 GMT", "9" * 400]
)
async def test_no_pause_that_a_receiver_asks_for_keeps_a_try_from_counting(
    single: JobStore, receiver: Receiver, asked: str
) -> None:
    job_id = await complete(single, receiver.url)
    receiver.answer = lambda _: 503
    receiver.headers = {"Retry-After": asked}

    await deliver(deliverer(single)[0])

    assert [one_try.status for one_try in (await kept(single, job_id)).tries] == [503]


async def test_a_mistake_in_judging_an_answer_is_a_try_that_counts(
    single: JobStore, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = await complete(single, receiver.url)

    def breaking(reception: Reception, **more: Any) -> Verdict:
        if reception.trouble is None:
            raise ValueError("a mistake of ours")
        return after_try(reception, **more)

    monkeypatch.setattr("processor.callbacks.deliverer.after_try", breaking)
    await deliver(deliverer(single)[0])

    callback = await kept(single, job_id)
    assert (callback.state, callback.attempt) == (CallbackState.WAITING, 1)
    assert callback.tries[0].error == "Something went wrong on our side."


async def test_a_path_arrives_byte_by_byte_as_it_was_given(single: JobStore, receiver: Receiver) -> None:
    path = "/h%2fx/%7Ea/./b/../c%20d?q=%2F&e=1+2&f="
    await complete(single, receiver.url.replace("/hooks/hunter2", path))

    await deliver(deliverer(single)[0])

    assert [received.path for received in receiver.received] == [path]


async def test_a_redirect_is_not_followed_and_no_success(single: JobStore, receiver: Receiver) -> None:
    job_id = await complete(single, receiver.url)
    receiver.answer = lambda _: 307
    receiver.headers = {"Location": "/elsewhere"}

    await deliver(deliverer(single)[0])

    assert [received.path for received in receiver.received] == ["/hooks/hunter2"]
    [told] = (await kept(single, job_id)).tries
    assert (told.status, told.error) == (307, "The receiver answered 307, a redirect, which is not followed.")


async def test_what_the_owner_is_told_of_a_refused_address_is_not_the_address(single: JobStore) -> None:
    job_id = await complete(single, "http://inside.example.org/hook")

    class Slow(MappedNames):
        def look_up(self, host: str) -> Sequence[str]:
            time.sleep(0.01)  # as a name server does
            return super().look_up(host)

    one, _ = deliverer(single, names=Slow({"inside.example.org": [["10.0.0.1"]]}))

    with capture_logs() as lines:
        await deliver(one)

    [told] = (await kept(single, job_id)).tries
    assert told.error == "The URL's host leads to no address that callbacks go to."
    assert told.duration_ms == 0  # it would say whether there is such a name in our network
    [line] = [line for line in lines if line["event"] == "callback not delivered yet"]
    assert "10.0.0.1, a private address" in line["trouble"]


async def test_a_url_that_the_rules_refuse_by_now_is_tried_again_for_operators_may_allow_it(
    single: JobStore, receiver: Receiver
) -> None:
    job_id = await complete(single, receiver.url)

    await deliver(deliverer(single, terms=Terms(RULES._replace(takes_http=False)))[0])

    callback = await kept(single, job_id)
    assert (callback.state, receiver.received) == (CallbackState.WAITING, [])
    assert callback.tries[0].error == "The URL is not one that callbacks go to."


async def test_admins_that_this_processor_does_not_know_are_told_by_another(redis_url: str, receiver: Receiver) -> None:
    async with running_store(redis_url, partitions=1) as store:
        store.tells_admins = True
        await jobs.fail(store)

        await deliver(deliverer(store)[0])
        terms = Terms(RULES, admin_url=receiver.admin_url)
        await deliver(deliverer(store, terms=terms)[0], now_ms=await due_at_ms(store))

    assert len(receiver.received) == 1


# ── many of them ──────────────────────────────────────────────────────────────────────────────────────────────────────


class Gate:
    """A receiver that holds back its answers until it is opened, and counts those that wait."""

    def __init__(self) -> None:
        self.waiting = 0
        self._open = asyncio.Event()
        self._changed = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """Give its URL."""
        talks: set[asyncio.Task[None] | None] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            talks.add(asyncio.current_task())
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                await reader.readuntil(b"\r\n\r\n")
                async with self._changed:
                    self.waiting += 1
                    self._changed.notify_all()
                await self._open.wait()
                writer.write(b"HTTP/1.1 204 X\r\n\r\n")
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            self._open.set()
            await asyncio.gather(*(task for task in talks if task is not None))

    async def reach(self, count: int) -> None:
        """Wait until so many have come."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._changed:
            await self._changed.wait_for(lambda: self.waiting >= count)

    def open(self) -> None:
        """Answer all, and those to come."""
        self._open.set()


async def test_a_slow_receiver_has_a_few_calls_at_once_and_holds_up_nobody_else(
    single: JobStore, receiver: Receiver
) -> None:
    gate = Gate()
    one, _ = deliverer(single)
    async with gate.listening() as slow_url:
        slow = [await complete(single, slow_url) for _ in range(limits.CALLBACKS_PER_OWNER_AND_HOST_AT_ONCE + 3)]
        other = await complete(single, receiver.url.replace("127.0.0.1", "localhost"))
        networks = (ip_network("127.0.0.0/8"), ip_network("::1"))
        one, _ = deliverer(single, terms=Terms(RULES._replace(networks=networks, hosts=("localhost",))))
        async with asyncio.TaskGroup() as group:
            await one.look(group)
            await gate.reach(limits.CALLBACKS_PER_OWNER_AND_HOST_AT_ONCE)
            await asyncio.to_thread(receiver.wait_for, 1)
            assert receiver.received[0].job_id == other
            gate.open()

        callbacks = [await kept(single, job_id) for job_id in slow]
        assert [c.state for c in callbacks].count(
            CallbackState.DELIVERED
        ) == limits.CALLBACKS_PER_OWNER_AND_HOST_AT_ONCE
        put_off = [c for c in callbacks if c.state is CallbackState.WAITING]
        assert [(c.attempt, c.tries) for c in put_off] == [(0, ())] * 3
        while (at_ms := await Outbox(single).next_due_at_ms(0)) is not None:
            await deliver(one, now_ms=at_ms)
        assert {(await kept(single, job_id)).state for job_id in slow} == {CallbackState.DELIVERED}


async def test_one_owner_cannot_take_all_places_by_many_names(single: JobStore) -> None:
    gate = Gate()
    rules = RULES._replace(hosts=("*.example.org",))
    count = limits.CALLBACKS_PER_OWNER_AT_ONCE + 4
    names = MappedNames({f"h{number}.example.org": [["127.0.0.1"]] for number in range(count)})
    one, _ = deliverer(single, terms=Terms(rules), names=names)
    async with gate.listening() as url:
        for number in range(count):
            await complete(single, url.replace("127.0.0.1", f"h{number}.example.org"))
        async with asyncio.TaskGroup() as group:
            await one.look(group)
            await gate.reach(limits.CALLBACKS_PER_OWNER_AT_ONCE)
            gate.open()

    counts = await Outbox(single).counts(0)
    assert (gate.waiting, counts.waiting) == (limits.CALLBACKS_PER_OWNER_AT_ONCE, 4)


async def test_two_owners_whose_receivers_are_slow_keep_neither_a_third_nor_the_admins_waiting(
    redis_url: str, receiver: Receiver
) -> None:
    gate = Gate()
    hosts = [f"h{number}.example.org" for number in range(40)]
    names = MappedNames({host: [["127.0.0.1"]] for host in hosts})
    async with running_store(redis_url, partitions=1) as store, gate.listening() as url:
        store.tells_admins = True
        for owner in ("mallory", "marvin"):
            for host in hosts[:20]:
                await complete(store, url.replace("127.0.0.1", host), owner=owner)
        # The admins are told of a job of the one who has no place left.
        failed = (await jobs.fail(store, owner="mallory")).job_id
        other = await complete(store, receiver.url.replace("127.0.0.1", hosts[39]), owner="anna")
        terms = Terms(RULES._replace(hosts=("*.example.org",)), admin_url=receiver.admin_url)
        one, metrics = deliverer(store, terms=terms, names=names)
        async with delivering(one):
            await asyncio.to_thread(receiver.wait_for, 2)
            was_waiting, tried = gate.waiting, list(metrics.receptions)
            gate.open()

        assert not [one_try for one_try in tried if one_try.trouble]  # before a place was free by a slow one's failure
        assert {received.job_id for received in receiver.received} == {failed, other}
        assert was_waiting > limits.CALLBACKS_PER_OWNER_AT_ONCE


async def test_admins_are_told_although_all_places_are_taken(redis_url: str, receiver: Receiver) -> None:
    gate = Gate()
    hosts = [f"h{number}.example.org" for number in range(limits.CALLBACKS_AT_ONCE)]
    names = MappedNames({host: [["127.0.0.1"]] for host in hosts})
    async with running_store(redis_url, partitions=1) as store, gate.listening() as url:
        store.tells_admins = True
        terms = Terms(RULES._replace(hosts=("*.example.org",)), admin_url=receiver.admin_url)
        one, metrics = deliverer(store, terms=terms, names=names)
        async with delivering(one):
            for number, host in enumerate(hosts):
                await complete(store, url.replace("127.0.0.1", host), owner=f"owner{number}")
            one.wake()
            await gate.reach(limits.CALLBACKS_AT_ONCE)
            failed = (await jobs.fail(store)).job_id
            await asyncio.to_thread(receiver.wait_for, 1)
            tried = list(metrics.receptions)
            gate.open()

        assert not [one_try for one_try in tried if one_try.trouble]
        assert [received.job_id for received in receiver.received] == [failed]


async def test_the_admins_host_is_looked_up_in_the_threads_for_callbacks(redis_url: str, receiver: Receiver) -> None:
    async with running_store(redis_url, partitions=1) as store:
        store.tells_admins = True
        await jobs.fail(store)
        admin_url = receiver.admin_url.replace("127.0.0.1", "admins.example.org")
        names = MappedNames({"admins.example.org": [["127.0.0.1"]]})

        await deliver(deliverer(store, terms=Terms(CallbackRules(), admin_url=admin_url), names=names)[0])

    assert len(receiver.received) == 1


async def test_a_word_of_a_new_end_begins_its_delivery_and_many_are_delivered_by_one_loop(
    store: JobStore, receiver: Receiver
) -> None:
    one, _ = deliverer(store)
    async with delivering(one):
        for _ in range(40):
            await complete(store, receiver.url)
            one.wake()
        await asyncio.to_thread(receiver.wait_for, 40)

    assert len({received.job_id for received in receiver.received}) == 40


# ── stopping, dying ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_who_stops_lets_calls_under_way_end_and_takes_nothing_more(single: JobStore) -> None:
    gate = Gate()
    async with gate.listening() as url:
        job_id = await complete(single, url)
        one, _ = deliverer(single)
        going = asyncio.create_task(one.run())
        await gate.reach(1)

        one.stop()
        later = await complete(single, url)
        gate.open()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await going

        assert (await kept(single, job_id)).state is CallbackState.DELIVERED
        assert (await kept(single, later)).attempt == 0


async def test_what_was_taken_while_it_was_told_to_stop_is_handed_back_at_once(
    single: JobStore, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = await complete(single, receiver.url)
    one, _ = deliverer(single)
    take = Outbox.take

    async def slow_take(*its: Any, **more: Any) -> Any:
        taken = await take(*its, **more)
        one.stop()
        return taken

    monkeypatch.setattr(Outbox, "take", slow_take)
    assert await deliver(one) == 1

    callback = await kept(single, job_id)
    assert (callback.state, callback.attempt, receiver.received) == (CallbackState.WAITING, 0, [])


async def test_who_has_to_stop_at_once_hands_back_uncounted_and_another_tells_it_with_the_same_id(
    single: JobStore, receiver: Receiver
) -> None:
    gate = Gate()
    async with gate.listening() as url:
        job_id = await complete(single, url)
        one, _ = deliverer(single)
        going = asyncio.create_task(one.run())
        await gate.reach(1)

        one.stop()
        one.hurry()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await going

        callback = await kept(single, job_id)
        assert (callback.state, callback.attempt) == (CallbackState.WAITING, 0)
        gate.open()
        await deliver(deliverer(single, processor="p2")[0])
        assert (gate.waiting, (await kept(single, job_id)).state) == (2, CallbackState.DELIVERED)


async def test_a_try_of_a_deliverer_that_died_is_made_again_when_its_lease_has_run_out(
    single: JobStore, receiver: Receiver
) -> None:
    job_id = await complete(single, receiver.url)
    now_ms = await due_at_ms(single)
    await Outbox(single).take(0, "dead", lease_ms=limits.CALLBACK_LEASE_MS, count=1, now_ms=now_ms)
    one, _ = deliverer(single)

    early = await deliver(one, now_ms=now_ms + limits.CALLBACK_LEASE_MS - 1)
    late = await deliver(one, now_ms=now_ms + limits.CALLBACK_LEASE_MS)

    assert (early, late, len(receiver.received)) == (0, 1, 1)
    assert (await kept(single, job_id)).attempt == 1  # the try of which nobody came back to tell is none


async def test_a_callback_with_which_every_deliverer_dies_is_given_up_and_can_be_asked_for_anew(
    single: JobStore, receiver: Receiver
) -> None:
    job_id = await complete(single, receiver.url)
    one, metrics = deliverer(single)
    for _ in range(limits.CALLBACK_DELIVERERS_LOST):
        at_ms = await due_at_ms(single)
        assert await Outbox(single).take(0, "dead", lease_ms=limits.CALLBACK_LEASE_MS, count=1, now_ms=at_ms)

    await deliver(one, now_ms=await due_at_ms(single))

    callback = await kept(single, job_id)
    assert (callback.state, metrics.given_up, receiver.received) == (CallbackState.DEAD, 1, [])
    assert callback.tries[-1].error == "Something went wrong on our side."
    assert await Outbox(single).redeliver(job_id) is Redelivered.OK
    await deliver(one)
    assert (await kept(single, job_id)).state is CallbackState.DELIVERED


async def test_deliverers_that_died_before_a_try_ended_are_forgotten_with_it(
    single: JobStore, receiver: Receiver
) -> None:
    job_id = await complete(single, receiver.url)
    receiver.answer = lambda _: 503
    one, _ = deliverer(single)
    for _ in range(2):
        for _ in range(limits.CALLBACK_DELIVERERS_LOST - 1):
            at_ms = await due_at_ms(single)
            assert await Outbox(single).take(0, "dead", lease_ms=limits.CALLBACK_LEASE_MS, count=1, now_ms=at_ms)
        await deliver(one, now_ms=await due_at_ms(single))

    callback = await kept(single, job_id)
    assert (callback.state, callback.attempt, len(receiver.received)) == (CallbackState.WAITING, 2, 2)


async def test_what_never_finds_a_place_is_given_up_in_the_end_and_what_finds_one_is_told_however_late(
    single: JobStore,
) -> None:
    gate = Gate()
    one, _ = deliverer(single)
    count = limits.CALLBACKS_PER_OWNER_AND_HOST_AT_ONCE
    async with gate.listening() as url:
        ids = [await complete(single, url) for _ in range(2 * count)]
        at_ms = await due_at_ms(single) + 60_000
        await Outbox(single).take(0, "dead", lease_ms=0, count=2 * count, now_ms=at_ms)
        async with asyncio.TaskGroup() as group:
            await one.look(group, now_ms=at_ms + 5 * DAY_MS)
            await gate.reach(count)
            gate.open()

        callbacks = [await kept(single, job_id) for job_id in ids]
    states = [callback.state for callback in callbacks]
    assert (states.count(CallbackState.DELIVERED), states.count(CallbackState.DEAD)) == (count, count)
    assert {callback.tries[-1].error for callback in callbacks if callback.state is CallbackState.DEAD} == {
        "The callbacks before it took too long: its turn has not come."
    }


async def test_a_mistake_about_one_callback_is_logged_and_the_others_are_told(
    single: JobStore, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = await complete(single, receiver.url)
    whole = await complete(single, receiver.url)
    one, metrics = deliverer(single)
    send = Courier.send

    async def breaking(courier: Courier, url: str, body: bytes, **more: str) -> Reception:
        if broken.encode() in body:
            raise ValueError(f"a mistake of ours about {url}")
        return await send(courier, url, body, **more)

    monkeypatch.setattr(Courier, "send", breaking)
    with capture_logs() as lines:
        await deliver(one)

    assert [received.job_id for received in receiver.received] == [whole]
    assert (await kept(single, broken)).tries[0].error == "Something went wrong on our side."
    [line] = [line for line in lines if line["event"] == "delivering a callback broke"]
    assert (line["error"], line["places"][-1].partition(":")[0]) == ("ValueError", "test_deliverer.py")
    assert "hunter2" not in str(lines)
    assert len(metrics.receptions) == 2


async def test_what_cannot_be_read_is_set_aside_and_the_others_are_told(single: JobStore, receiver: Receiver) -> None:
    damaged = await complete(single, receiver.url)
    whole = await complete(single, receiver.url)
    await single.connection.execute("HSET", keys.callbacks(0, damaged), "1", "\x00 nothing")

    await deliver(deliverer(single)[0])

    assert [received.job_id for received in receiver.received] == [whole]
    assert (await kept(single, damaged)).state is CallbackState.WAITING


async def test_the_call_is_part_of_the_jobs_trace(
    single: JobStore, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("processor.callbacks.deliverer.tracer", TracerProvider().get_tracer("test"))
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    job = jobs.new_job(single, callback_url=receiver.url)
    await single.create(msgspec.structs.replace(job, traceparent=f"00-{trace_id}-00f067aa0ba902b7-01"))
    await jobs.cancel(single, job.job_id)

    await deliver(deliverer(single)[0])

    assert receiver.received[0].headers["traceparent"].split("-")[1] == trace_id
