"""The janitor on real stores: days pass by being passed in, and afterwards nothing is left of anybody."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import cast

import msgspec
import pytest
import pytest_asyncio
from opentelemetry.metrics import NoOpMeter
from structlog.testing import capture_logs

from processor.bundle.archive_key import archive_key
from processor.maintenance.archives import ArchiveSearch
from processor.maintenance.inspector import Inspector
from processor.maintenance.janitor import Janitor
from processor.metrics import ProcessorMetrics
from shared import clock, limits
from shared.errors import StoreUnavailable
from shared.event_id import START
from shared.jobs import Checkpoint, JobState
from shared.jobstore import keys
from shared.jobstore.operations import Answer, Buried, Ending, Run
from shared.jobstore.store import JobStore
from shared.objects.directory import ObjectDirectory
from shared.retention import Retention
from tests.support import inspection, jobs
from tests.support.depots import DirectoryDepot
from tests.support.ports import free_ports
from tests.support.stores import running_commands, running_store

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
RETENTION = Retention(86_400)
ROUNDS = 20
PARTITION_WIDE = {"commands", "stats", "dead", "janitor", "sweeper"}
Situation = Callable[["Household"], Awaitable[str]]


class Counted(ProcessorMetrics):
    """The metrics, with the janitor's steps in reach."""

    def __init__(self) -> None:
        self.steps = dict.fromkeys(self.STEPS, 0)
        super().__init__(NoOpMeter("test"))

    def count_step(self, step: str) -> None:
        """Count a step here too."""
        self.steps[step] += 1
        super().count_step(step)


class MoodyDirectory(ObjectDirectory):
    """A store that refuses to delete what it is told to keep, or says nothing at all."""

    kept: frozenset[str] = frozenset()
    is_silent = False
    asked = 0

    async def delete(self, key: str) -> None:
        """Remove an object, or refuse to."""
        self.asked += 1
        if self.is_silent:
            await asyncio.Event().wait()
        if key in self.kept:
            raise StoreUnavailable("the disk is away", key=key)
        await super().delete(key)


class Household:
    """A job store, a store of archives, and the janitor of both."""

    def __init__(self, store: JobStore, home: Path) -> None:
        self.store = store
        self.home = home
        self.objects = MoodyDirectory(home)
        self.metrics = Counted()
        self.janitor = Janitor(store, self.objects, retention=RETENTION, metrics=self.metrics, processor="p1")
        self.search = ArchiveSearch(store, self.objects, retention=RETENTION, metrics=self.metrics)
        self.inspector = Inspector(store, self.metrics)
        self.began_at_ms = clock.now_ms()

    async def tidy(self, *, after_ms: int) -> None:
        """Let the janitor look, that long after the beginning, until nothing more is due."""
        while await self.janitor.look(self.began_at_ms + after_ms):
            pass

    async def end(self, run: Run, ending: Ending) -> str:
        """End a run's job, to be kept for a day from now."""
        kept = msgspec.structs.replace(
            ending, expires_at_ms=RETENTION.expires_at_ms(clock.now_ms()), retention_ms=RETENTION.redis_ms
        )
        assert await self.store.finish(run, kept) is Answer.OK
        return run.job_id

    async def keep_house(self, *, after_ms: int) -> None:
        """Do all that is done once a day, that long after the beginning."""
        for partition in range(self.store.partitions):
            while await self.inspector.inspect(partition):
                pass
        await self.search.search(self.began_at_ms + after_ms)

    async def leave_archive(self, key: str) -> None:
        """Let an archive be in the store."""
        upload = await self.objects.create_upload(key, part_bytes=4)
        await self.objects.complete(upload, [await self.objects.upload_part(upload, 1, b"PK56")])

    async def complete(self, run: Run) -> str:
        """Let a run end with an archive."""
        key = f"bundles/{run.job_id}/archive.zip"
        await self.leave_archive(key)
        return await self.end(run, msgspec.structs.replace(jobs.completion(), object_key=key))

    async def cancel(self, job_id: str, *, deletes: bool = False) -> str:
        """Give a job up."""
        expires_at_ms = RETENTION.expires_at_ms(clock.now_ms())
        assert await jobs.cancel(self.store, job_id, deletes=deletes, expires_at_ms=expires_at_ms)
        return job_id

    def archives(self) -> list[str]:
        """List what the store of archives holds."""
        return [path.parent.name for path in self.home.rglob("*") if path.is_file()]

    def count_uploads(self) -> int:
        """Count the uploads that are open."""
        return DirectoryDepot(self.home).count_uploads()

    async def keys(self) -> list[str]:
        """List every key of a job, or of an owner."""
        found = await inspection.expiries(self.store.connection)
        return [key for key in found if key != keys.PARTITIONS and key.rpartition(":")[2] not in PARTITION_WIDE]

    async def memory_bytes(self) -> int:
        """Read what Redis uses."""
        info = cast("bytes", await self.store.connection.execute("INFO", "memory")).decode()
        return int(next(line for line in info.splitlines() if line.startswith("used_memory:")).partition(":")[2])

    async def state(self, job_id: str) -> JobState | None:
        """Read where a job stands; None when it is forgotten."""
        record = await self.store.find(job_id)
        return record.state if record else None


