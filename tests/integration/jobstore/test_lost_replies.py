"""Every operation of the store, its reply lost: Redis has done it, the connection sends it again, and nobody notices.

The same history is played twice, once undisturbed, once with the reply of its last operation lost on the way. The
caller must see the same outcome, and Redis hold the same. `OPERATIONS` has every script: a new one without its line
here is a failing test.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import NamedTuple, cast

import msgspec
import pytest

from shared import clock, limits
from shared.jobs import make_job_id
from shared.jobstore import keys, script
from shared.jobstore.callback import DeliveryOutcome, TakenCallback
from shared.jobstore.consistency import Consistency, Finding, Kind, Place, Sighting
from shared.jobstore.damage import bury_damaged, bury_foreign
from shared.jobstore.fleet import Fleet, Sign
from shared.jobstore.inspection import Inspection
from shared.jobstore.lifetimes import Step, Taken
from shared.jobstore.listing import list_jobs
from shared.jobstore.operations import Answer, Backlog, Bounds, CancelReply, Created, Entry, NotDue, Run
from shared.jobstore.outbox import Outbox
from shared.jobstore.owner_limits import OwnerLimits
from shared.jobstore.queue import Queue
from shared.jobstore.reader import BlockingReader
from shared.jobstore.record import as_words, encode_json
from shared.jobstore.store import JobStore
from tests.support import inspection, jobs
from tests.support.cluster import Server, nodes_of
from tests.support.proxy import FaultProxy
from tests.support.servers import empty
from tests.support.stores import ServerKind, running_store

DAY_MS = 86_400_000
HEARD = DeliveryOutcome(at_ms=1, duration_ms=30, status=204)
JOB_IDS = [make_job_id(0, number) for number in range(3)]


class Case(NamedTuple):
    """One operation in one situation: `prepare` gives what `operation` needs."""

    script: script.Script
    situation: str
    prepare: Callable[[JobStore], Awaitable[object]]
    operation: Callable[[JobStore, object], Awaitable[object]]

    def __str__(self) -> str:
        return f"{self.script.name}: {self.situation}"


# ── situations ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def nothing(_store: JobStore) -> None:
    """Nothing has happened yet."""


async def queued(store: JobStore) -> list[str]:
    """Three jobs wait, whose ends shall be told."""
    for job_id in JOB_IDS:
        await store.create(jobs.new_job(store, job_id=job_id, callback_url="https://example.org/hook"))
    return JOB_IDS


async def taken(store: JobStore) -> Entry:
    """A processor has the first job's entry in hand."""
    await queued(store)
    return (await store.take(0, processor="p1", most=1, in_hand=()))[0]


async def running(store: JobStore) -> Run:
    """The first job runs."""
    run = await store.claim(await taken(store), "token-1", jobs.terms())
    assert isinstance(run, Run)
    return run


async def swept_too_early(store: JobStore) -> Entry:
    """A running job's entry came to another processor."""
    run = await running(store)
    await jobs.sweep(store, 0, lease_ms=0)
    return (await store.take(0, processor="p2", most=1, in_hand=()))[0]._replace(job_id=run.job_id)


async def crashed(store: JobStore) -> Entry:
    """The run's lease is over, and its entry in another processor's hands."""
    run = await running(store)
    await jobs.lapse(store, run)
    return (await store.take(0, processor="p2", most=1, in_hand=()))[0]


async def crashed_once_too_often(store: JobStore) -> Entry:
    """Two runs have crashed already, and now the third."""
    entry = await crashed(store)
    for number in range(2, limits.MAX_CRASHES + 1):
        run = await store.claim(entry, f"token-{number}", jobs.terms())
        assert isinstance(run, Run)
        await jobs.lapse(store, run)
        [entry] = await store.take(0, processor="p2", most=1, in_hand=())
    return entry


async def ended(store: JobStore) -> Entry:
    """The job has ended while its entry was in somebody's hands."""
    run = await running(store)
    await store.finish(run, jobs.completion())
    return Entry(run.record.entry, run.job_id, 0)


