"""Everything that Waybill does with Redis, once: what a user, a certificate or a set-up must let through."""

import asyncio
from typing import cast

import pytest

from shared.clock import now_ms
from shared.errors import RedisUnavailable
from shared.event_id import START
from shared.jobstore import keys
from shared.jobstore.api_key import ApiKey
from shared.jobstore.api_keys import ApiKeys, ListedKey
from shared.jobstore.callback import DeliveryOutcome
from shared.jobstore.consistency import Consistency
from shared.jobstore.damage import bury_damaged, bury_foreign
from shared.jobstore.dead_letters import Redriven
from shared.jobstore.fleet import Fleet, Sign
from shared.jobstore.idempotency import IdempotencyKeys
from shared.jobstore.in_flight import count_in_flight, count_waiting_callbacks
from shared.jobstore.inspection import Inspection, agreed_partitions
from shared.jobstore.lifetimes import Step
from shared.jobstore.line import read_line
from shared.jobstore.listing import list_jobs
from shared.jobstore.operations import Answer
from shared.jobstore.outbox import Outbox, Redelivered
from shared.jobstore.owner_limits import OwnerLimits
from shared.jobstore.reader import BlockingReader
from shared.jobstore.store import JobStore
from shared.limits import CALLBACK_UNREAD_PAUSE_MS
from tests.support import jobs
from tests.support.stores import running_commands, running_live

PATIENCE_SECONDS = 20.0


async def trouble_of(url: str) -> str:
    """Give what readiness would show: why there is no connection."""
    async with running_commands(url) as commands:
        with pytest.raises(RedisUnavailable):
            await commands.execute("PING")
        assert commands.healthy_since is None
        return commands.last_trouble