@pytest_asyncio.fixture
async def household(store: JobStore, tmp_path: Path) -> Household:
    """A household on each set-up."""
    return Household(store, tmp_path)


@pytest_asyncio.fixture
async def single(redis_url: str, tmp_path: Path) -> AsyncIterator[Household]:
    """A household on one server."""
    async with running_store(redis_url, partitions=1) as store:
        yield Household(store, tmp_path)


# ── how jobs end ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def _completed(house: Household) -> str:
    return await house.complete(await jobs.start(house.store))


async def _failed(house: Household) -> str:
    return await house.end(await jobs.start(house.store), jobs.failure())


async def _cancelled_by_its_run(house: Household) -> str:
    run = await jobs.start(house.store)
    await house.cancel(run.job_id)
    return await house.end(run, jobs.cancellation())


async def _cancelled_while_it_waited(house: Household) -> str:
    return await house.cancel(await jobs.create(house.store))


async def _waiting(house: Household) -> str:
    return await jobs.create(house.store)


async def _parked(house: Household) -> str:
    run = await jobs.start(house.store)
    await house.store.retry_later(
        run, message=jobs.RETRYING, error=jobs.BROKEN, delay_ms=60_000, lease_ms=jobs.LEASE_MS
    )
    return run.job_id


async def _deleted_after_its_end(house: Household) -> str:
    return await house.cancel(await _completed(house), deletes=True)


async def _deleted_while_it_waited(house: Household) -> str:
    return await house.cancel(await jobs.create(house.store), deletes=True)


async def _deleted_while_it_ran_to_its_archive(house: Household) -> str:
    run = await jobs.start(house.store)
    await house.cancel(run.job_id, deletes=True)
    return await house.complete(run)


async def _with_an_upload(house: Household) -> Run:
    """A run has begun an upload, and kept it."""
    run = await jobs.start(house.store)
    upload = await house.objects.create_upload(f"bundles/{run.job_id}/archive.zip", part_bytes=4)
    await house.objects.upload_part(upload, 1, b"PK34")
    assert await jobs.keep(house.store, run, Checkpoint("hash of a plan", upload)) is Answer.OK
    return run


async def _failed_with_an_upload(house: Household) -> str:
    return await house.end(await _with_an_upload(house), jobs.failure())


async def _buried_with_an_upload(house: Household) -> str:
    run = await _with_an_upload(house)
    for _ in range(limits.MAX_CRASHES - 1):
        run = await jobs.take_over(house.store, run)
    await jobs.lapse(house.store, run)
    entry = await jobs.take(house.store, run.job_id)
    terms = msgspec.structs.replace(jobs.terms(), expires_at_ms=RETENTION.expires_at_ms(clock.now_ms()))
    assert isinstance(await house.store.claim(entry, "the last token", terms), Buried)
    return run.job_id