async def handed_back_or_lost(store: JobStore) -> None:
    """One entry was released, two lie where a processor died."""
    run = await running(store)
    await store.take(0, processor="dead", most=2, in_hand=())
    await store.release(run, message=jobs.RELEASED)


async def holding_everything(store: JobStore) -> Entry:
    """A processor has the first job's entry in hand, was given the others' in vain, and sweeps."""
    entry = await taken(store)
    await store.take(0, processor="p1", most=2, in_hand=[entry.entry_id])
    await store.sweep(0, leader="p1", lease_ms=jobs.LEASE_MS, cursor="0-0")
    return entry


async def damaged(store: JobStore) -> Entry:
    """The job's record cannot be read."""
    entry = await taken(store)
    await store.connection.execute("HSET", keys.of_job(0, entry.job_id).record, "epoch", "many")
    return entry


async def foreign(store: JobStore) -> Entry:
    """An entry that names no job."""
    await store.connection.execute("XADD", keys.commands(0), "*", "something", "else")
    return (await store.take(0, processor="p1", most=1, in_hand=()))[0]


async def failed(store: JobStore) -> Run:
    """The job has failed for good."""
    run = await running(store)
    await store.finish(run, jobs.failure())
    return run


async def one_processor(store: JobStore) -> None:
    """A processor has given a sign of life."""
    await Fleet(store.connection).say("p1", Sign(slots=4, open_slots=0))


async def names_of_processors(store: JobStore, _situation: object) -> object:
    """List the processors, without how long each has been silent."""
    return [processor[:3] for processor in await Fleet(store.connection).processors()]


async def discard(store: JobStore, run: object) -> object:
    """Discard the letter that the failed job has."""
    assert isinstance(run, Run)
    await jobs.letters_of(store).discard(await jobs.letter_of(store, run.job_id))
    return None


async def asked_to_end(store: JobStore) -> Run:
    """The first job runs, and somebody wants it to end."""
    run = await running(store)
    await jobs.cancel(store, run.job_id)
    return run


async def parked_though_it_shall_end(store: JobStore) -> None:
    """A processor of an older version has parked a job that was asked to end, and the next claim does not come."""
    run = await running(store)
    await jobs.park_in_spite_of_a_wish(store, run)
    await store.connection.execute("ZADD", keys.expiry(0), 1, run.job_id)


async def crashed_after_it_was_asked(store: JobStore) -> Entry:
    """A job was asked to end, and its processor died."""
    await jobs.lapse(store, await asked_to_end(store))
    return (await store.take(0, processor="p2", most=1, in_hand=()))[0]


async def completed(store: JobStore) -> str:
    """The first job has its archive, for three days."""
    run = await running(store)
    expires_at_ms = clock.now_ms() + 3 * DAY_MS
    await store.finish(run, msgspec.structs.replace(jobs.completion(), expires_at_ms=expires_at_ms))
    return run.job_id


async def deleted(store: JobStore) -> str:
    """The job's archive was deleted by its owner."""
    job_id = await completed(store)
    await jobs.cancel(store, job_id, deletes=True)
    return job_id


async def gone(store: JobStore) -> None:
    """A processor has ended its job, and nothing is heard of it any more."""
    await ended(store)
    await asyncio.sleep(0.002)  # its idle time is what Redis' own clock says


async def drop_consumers(store: JobStore, _situation: object) -> None:
    """Remove who owns nothing; who repeats it is not told of them again."""
    await store.connection.run_script(script.DROP_CONSUMERS, [keys.commands(0)], 1, 10)


async def lost_from_sight(store: JobStore) -> None:
    """The first job waits, and has no entry."""
    entry = await taken(store)
    await store.connection.execute("XACK", keys.commands(0), keys.GROUP, entry.entry_id)
    await store.connection.execute("XDEL", keys.commands(0), entry.entry_id)


