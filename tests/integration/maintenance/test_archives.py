"""Archives that no job knows of are deleted, counted and told; everything else in the store is left alone."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, MutableMapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from opentelemetry.metrics import NoOpMeter
from structlog.testing import capture_logs

from processor.bundle.archive_key import archive_key
from processor.maintenance.archives import ArchiveSearch
from processor.metrics import ProcessorMetrics
from shared import clock, limits
from shared.errors import RedisUnavailable, StoreUnavailable
from shared.jobs import make_job_id
from shared.jobstore import keys
from shared.jobstore.operations import Answer
from shared.jobstore.store import JobStore
from shared.objects.directory import ObjectDirectory
from shared.objects.opening import open_store
from shared.retention import Retention
from tests.support import jobs
from tests.support.depots import Depot, DirectoryDepot, S3Depot
from tests.support.ports import free_ports
from tests.support.s3_server import S3Server
from tests.support.service import environment
from tests.support.stores import running, running_commands, running_store

DAY_MS = 86_400_000
RETENTION = Retention(86_400)
OLD_MS = limits.ORPHAN_AGE_MS + 3 * DAY_MS  # from now on, everything in the store is old
PLAN, OTHER_PLAN = "a" * 64, "b" * 64


class Counted(ProcessorMetrics):
    """The metrics, with the strays in reach."""

    def __init__(self) -> None:
        self.strays = dict.fromkeys(self.STRAY_OUTCOMES, 0)
        super().__init__(NoOpMeter("test"))

    def count_strays(self, outcome: str, archives: int) -> None:
        """Count here too."""
        self.strays[outcome] += archives
        super().count_strays(outcome, archives)


class Bucket:
    """A store of archives, what is known of it, and the search."""

    def __init__(self, store: JobStore, depot: Depot, search: ArchiveSearch, metrics: Counted) -> None:
        self.store = store
        self.depot = depot
        self.search = search
        self.strays = metrics.strays
        self.began_at_ms = clock.now_ms()

    async def look(self, *, after_ms: int = OLD_MS) -> None:
        """Search, that long after the beginning."""
        await self.search.search(self.began_at_ms + after_ms)

    def put(self, job_id: str, plan_hash: str = PLAN) -> str:
        """Let an archive of a job be there."""
        key = archive_key(job_id, plan_hash)
        self.depot.put(key, b"PK")
        return key

    async def complete(self) -> str:
        """Complete a job with its archive; give its key."""
        run = await jobs.start(self.store)
        key = self.put(run.job_id)
        ending = msgspec.structs.replace(jobs.completion(), object_key=key)
        assert await self.store.finish(run, ending) is Answer.OK
        return key


@asynccontextmanager
async def opened(store: JobStore, depot: Depot) -> AsyncIterator[Bucket]:
    """Give a search of a depot."""
    metrics = Counted()
    async with open_store(depot.location) as objects:
        yield Bucket(store, depot, ArchiveSearch(store, objects, retention=RETENTION, metrics=metrics), metrics)


@pytest_asyncio.fixture(params=["directory", "real server"])
async def bucket(request: pytest.FixtureRequest, redis_url: str, tmp_path: Path) -> AsyncIterator[Bucket]:
    """A store of archives of each kind, beside one Redis."""
    depot: Depot = DirectoryDepot(tmp_path)
    if request.param == "real server":
        server = request.getfixturevalue("s3_server")
        assert isinstance(server, S3Server)
        depot = S3Depot(server.options(server.new_bucket()), server.client)
    async with running_store(redis_url, partitions=1) as store, opened(store, depot) as found:
        yield found


@pytest_asyncio.fixture
async def small(redis_url: str, tmp_path: Path) -> AsyncIterator[Bucket]:
    """A directory of archives beside one Redis."""
    async with running_store(redis_url, partitions=1) as store, opened(store, DirectoryDepot(tmp_path)) as found:
        yield found


# ── what goes, and what stays ─────────────────────────────────────────────────────────────────────────────────────────


async def test_archives_that_no_job_knows_of_go_and_those_that_a_job_knows_stay(bucket: Bucket) -> None:
    wanted = await bucket.complete()
    late = bucket.put(wanted.split("/")[1], OTHER_PLAN)  # of a run that was superseded in the midst of its Complete
    forgotten = bucket.put(bucket.store.new_job_id())

    await bucket.look(after_ms=OLD_MS - 4 * DAY_MS)
    assert bucket.depot.objects() == sorted([wanted, late, forgotten])
    with capture_logs() as lines:
        await bucket.look()
        await bucket.look()

    assert bucket.depot.objects() == [wanted]
    assert bucket.strays == {"deleted": 2, "refused": 0, "stuck": 0}
    [line] = lines
    assert (line["event"], line["archives"]) == ("archives that no job knew of deleted", 2)


async def test_a_job_that_goes_on_or_may_be_redriven_keeps_its_archives(bucket: Bucket) -> None:
    running_, waiting, failed = (
        await jobs.start(bucket.store),
        await jobs.create(bucket.store),
        await jobs.fail(bucket.store),
    )
    kept = [bucket.put(job_id) for job_id in (running_.job_id, waiting, failed.job_id)]

    await bucket.look()

    assert bucket.depot.objects() == sorted(kept)


async def test_a_run_that_completes_during_the_search_keeps_its_archive(
    small: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await jobs.start(small.store)
    key, looks = small.put(run.job_id), 0
    known_object = small.search._lifetimes.known_object

    async def complete_meanwhile(job_id: str) -> object:
        nonlocal looks
        looks += 1
        found = await known_object(job_id)
        await small.store.finish(run, msgspec.structs.replace(jobs.completion(), object_key=key))
        return found

    monkeypatch.setattr(small.search._lifetimes, "known_object", complete_meanwhile)
    await small.look()

    assert (small.depot.objects(), looks) == ([key], 1)


async def test_what_a_record_came_to_know_since_it_was_listed_is_not_deleted(
    small: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restored copy of Redis may bring jobs back in the midst of a search."""
    key = small.put(small.store.new_job_id())
    known_object = small.search._lifetimes.known_object

    async def come_back(job_id: str) -> object:
        found = await known_object(job_id)
        record = keys.record(0, job_id)
        await small.store.connection.execute("HSET", record, "state", "completed", "object_key", key)
        return found

    monkeypatch.setattr(small.search._lifetimes, "known_object", come_back)
    await small.look()

    assert small.depot.objects() == [key]
    assert small.strays["deleted"] == 0