async def _parked_with_an_upload(house: Household) -> str:
    run = await _with_an_upload(house)
    await house.store.retry_later(
        run, message=jobs.RETRYING, error=jobs.BROKEN, delay_ms=60_000, lease_ms=jobs.LEASE_MS
    )
    return run.job_id


async def _cancelled_while_parked_with_an_upload(house: Household) -> str:
    return await house.cancel(await _parked_with_an_upload(house))


async def _deleted_while_parked_with_an_upload(house: Household) -> str:
    return await house.cancel(await _parked_with_an_upload(house), deletes=True)


async def _redriven_and_completed(house: Household) -> str:
    run = await jobs.start(house.store)
    await house.end(run, jobs.failure())
    await jobs.redrive(house.store, run)
    return await house.complete(await jobs.claim(house.store, await jobs.take(house.store, run.job_id)))


ENDS: list[Situation] = [
    _completed,
    _failed,
    _cancelled_by_its_run,
    _cancelled_while_it_waited,
    _waiting,
    _parked,
    _deleted_after_its_end,
    _deleted_while_it_waited,
    _deleted_while_it_ran_to_its_archive,
    _redriven_and_completed,
]
ENDS_WITH_AN_UPLOAD: list[Situation] = [
    _failed_with_an_upload,
    _buried_with_an_upload,
    _parked_with_an_upload,
    _cancelled_while_parked_with_an_upload,
    _deleted_while_parked_with_an_upload,
]


# ── what goes wrong besides ───────────────────────────────────────────────────────────────────────────────────────────


async def _crashed_too_often(house: Household) -> str:
    run = await jobs.start(house.store, processor=f"dead-{secrets.token_hex(3)}")
    for _ in range(limits.MAX_CRASHES - 1):
        run = await jobs.take_over(house.store, run, processor=f"dead-{secrets.token_hex(3)}")
    await jobs.lapse(house.store, run)
    terms = msgspec.structs.replace(
        jobs.terms(), expires_at_ms=RETENTION.expires_at_ms(clock.now_ms()), retention_ms=RETENTION.redis_ms
    )
    assert isinstance(await house.store.claim(await jobs.take(house.store, run.job_id), "token", terms), Buried)
    return run.job_id


async def _completed_twice(house: Household) -> str:
    """A superseded run came to its Complete too late, and left an archive that nobody knows."""
    job_id = await _completed(house)
    await house.leave_archive(archive_key(job_id, "0123456789abcdef"))
    return job_id


async def _waiting_without_entry(house: Household) -> str:
    job_id = await jobs.create(house.store)
    record = await house.store.find(job_id)
    assert record is not None
    await house.store.connection.execute("XDEL", keys.commands(jobs.partition_number(job_id)), record.entry)
    return job_id


async def _waiting_since_before_the_upgrade(house: Household) -> str:
    job_id = await jobs.create(house.store)
    await house.store.connection.execute("ZREM", keys.expiry(jobs.partition_number(job_id)), job_id)
    return job_id


ACCIDENTS: list[Situation] = [
    _crashed_too_often,
    _completed_twice,
    _waiting_without_entry,
    _waiting_since_before_the_upgrade,
]


# ── a week ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_after_a_week_of_jobs_redis_and_the_store_are_as_small_as_before(
    single: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CONSUMER_GONE_AFTER_MS", 0)  # Redis' own clock cannot be passed in
    await _live_and_let_go(single, rounds=1)
    before, steps_before = await single.memory_bytes(), dict(single.metrics.steps)

    made = await _live_and_let_go(single, rounds=ROUNDS)

    after = await single.memory_bytes()
    assert abs(after - before) < 0.03 * before, (before, after)
    steps = {step: times - steps_before[step] for step, times in single.metrics.steps.items()}
    assert (steps["forgotten"], steps["expired"], steps["stuck"]) == (made, ROUNDS * 4, 0)