async def give_entry(store: JobStore, _situation: object) -> None:
    """Give the first job a new entry; that it has one already is as good."""
    finding = Finding(Kind.RECORD_WITHOUT_ENTRY, Sighting(JOB_IDS[0], Place.RECORD))
    await Consistency(store.connection, partitions=1).repair(finding)


def cancel(*, deletes: bool = False) -> Callable[[JobStore, object], Awaitable[object]]:
    """Make a wish to end the first job."""
    return lambda store, _situation: jobs.cancel(store, JOB_IDS[0], deletes=deletes)


async def cancelled_with_an_upload(store: JobStore) -> str:
    """The first job was cancelled between two runs, and its upload is still open."""
    run = await running(store)
    await jobs.keep(store, run)
    await store.release(run, message=jobs.RELEASED)
    await jobs.cancel(store, run.job_id)
    return run.job_id


def expire(
    step: Step, *, days: int, deletes: bool = False, aborts: bool = False
) -> Callable[[JobStore, object], Awaitable[object]]:
    """Make the janitor's step with the first job, which is this one, some days from now."""
    deleted_key = str(jobs.completion().object_key) if deletes else ""
    aborted = encode_json(jobs.CHECKPOINT) if aborts else b""

    async def operate(store: JobStore, _situation: object) -> object:
        at_ms = clock.now_ms() + days * DAY_MS
        taken = await jobs.lifetimes_of(store).expire(
            JOB_IDS[0], jobs.expiry_terms(), deleted_key=deleted_key, aborted=aborted, now_ms=at_ms
        )
        assert taken.step in (step, Step.NOT_YET)
        return taken

    return operate


# ── operations ────────────────────────────────────────────────────────────────────────────────────────────────────────


def on_run(operation: Callable[[JobStore, Run], Awaitable[object]]) -> Callable[[JobStore, object], Awaitable[object]]:
    """Make an operation on the run that is going on."""

    async def operate(store: JobStore, run: object) -> object:
        assert isinstance(run, Run)
        return await operation(store, run)

    return operate


def on_entry(
    operation: Callable[[JobStore, Entry], Awaitable[object]],
) -> Callable[[JobStore, object], Awaitable[object]]:
    """Make an operation on the entry that is in hand."""

    async def operate(store: JobStore, entry: object) -> object:
        assert isinstance(entry, Entry)
        return await operation(store, entry)

    return operate


claim = on_entry(lambda store, entry: store.claim(entry, "token-new", jobs.terms("p2")))


async def leave(store: JobStore, situation: object) -> None:
    """Give up all but the entry in hand."""
    await store.leave(0, processor="p1", in_hand=[cast(Entry, situation).entry_id])


async def sweep(store: JobStore, _situation: object) -> object:
    """Sweep, again after an outage: it is the one operation that its caller repeats, because it must not come late."""
    return await jobs.insist(lambda: store.sweep(0, leader="s1", lease_ms=0, cursor="0-0")) and None


async def looked_at(store: JobStore) -> Queue:
    """Look at the command stream; how long ago its processors were heard of is another time at each look."""
    queue = await Inspection(store.connection).queue(0)
    return msgspec.structs.replace(queue, holders=tuple(holder._replace(idle_ms=0) for holder in queue.holders))


def create_within(most: int) -> Callable[[JobStore, object], Awaitable[object]]:
    """Create a job if its owner then has no more than these."""
    new_id = make_job_id(0, len(JOB_IDS))
    return lambda store, _: store.create_within(jobs.new_job(store, job_id=new_id), Bounds(in_flight=most))


async def one_create(store: JobStore) -> None:
    """An owner has created something within the last minute."""
    await OwnerLimits(store.connection).count_create("anna", "a create", most=2)


def count_create(most: int) -> Callable[[JobStore, object], Awaitable[object]]:
    """Count another one."""

    async def count(store: JobStore, _situation: object) -> object:
        return (await OwnerLimits(store.connection).count_create("anna", "another", most=most))[:2]

    return count