async def test_what_is_not_named_as_bundles_are_is_never_touched(bucket: Bucket) -> None:
    job_id = bucket.store.new_job_id()
    foreign = [f"reports/{job_id}/1.zip", "report.zip", f"bundles/{job_id}/readme.txt"]
    for key in foreign:
        bucket.depot.put(key, b"x")
    of_more_partitions = bucket.put(make_job_id(7, 1))

    await bucket.look()

    assert bucket.depot.objects() == sorted([*foreign, of_more_partitions])


async def test_a_record_that_cannot_be_read_keeps_its_archives(small: Bucket) -> None:
    no_hash, stateless = small.store.new_job_id(), small.store.new_job_id()
    await small.store.connection.execute("SET", keys.record(0, no_hash), "x")
    await small.store.connection.execute("HSET", keys.record(0, stateless), "owner", "anna")
    kept = [small.put(job_id) for job_id in (no_hash, stateless)]

    await small.look()

    assert small.depot.objects() == sorted(kept)


# ── too many ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_redis_that_was_emptied_costs_no_archive_until_an_operator_says_so(
    small: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await jobs.lifetimes_of(small.store).begin_archive_search(every_ms=DAY_MS)
    monkeypatch.setattr(limits, "STRAYS_UNASKED", 3)
    archives = sorted([await small.complete() for _ in range(4)])
    await small.store.connection.execute("DEL", *[keys.record(0, key.split("/")[1]) for key in archives])

    with capture_logs() as lines:
        await small.look()

    assert small.depot.objects() == archives
    assert small.strays == {"deleted": 0, "refused": 4, "stuck": 0}
    [line] = lines
    assert (line["log_level"], line["archives"], line["unknown"]) == ("error", 4, 4)
    await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "processor", "archives", "clear"],
        env=environment({"REDIS_URL": small.store.connection.location.shown}),
        check=True,
        timeout=60,
    )
    await small.look()
    assert small.depot.objects() == []
    assert await jobs.lifetimes_of(small.store).begin_archive_search(every_ms=DAY_MS)


async def test_a_turn_is_bounded_and_the_next_one_goes_on_behind_it(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "OBJECTS_PER_PAGE", 2)
    monkeypatch.setattr(limits, "ARCHIVE_SEARCH_PAGES", 2)
    for _ in range(6):
        bucket.put(bucket.store.new_job_id())
    last = sorted(bucket.depot.objects())[4:]

    assert await jobs.lifetimes_of(bucket.store).begin_archive_search(every_ms=DAY_MS)
    await bucket.look()
    assert bucket.depot.objects() == last
    ttl_ms = await bucket.store.connection.execute("PTTL", keys.archive_search())
    assert isinstance(ttl_ms, int)
    assert ttl_ms <= limits.ARCHIVE_SEARCH_AGAIN_MS
    await bucket.look()
    assert bucket.depot.objects() == []
    before_all = bucket.put(make_job_id(0, 0))
    await bucket.look()

    assert before_all not in bucket.depot.objects()