async def _live_and_let_go(house: Household, *, rounds: int) -> int:
    """Let jobs come to all their ends, and days go by until nothing is left of them; give their number."""
    house.began_at_ms = clock.now_ms()
    made = [await end(house) for _ in range(rounds) for end in (*ENDS, *ACCIDENTS)]
    stray = archive_key(house.store.new_job_id(), "0123456789abcdef")
    await house.leave_archive(stray)
    assert len(house.archives()) == rounds * 6 + 1

    for day in range(12):
        await house.keep_house(after_ms=day * DAY_MS)
        for hour in range(0, 24, 4):
            await house.tidy(after_ms=day * DAY_MS + hour * HOUR_MS)
    letters = jobs.letters_of(house.store)
    for letter in [letter async for letter in letters.of_partition(0)]:
        await letters.discard(letter)

    assert await house.keys() == []
    assert house.archives() == []
    assert await inspection.visits(house.store, 0) == {}
    assert await inspection.pending(house.store, 0) == {}
    assert await _consumers(house) <= {b"parked", b"ready"}
    backlog = await house.store.backlog(0)
    assert (backlog.unfinished, backlog.dead_letters) == (0, 0)
    return len(made)


async def _consumers(house: Household) -> set[bytes]:
    reply = await house.store.connection.execute("XINFO", "CONSUMERS", keys.commands(0), keys.GROUP)
    return {flat[flat.index(b"name") + 1] for flat in cast("list[list[bytes]]", reply)}


@pytest.mark.parametrize("end", ENDS)
async def test_a_job_of_any_end_is_forgotten_on_every_set_up(household: Household, end: Situation) -> None:
    job_id = await end(household)

    for day in range(5):
        await household.tidy(after_ms=day * DAY_MS + 1)

    assert await household.state(job_id) is None
    assert await household.keys() == []
    assert household.archives() == []


# ── step by step ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("situation", [_waiting, _parked])
async def test_a_job_that_waits_too_long_fails_with_an_event_a_letter_and_one_line(
    single: Household, situation: Situation
) -> None:
    job_id = await situation(single)

    await single.tidy(after_ms=limits.MAX_WAITING_MS - HOUR_MS)
    assert await single.state(job_id) in (JobState.QUEUED, JobState.RETRYING)
    with capture_logs() as lines:
        await single.tidy(after_ms=limits.MAX_WAITING_MS + HOUR_MS)
        await single.tidy(after_ms=limits.MAX_WAITING_MS + HOUR_MS)

    record = await single.store.find(job_id)
    assert record is not None
    assert record.error is not None
    assert (record.state, record.error.code) == (JobState.FAILED, "EXPIRED")
    assert (await inspection.event_types(single.store, job_id))[-1] == "error"
    letter = await jobs.letter_of(single.store, job_id)
    assert (letter.reason, letter.error.code) == ("expired", "EXPIRED")
    assert [(line["log_level"], line["code"]) for line in lines if line["event"] == "job failed"] == [
        ("error", "EXPIRED")
    ]
    assert (await single.store.backlog(0)).unfinished == 0


async def test_a_job_that_waits_though_somebody_wanted_it_to_end_is_cancelled_when_its_time_comes(
    single: Household,
) -> None:
    run = await jobs.start(single.store)
    await jobs.park_in_spite_of_a_wish(single.store, run)

    with capture_logs() as lines:
        await single.tidy(after_ms=limits.MAX_WAITING_MS + HOUR_MS)

    assert await single.state(run.job_id) is JobState.CANCELLED
    assert (await inspection.event_types(single.store, run.job_id))[-1] == "cancelled"
    assert (single.metrics.steps["cancelled"], single.metrics.steps["expired"]) == (1, 0)
    assert [line["job_id"] for line in lines if line["event"] == "job cancelled"] == [run.job_id]
    backlog = await single.store.backlog(0)
    assert (backlog.unfinished, backlog.dead_letters) == (0, 0)