async def one_stream(store: JobStore) -> None:
    """An owner has a stream open on one gateway."""
    await OwnerLimits(store.connection).hold_streams("anna", "g1", 1)


def hold_streams(most: int) -> Callable[[JobStore, object], Awaitable[object]]:
    """Open one on another gateway."""
    return lambda store, _: OwnerLimits(store.connection).hold_streams("anna", "g2", 1, most=most)


async def callback_in_hand(store: JobStore) -> TakenCallback:
    """The first job's callback is being delivered, for the first time."""
    await completed(store)
    [taken] = await Outbox(store).take(0, "p1", lease_ms=jobs.LEASE_MS, count=10)
    return taken


async def callback_told(store: JobStore) -> TakenCallback:
    """The first job's callback was delivered."""
    taken = await callback_in_hand(store)
    await Outbox(store).delivered(taken, HEARD)
    return taken


async def take_callback(store: JobStore, _situation: object) -> object:
    """Take the first job's callback, as Outbox.take does with each that is due."""
    names = keys.of_job(0, JOB_IDS[0])
    reply = await store.connection.run_script(
        script.TAKE_CALLBACK, names, JOB_IDS[0], "1", "token", jobs.LEASE_MS, clock.now_ms() + DAY_MS
    )
    assert isinstance(reply, list)
    return reply[:8]  # without the time since its first take, which is another one at each


def on_callback(
    operation: Callable[[Outbox, TakenCallback], Awaitable[object]],
) -> Callable[[JobStore, object], Awaitable[object]]:
    """Make an operation on the callback that is in hand."""

    async def operate(store: JobStore, taken: object) -> object:
        assert isinstance(taken, TakenCallback)
        return await operation(Outbox(store), taken)

    return operate


async def set_aside(store: JobStore, taken: object) -> object:
    """Leave the first job's callback to a deliverer who can read it, as Outbox.take does."""
    assert isinstance(taken, TakenCallback)
    names = keys.of_job(0, JOB_IDS[0])
    reply = await store.connection.run_script(
        script.SET_ASIDE_CALLBACK, names, JOB_IDS[0], "1", taken.token, 1_000, "", DAY_MS
    )
    return as_words(reply)[0] != "STALE"