# ── trouble ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class Stubborn(ObjectDirectory):
    """A store that refuses to delete."""

    async def delete(self, key: str) -> None:
        """Refuse."""
        raise StoreUnavailable("the disk is away", key=key)


async def test_archives_that_cannot_be_deleted_are_told_and_left(redis_url: str, tmp_path: Path) -> None:
    metrics, depot = Counted(), DirectoryDepot(tmp_path)
    async with running_store(redis_url, partitions=1) as store:
        keys_ = sorted(archive_key(store.new_job_id(), PLAN) for _ in range(20))
        for key in keys_:
            depot.put(key, b"PK")

        with capture_logs() as lines:
            search = ArchiveSearch(store, Stubborn(tmp_path), retention=RETENTION, metrics=metrics)
            await search.search(clock.now_ms() + OLD_MS)

    assert depot.objects() == keys_
    assert limits.JANITOR_JOBS_AT_ONCE <= metrics.strays["stuck"] < 20
    [line] = lines
    assert (line["archives"], line["problem"]) == (20, "the disk is away")


async def test_what_was_deleted_before_redis_went_away_is_told_and_counted(
    small: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "JANITOR_JOBS_AT_ONCE", 1)
    for _ in range(3):
        small.put(small.store.new_job_id())
    known_object, looks = small.search._lifetimes.known_object, 0

    async def go_away(job_id: str) -> object:
        nonlocal looks
        looks += 1
        if looks > 4:  # three are looked at in the listing, and one before it is deleted
            raise RedisUnavailable("nobody answers")
        return await known_object(job_id)

    monkeypatch.setattr(small.search._lifetimes, "known_object", go_away)
    with capture_logs() as lines, pytest.raises(RedisUnavailable):
        await small.look()

    assert (len(small.depot.objects()), small.strays["deleted"]) == (2, 1)
    assert [line["archives"] for line in lines] == [1]


# ── whose turn ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_one_of_all_processors_searches_and_nobody_again_until_the_next_day(small: Bucket) -> None:
    lifetimes = jobs.lifetimes_of(small.store)

    begun = [await lifetimes.begin_archive_search(every_ms=DAY_MS) for _ in range(3)]
    ttl_ms = await small.store.connection.execute("PTTL", keys.archive_search())

    assert begun == [True, False, False]
    assert isinstance(ttl_ms, int)
    assert DAY_MS - 60_000 < ttl_ms <= DAY_MS


async def test_the_loop_searches_by_itself_and_tries_again_soon_when_it_could_not(
    small: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ORPHANS_FIRST_MIN_SECONDS", "ORPHANS_FIRST_MAX_SECONDS", "ORPHANS_EVERY_SECONDS"):
        monkeypatch.setattr(limits, name, 0.001)
    monkeypatch.setattr(limits, "ARCHIVE_SEARCH_AGAIN_MS", 1)
    monkeypatch.setattr(limits, "ORPHAN_AGE_MS", -100 * DAY_MS)  # everything is old
    failures = 2
    search = small.search.search

    async def fail_at_first(at_ms: int) -> None:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise StoreUnavailable("the store is away", key="")
        await search(at_ms)

    monkeypatch.setattr(small.search, "search", fail_at_first)
    archive = tmp_path / small.put(small.store.new_job_id())

    async with asyncio.timeout(10), running(small.search.run):
        while archive.exists():  # noqa: ASYNC110  # what is on the disk is only there to be looked at
            await asyncio.sleep(0.005)

    assert failures == -1


async def test_a_redis_that_is_away_is_told_and_no_archive_is_taken_for_a_stray(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ORPHANS_FIRST_MIN_SECONDS", "ORPHANS_FIRST_MAX_SECONDS"):
        monkeypatch.setattr(limits, name, 0.001)

    def told(lines: Sequence[MutableMapping[str, object]]) -> bool:
        return any(line["event"] == "cannot look for archives that no job knows of" for line in lines)

    [port] = free_ports(1)
    async with running_commands(f"redis://127.0.0.1:{port}/0") as commands:
        store = JobStore(commands, partitions=1)
        async with opened(store, DirectoryDepot(tmp_path)) as away:
            kept = away.put(store.new_job_id())
            with capture_logs() as lines:
                async with asyncio.timeout(10), running(away.search.run):
                    while not told(lines):  # noqa: ASYNC110  # a log line wakes nobody
                        await asyncio.sleep(0.01)

    assert away.depot.objects() == [kept]