async def test_a_job_that_runs_is_not_ended_for_its_age(single: Household) -> None:
    run = await jobs.start(single.store)
    before = await inspection.everything_about(single.store, run.job_id)

    for day in range(1, 7):
        await single.tidy(after_ms=day * DAY_MS + HOUR_MS)

    assert await inspection.everything_about(single.store, run.job_id) == before


async def test_a_job_that_was_handed_back_waits_from_then_on(single: Household) -> None:
    run = await jobs.start(single.store)
    await single.store.release(run, message=jobs.RELEASED)
    handed_back_at_ms = single.began_at_ms + limits.MAX_WAITING_MS - HOUR_MS
    await single.store.connection.execute("HSET", keys.of_job(0, run.job_id).record, "updated_at", handed_back_at_ms)

    await single.tidy(after_ms=limits.MAX_WAITING_MS + HOUR_MS)
    assert await single.state(run.job_id) is JobState.QUEUED
    await single.tidy(after_ms=2 * limits.MAX_WAITING_MS)

    assert await single.state(run.job_id) is JobState.FAILED


async def test_an_ended_job_is_trimmed_then_a_tombstone_then_nothing(single: Household) -> None:
    run = await jobs.start(single.store)
    for seq in range(3, 10):
        await single.store.append_progress(run, seq=seq, message=jobs.progress(seq / 10))
    job_id = await single.complete(run)

    await single.tidy(after_ms=0)
    assert len(await single.store.read_events(job_id, after=START, count=100)) == 10
    await single.tidy(after_ms=limits.LOG_TRIMMED_AFTER_MS + HOUR_MS)
    types = await inspection.event_types(single.store, job_id)
    assert (len(types), types[-1], single.archives()) == (3, "completed", [job_id])
    await single.tidy(after_ms=DAY_MS + HOUR_MS)
    record = await single.store.find(job_id)
    assert record is not None
    assert (record.state, record.object_key, single.archives()) == (JobState.COMPLETED, None, [])
    await single.tidy(after_ms=2 * DAY_MS + HOUR_MS)
    assert await single.state(job_id) is None
    taken = {step: times for step, times in single.metrics.steps.items() if times}
    assert taken == {"trimmed": 1, "tombstone": 1, "forgotten": 1}


@pytest.mark.parametrize("end", ENDS_WITH_AN_UPLOAD)
async def test_the_upload_of_a_job_that_nobody_goes_on_with_is_aborted(single: Household, end: Situation) -> None:
    job_id = await end(single)
    assert single.count_uploads() == 1

    for day in range(3):
        await single.tidy(after_ms=day * DAY_MS + HOUR_MS)

    record = await single.store.find(job_id)
    assert single.count_uploads() == 0
    assert record is None or record.checkpoint is None
    assert single.metrics.steps["stuck"] == 0
    for day in range(3, 6):
        await single.tidy(after_ms=day * DAY_MS + HOUR_MS)
    assert (await single.keys(), single.archives()) == ([], [])


async def test_a_deleted_job_loses_its_upload_at_the_next_look(single: Household) -> None:
    await _deleted_while_parked_with_an_upload(single)

    await single.tidy(after_ms=60_000)

    assert single.count_uploads() == 0


async def test_a_checkpoint_without_an_upload_or_unreadable_goes_with_its_job(single: Household) -> None:
    for kept in (b'{"note":"page 17"}', b"no JSON"):
        run = await jobs.start(single.store)
        await single.store.connection.execute("HSET", keys.of_job(0, run.job_id).record, "checkpoint", kept)
        await single.end(run, jobs.failure())

    for day in range(4):
        await single.tidy(after_ms=day * DAY_MS + HOUR_MS)

    assert (await single.keys(), single.metrics.steps["stuck"]) == ([], 0)