OPERATIONS = [
    Case(script.PARTITIONS, "at the start", nothing, lambda store, _: store.prepare()),
    Case(
        script.CREATE_GROUP,
        "at the start",
        nothing,
        lambda store, _: store.connection.run_script(script.CREATE_GROUP, [keys.commands(0)]),
    ),
    Case(script.CREATE, "a new job", nothing, lambda store, _: store.create(jobs.new_job(store, job_id=JOB_IDS[0]))),
    Case(script.TAKE, "new jobs", queued, lambda store, _: store.take(0, processor="p1", most=2, in_hand=())),
    Case(
        script.TAKE,
        "a job that was handed back",
        handed_back_or_lost,
        lambda store, _: store.take(0, processor="p2", most=2, in_hand=()),
    ),
    Case(script.CLAIM, "a new job", taken, claim),
    Case(script.CLAIM, "a job that crashed", crashed, claim),
    Case(script.CLAIM, "a job that crashed too often", crashed_once_too_often, claim),
    Case(script.CLAIM, "a job that runs", swept_too_early, claim),
    Case(script.CLAIM, "a job that has ended", ended, claim),
    Case(script.CLAIM, "a job that cannot be read", damaged, claim),
    Case(
        script.APPEND_PROGRESS,
        "the next event",
        running,
        on_run(lambda store, run: store.append_progress(run, seq=3, message=jobs.progress(0.5))),
    ),
    Case(
        script.APPEND_PROGRESS,
        "beyond a hole",
        running,
        on_run(lambda store, run: store.append_progress(run, seq=9, message=jobs.progress(0.5))),
    ),
    Case(
        script.RENEW,
        "a lease",
        running,
        on_run(lambda store, run: store.renew(run, processor="p1", lease_ms=jobs.LEASE_MS)),
    ),
    Case(script.RENEW, "a checkpoint", running, on_run(jobs.keep)),
    Case(
        script.RETRY_LATER,
        "a failed run",
        running,
        on_run(
            lambda store, run: store.retry_later(
                run, message=jobs.RETRYING, error=jobs.BROKEN, delay_ms=5_000, lease_ms=jobs.LEASE_MS
            )
        ),
    ),
    Case(
        script.RETRY_LATER,
        "a failed run of a job that shall end",
        asked_to_end,
        on_run(
            lambda store, run: store.retry_later(
                run, message=jobs.RETRYING, error=jobs.BROKEN, delay_ms=5_000, lease_ms=jobs.LEASE_MS
            )
        ),
    ),
    Case(script.RELEASE, "a run", running, on_run(lambda store, run: store.release(run, message=jobs.RELEASED))),
    Case(
        script.RELEASE,
        "a run of a job that shall end",
        asked_to_end,
        on_run(lambda store, run: store.release(run, message=jobs.RELEASED)),
    ),
    Case(script.FINISH, "completed", running, on_run(lambda store, run: store.finish(run, jobs.completion()))),
    Case(script.FINISH, "failed", running, on_run(lambda store, run: store.finish(run, jobs.failure()))),
    Case(script.SWEEP, "entries that were left", handed_back_or_lost, sweep),
    Case(script.LEAVE, "entries that were not claimed", holding_everything, leave),
    Case(script.BACKLOG, "some jobs", handed_back_or_lost, lambda store, _: counted(store)),
    Case(script.LOOK, "some jobs", handed_back_or_lost, lambda store, _: looked_at(store)),
    Case(
        script.BURY_DAMAGED,
        "a job that cannot be read",
        damaged,
        on_entry(lambda store, entry: bury_damaged(store, entry, jobs.BROKEN, message=jobs.FAILED, terms=jobs.terms())),
    ),
    Case(
        script.BURY_FOREIGN,
        "an entry of somebody else",
        foreign,
        on_entry(lambda store, entry: bury_foreign(store, entry, jobs.BROKEN)),
    ),
    Case(
        script.REDRIVE,
        "a failed job",
        failed,
        on_run(jobs.redrive),
    ),
    Case(script.DISCARD, "a letter", failed, discard),
    Case(
        script.SIGN_OF_LIFE,
        "of a processor",
        nothing,
        lambda store, _: Fleet(store.connection).say("p1", Sign(slots=4, open_slots=4)),
    ),
    Case(script.PROCESSORS, "one that lives", one_processor, names_of_processors),
    Case(script.CLAIM, "a job that shall end", crashed_after_it_was_asked, claim),
    Case(
        script.RENEW,
        "a lease of a job that shall end",
        asked_to_end,
        on_run(lambda store, run: store.renew(run, processor="p1", lease_ms=jobs.LEASE_MS)),
    ),
    Case(script.FINISH, "cancelled", asked_to_end, on_run(lambda store, run: store.finish(run, jobs.cancellation()))),
    Case(script.CANCEL, "a job that waits", queued, cancel()),
    Case(script.CANCEL, "a job that runs", running, cancel()),
    Case(script.CANCEL, "a job that has ended", completed, cancel()),
    Case(script.CANCEL, "and delete a job that waits", queued, cancel(deletes=True)),
    Case(script.CANCEL, "and delete a job that has ended", completed, cancel(deletes=True)),
    Case(
        script.NEXT_DUE, "a deleted job", deleted, lambda store, _: jobs.lifetimes_of(store).next_due(0, janitor="p1")
    ),
    Case(script.EXPIRE, "a job that waits too long", queued, expire(Step.EXPIRED, days=2)),
    Case(script.EXPIRE, "a job that shall end", parked_though_it_shall_end, expire(Step.CANCELLED, days=1)),
    Case(script.EXPIRE, "a job that runs", running, expire(Step.NOT_YET, days=2)),
    Case(script.EXPIRE, "a log that is trimmed", completed, expire(Step.TRIMMED, days=1)),
    Case(script.EXPIRE, "an upload that must go", cancelled_with_an_upload, expire(Step.ABORT, days=1)),
    Case(script.EXPIRE, "an upload that is gone", cancelled_with_an_upload, expire(Step.TRIMMED, days=1, aborts=True)),
    Case(script.EXPIRE, "an archive that must go", completed, expire(Step.DELETE, days=4)),
    Case(script.EXPIRE, "a tombstone", completed, expire(Step.TOMBSTONE, days=3, deletes=True)),
    Case(
        script.LIST_OWNER,
        "three jobs",
        queued,
        lambda store, _: list_jobs(store, jobs.OWNER, after=None, limit=2, is_wanted=lambda _: True),
    ),
    Case(script.EXPIRE, "a job to forget", completed, expire(Step.FORGOTTEN, days=5, deletes=True)),
    Case(script.DROP_CONSUMERS, "a processor that is gone", gone, drop_consumers),
    Case(script.REPAIR, "a job that lost its entry", lost_from_sight, give_entry),
    Case(script.CREATE, "a job within its bounds", queued, create_within(4)),
    Case(script.CREATE, "a job beyond its bounds", queued, create_within(3)),
    Case(script.COUNT_CREATE, "the last one that there is room for", one_create, count_create(2)),
    Case(script.COUNT_CREATE, "one too many", one_create, count_create(1)),
    Case(script.HOLD_STREAMS, "the last one that there is room for", one_stream, hold_streams(2)),
    Case(script.HOLD_STREAMS, "one too many", one_stream, hold_streams(1)),
    Case(
        script.DUE_CALLBACKS,
        "an end that was not told",
        completed,
        lambda store, _: store.connection.run_script(script.DUE_CALLBACKS, [keys.outbox(0)], "", 10),
    ),
    Case(script.TAKE_CALLBACK, "an end that was not told", completed, take_callback),
    Case(script.TAKE_CALLBACK, "in somebody's hands", callback_in_hand, take_callback),
    Case(script.TAKE_CALLBACK, "told already", callback_told, take_callback),
    Case(
        script.POSTPONE_CALLBACK,
        "a try that failed",
        callback_in_hand,
        on_callback(lambda outbox, taken: outbox.try_again(taken, HEARD, delay_ms=5_000)),
    ),
    Case(
        script.POSTPONE_CALLBACK,
        "a try that was not made",
        callback_in_hand,
        on_callback(lambda outbox, taken: outbox.release(taken)),
    ),
    Case(
        script.SET_ASIDE_CALLBACK,
        "it could not be read",
        callback_in_hand,
        set_aside,
    ),
    Case(
        script.SETTLE_CALLBACK,
        "it was told",
        callback_in_hand,
        on_callback(lambda outbox, taken: outbox.delivered(taken, HEARD)),
    ),
    Case(
        script.SETTLE_CALLBACK,
        "it is given up",
        callback_in_hand,
        on_callback(lambda outbox, taken: outbox.give_up(taken, HEARD)),
    ),
    Case(
        script.SETTLE_CALLBACK,
        "it is given up untried",
        callback_in_hand,
        on_callback(lambda outbox, taken: outbox.give_up_untried(taken, "It was nobody's turn.")),
    ),
    Case(
        script.REDELIVER,
        "told already",
        callback_told,
        on_callback(lambda outbox, taken: outbox.redeliver(taken.name.job_id)),
    ),
    Case(script.COUNT_CALLBACKS, "some", callback_in_hand, lambda store, _: Outbox(store).counts(0)),
]