async def walk(store: JobStore, url: str) -> None:
    """Do everything once that Waybill does with Redis."""
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    reader = BlockingReader(store.connection, partition=0, processor="p1")
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        running_live(url, on_message=lambda _, data: heard.put_nowait(data)) as live,
    ):
        new = jobs.new_job(store)
        idempotency_keys = IdempotencyKeys(store.connection, keep_ms=jobs.RETENTION_MS)
        assert await idempotency_keys.find("anna", "k") is None
        assert (await idempotency_keys.reserve("anna", "k", job_id=new.job_id, fingerprint="f")).job_id == new.job_id
        await live.subscribe(store.live_channel(new.job_id))
        reading = asyncio.create_task(reader.read(most=1))
        await store.create(new)
        [entry] = await reading
        run = await jobs.claim(store, entry)
        assert await store.append_progress(run, seq=3, message=jobs.progress(0.5)) is Answer.OK
        assert await store.renew(run, processor="p1", lease_ms=jobs.LEASE_MS) is Answer.OK
        assert await jobs.keep(store, run) is Answer.OK
        await store.retry_later(run, message=jobs.RETRYING, error=jobs.BROKEN, delay_ms=0, lease_ms=jobs.LEASE_MS)
        await jobs.sweep(store, 0)
        run = await jobs.claim(store, await jobs.take(store, new.job_id))
        assert await store.release(run, message=jobs.RELEASED) is Answer.OK
        run = await jobs.take_over(store, await jobs.claim(store, await jobs.take(store, new.job_id)))
        assert await store.finish(run, jobs.completion()) is Answer.OK
        damaged = await jobs.take(store, await jobs.create(store))
        assert await bury_damaged(store, damaged, jobs.BROKEN, message=jobs.FAILED, terms=jobs.terms())
        await store.connection.execute("XADD", keys.commands(0), "*", "of", "nobody")
        foreign = (await store.take(0, processor="p1", most=1, in_hand=()))[0]
        assert await bury_foreign(store, foreign, jobs.BROKEN)
        letters = jobs.letters_of(store)
        failed = [await jobs.fail(store) for _ in range(3)]
        assert await jobs.redrive(store, failed[0]) is Redriven.OK
        run = await jobs.claim(store, await jobs.take(store, failed[0].job_id))
        assert await store.finish(run, jobs.completion()) is Answer.OK
        await letters.discard(await jobs.letter_of(store, failed[1].job_id))
        deleted, lifetimes = await jobs.create(store), jobs.lifetimes_of(store)
        assert await jobs.cancel(store, deleted, deletes=True) is not None
        assert await lifetimes.next_due(0, janitor="p1") == [deleted]
        assert (await lifetimes.expire(deleted, jobs.expiry_terms())).step is Step.TOMBSTONE
        await lifetimes.postpone(deleted, until_ms=jobs.EXPIRES_AT_MS)
        lost = await jobs.take(store, await jobs.create(store))
        await store.connection.execute("XDEL", keys.commands(0), lost.entry_id)
        consistency = Consistency(store.connection, partitions=1)
        found = [finding async for page in consistency.walk(0) for finding in page.findings]
        assert [await consistency.repair(finding) for finding in found] == [True]
        assert await jobs.cancel(store, lost.job_id) is not None
        assert await lifetimes.drop_consumers(0) == []
        assert await lifetimes.begin_archive_search(every_ms=jobs.LEASE_MS)
        await lifetimes.hasten_archive_search(within_ms=1)
        await lifetimes.permit_archive_deletion()
        assert await lifetimes.is_archive_deletion_permitted()
        await lifetimes.keep_archive_search_place("x")
        assert await lifetimes.archive_search_place() == "x"
        assert await lifetimes.known_object(deleted) == ("cancelled", None)
        left = await jobs.take(store, await jobs.create(store))
        await store.leave(0, processor="p1", in_hand=())
        assert await jobs.take(store, left.job_id) == left
        assert await agreed_partitions(store.connection) == 1
        looking = Inspection(store.connection)
        assert (await looking.queue(0)).has_group
        assert await looking.record(new.job_id)
        assert (await looking.log(new.job_id))[1]
        assert await looking.hold(new.job_id, "1-1") is None
        assert await looking.servers()
        api_keys, kept = ApiKeys(store.connection), ApiKey(owner="anna", scopes=("user",), digest="d", created_at_ms=1)
        await api_keys.add("k", kept)
        assert await api_keys.find("k") == kept
        assert await api_keys.list() == [ListedKey("k", kept)]
        assert await api_keys.revoke("k")
        limits = OwnerLimits(store.connection)
        assert (await limits.count_create("anna", "a create", most=2)).left == 1
        await limits.uncount_create("anna", "a create")
        assert await limits.hold_streams("anna", "a gateway", 1, most=1)
        assert await count_in_flight(store.connection, jobs.OWNER, [0]) == [1]
        outbox, telling = Outbox(store), JobStore(store.connection, partitions=1, tells_admins=True)
        for channel in outbox.wake_channels():
            await live.subscribe(channel)
        told = (await jobs.fail(telling, callback_url="https://example.org/hook")).job_id
        assert len(await outbox.take(0, "p1", lease_ms=0, count=10)) == 2
        callbacks, [callback] = keys.callbacks(0, told), await outbox.deliveries(told)
        carried = cast("bytes", await store.connection.execute("HGET", callbacks, callback.name.field))
        await store.connection.execute("HSET", callbacks, callback.name.field, "of another version")
        assert len(await outbox.take(0, "p1", lease_ms=0, count=10)) == 1
        await store.connection.execute("HSET", callbacks, callback.name.field, carried)
        [taken, admins] = await outbox.take(
            0, "p1", lease_ms=jobs.LEASE_MS, count=10, now_ms=now_ms() + 2 * CALLBACK_UNREAD_PAUSE_MS
        )
        assert await outbox.release(taken)
        [taken] = await outbox.take(0, "p1", lease_ms=jobs.LEASE_MS, count=10)
        outcome = DeliveryOutcome(at_ms=1, duration_ms=2, status=503)
        assert await outbox.try_again(taken, outcome, delay_ms=0)
        [taken] = await outbox.take(0, "p1", lease_ms=jobs.LEASE_MS, count=10)
        assert await outbox.give_up(taken, outcome)
        assert await outbox.delivered(admins, outcome)
        assert (await outbox.counts(0)).dead == len(await outbox.dead(0)) == 1
        assert await outbox.redeliver(told) is Redelivered.OK
        assert await count_waiting_callbacks(store.connection, jobs.OWNER, [0]) == [1]
        assert await outbox.next_due_at_ms(0) is not None
        assert len(await outbox.deliveries(told)) == 1
        assert [finding async for page in consistency.walk(0) for finding in page.findings] == []
        await jobs.letters_of(store).discard(await jobs.letter_of(store, told))
        fleet = Fleet(store.connection)
        await fleet.say("p1", Sign(slots=4, open_slots=4))
        assert [processor.name for processor in await fleet.processors()] == ["p1"]
        await fleet.leave("p1")
        assert (await read_line(store, 0)).times.mean_ms is not None

        log = await store.read_events(new.job_id, after=START, count=100)
        assert [await heard.get() for _ in log] == [b"%b %b" % (event_id.encode(), data) for event_id, data in log]
        live.unsubscribe(store.live_channel(new.job_id))
        assert await store.last_event(new.job_id) == log[-1]
        assert await store.find(new.job_id) is not None
        assert await store.owner_of(new.job_id) == jobs.OWNER
        assert (
            await list_jobs(store, jobs.OWNER, after=None, limit=1, is_wanted=lambda _: True)
        ).next_place is not None
        assert (await store.backlog(0)).dead_letters == 3
        waiting = asyncio.create_task(reader.read(most=1))
        while not waiting.done():
            await reader.interrupt()
            await asyncio.sleep(0.01)
        assert await waiting == []
        await reader.close()
        assert store.wake_channels() == [keys.wake(0)]