# ── trouble ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_archives_that_cannot_be_deleted_keep_nobody_elses_and_are_tried_again(
    single: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "JANITOR_PAGE_JOBS", 2)
    stuck = [await _completed(single) for _ in range(3)]
    other = await _completed(single)
    single.objects.kept = frozenset(f"bundles/{job_id}/archive.zip" for job_id in stuck)

    await single.tidy(after_ms=HOUR_MS)
    await single.tidy(after_ms=DAY_MS + HOUR_MS)
    assert (sorted(single.archives()), single.metrics.steps["stuck"]) == (sorted(stuck), 3)
    assert await single.state(other) is JobState.COMPLETED
    single.objects.kept = frozenset()
    await single.tidy(after_ms=DAY_MS + HOUR_MS + limits.JANITOR_TRY_AGAIN_MS)

    assert single.archives() == []


async def test_a_store_that_says_nothing_is_waited_for_once_a_page(
    single: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "JANITOR_DELETE_WITHIN_SECONDS", 0.05)
    for _ in range(30):
        await _completed(single)
    waiting = await _waiting(single)
    await single.tidy(after_ms=HOUR_MS)
    single.objects.is_silent = True

    await single.tidy(after_ms=DAY_MS + HOUR_MS)
    assert single.objects.asked == limits.JANITOR_JOBS_AT_ONCE
    assert (single.metrics.steps["stuck"], await single.state(waiting)) == (30, JobState.FAILED)
    single.objects.is_silent = False
    await single.tidy(after_ms=DAY_MS + HOUR_MS + limits.JANITOR_TRY_AGAIN_MS)

    assert single.archives() == []


async def test_a_record_that_cannot_be_read_keeps_nobody_elses(single: Household) -> None:
    broken, other = await _waiting(single), await _waiting(single)
    await single.store.connection.execute("SET", keys.of_job(0, broken).record, "no hash")

    await single.tidy(after_ms=limits.MAX_WAITING_MS + HOUR_MS)

    assert await single.state(other) is JobState.FAILED
    assert single.metrics.steps["stuck"] == 1


async def test_trouble_with_the_inspection_holds_up_nobody(single: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = await _waiting(single)

    async def break_down(_partition: int) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Inspector, "step", lambda _inspector, partition: break_down(partition))
    with capture_logs() as lines:
        await single.tidy(after_ms=limits.MAX_WAITING_MS + HOUR_MS)

    assert await single.state(waiting) is JobState.FAILED
    assert "the inspection of the job store broke" in [line["event"] for line in lines]


@pytest.mark.parametrize("member", [b"nobody", b"\xff", b"00000000-0000-8001-8000-000000000000"])
async def test_what_names_no_job_of_the_partition_is_taken_off_the_list(single: Household, member: bytes) -> None:
    await single.store.connection.execute("ZADD", keys.expiry(0), 1, member)

    await single.tidy(after_ms=0)

    assert await single.store.connection.execute("ZCARD", keys.expiry(0)) == 0


async def test_a_job_of_an_older_version_ends_as_any_other(single: Household) -> None:
    run = await jobs.start(single.store)
    for forgotten in (keys.expiry(0), keys.owner_jobs(0, run.record.owner)):
        await single.store.connection.execute("DEL", forgotten)
    await single.tidy(after_ms=2 * DAY_MS)
    assert await single.state(run.job_id) is JobState.PROCESSING

    await single.complete(run)
    for day in range(5):
        await single.tidy(after_ms=day * DAY_MS + HOUR_MS)

    assert (await single.keys(), single.archives()) == ([], [])


async def test_there_is_one_janitor_at_a_time(single: Household) -> None:
    await _deleted_after_its_end(single)
    lifetimes = jobs.lifetimes_of(single.store)

    first = await lifetimes.next_due(0, janitor="p1")
    second = await lifetimes.next_due(0, janitor="p2")

    assert first is not None
    assert (len(first), second) == (1, None)


async def test_redis_is_not_even_asked_while_it_is_away(tmp_path: Path) -> None:
    [port] = free_ports(1)
    async with running_commands(f"redis://127.0.0.1:{port}/0") as commands:
        house = Household(JobStore(commands, partitions=2), tmp_path)

        with capture_logs() as lines:
            assert not await house.janitor.look()

    assert [line for line in lines if "partition" in line] == []