# ── the same twice ────────────────────────────────────────────────────────────────────────────────────────────────────


class Played(NamedTuple):
    """What the caller saw and what Redis held afterwards, without what differs between any two histories: times."""

    outcome: str
    kept: dict[str, str]


async def counted(store: JobStore) -> Backlog:
    """Count a partition's jobs, without the ages of the oldest."""
    return (await store.backlog(0))._replace(oldest_waiting_ms=0, oldest_unfinished_ms=0)


async def play(case: Case, server: Server, *, loses_reply: bool) -> Played:
    """Play a history on an empty server, up to its last operation."""
    empty(server)
    async with FaultProxy(nodes_of(server)[0].port).listening() as wire, running_store(wire.url, partitions=1) as store:
        store.tells_admins = True
        situation = await case.prepare(store)
        if loses_reply:
            wire.lose_next_reply()
        outcome = await case.operation(store, situation)
        assert wire.lost_replies == loses_reply
        kept = await inspection.everything(store.connection)
    return Played(timeless(seen(outcome)), {key: timeless(value) for key, value in kept.items()})


def seen(outcome: object) -> object:
    """Give what a caller makes of an outcome: the word for a repetition means success, like the first one."""
    match outcome:
        case Answer.DUP | Answer.DONE:
            return Answer.OK
        case Created():
            return outcome._replace(is_new=True)
        case NotDue():
            return NotDue
        case CancelReply():
            return outcome._replace(ends_now=True)
        case Taken(Step.CANCELLED | Step.TRIMMED | Step.TOMBSTONE):
            return Taken(Step.NOT_YET)
    return outcome


def timeless(value: object) -> str:
    """Write a value without what differs: milliseconds since 1970, entry ids, how long a run took, random tokens."""
    without_times = re.sub(r"\b1[0-9]{12}(-[0-9]+)?\b", "<time>", repr(value))
    without_times = re.sub(r"\b[0-9a-f]{16}\b", "<token>", without_times)
    return re.sub(r"(b'learned', )b'[^']+'", r"\1<times>", without_times)


@pytest.fixture(params=[ServerKind.STANDALONE, ServerKind.DEBIAN_REDIS], ids=["valkey", "redis"])
def one_server(request: pytest.FixtureRequest) -> Server:
    """Each kind of server."""
    chosen: Server = request.getfixturevalue(request.param.value)
    return chosen


@pytest.mark.parametrize("case", OPERATIONS, ids=str)
async def test_an_operation_whose_reply_is_lost_is_done_once_and_answers_with_the_first_outcome(
    one_server: Server, case: Case
) -> None:
    undisturbed = await play(case, one_server, loses_reply=False)

    disturbed = await play(case, one_server, loses_reply=True)

    assert disturbed == undisturbed


async def test_entries_whose_blocking_read_was_cut_are_taken_next(one_server: Server) -> None:
    empty(one_server)
    port = nodes_of(one_server)[0].port
    async with (
        asyncio.timeout(20),
        FaultProxy(port).listening() as wire,
        running_store(wire.url, partitions=1) as store,
        running_store(f"redis://127.0.0.1:{port}/0", partitions=1) as gateway,
    ):
        reader = BlockingReader(store.connection, partition=0, processor="p1")
        reading = asyncio.create_task(reader.read(most=1))
        await _wait_for_a_blocked_client(gateway)
        wire.lose_next_reply()
        job_id = await jobs.create(gateway)

        lost = await reading
        taken = await store.take(0, processor="p1", most=1, in_hand=())
        await reader.close()

    assert (lost, wire.lost_replies) == ([], 1)
    assert [entry.job_id for entry in taken] == [job_id]


async def _wait_for_a_blocked_client(store: JobStore) -> None:
    while True:
        if b"blocked_clients:1" in cast(bytes, await store.connection.execute("INFO", "clients")):
            return
        await asyncio.sleep(0.01)


def test_every_operation_of_the_store_is_played() -> None:
    assert {case.script.name for case in OPERATIONS} == {operation.name for operation in script.ALL}
