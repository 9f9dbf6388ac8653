"""A store is looked at: what is wrong is told, what is mended is noticed, and what hangs holds nobody up."""

import asyncio
import socket
import threading
from collections.abc import Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import botocore.auth
import msgspec
import pytest
from botocore.compat import get_current_datetime
from structlog.testing import capture_logs

from shared import limits
from shared.errors import ObjectError, ObjectForbidden, StoreRefused, StoreUnavailable
from shared.objects import disk
from shared.objects.directory import ObjectDirectory
from shared.objects.health import Standing, StoreHealth, pause_seconds
from shared.objects.location import S3Options
from shared.objects.opening import open_store
from shared.objects.store import ObjectStore
from tests.support.depots import Depot, DirectoryDepot, S3Depot
from tests.support.s3_server import S3Server, options_for
from tests.support.stores import running

SOON_SECONDS = 10


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look again at once."""
    monkeypatch.setattr(limits, "STORE_LOOK_EVERY_SECONDS", 0.01)
    monkeypatch.setattr(limits, "STORE_LOOK_AGAIN_SECONDS", 0.01)


class WatchedDirectory(ObjectDirectory):
    """A directory that counts how often it is looked at."""

    looks = 0

    async def probe(self, *, for_writing: bool) -> None:
        """Count, and look."""
        self.looks += 1
        await super().probe(for_writing=for_writing)


async def until(look: Callable[[], bool]) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(SOON_SECONDS):
        while not look():  # noqa: ASYNC110  # what is held of a store is only there to be looked at
            await asyncio.sleep(0.005)


async def why_not(options: S3Options) -> ObjectError:
    """Give what a probe says."""
    async with open_store(options) as store:
        with pytest.raises(ObjectError) as caught:
            await store.probe(for_writing=False)
    assert options.bucket in caught.value.message
    return caught.value


# ── one look ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_store_that_is_there_passes_for_reading_and_writing_and_nothing_is_left(
    store: ObjectStore, depot: Depot
) -> None:
    await store.probe(for_writing=True)
    await store.probe(for_writing=False)

    assert (depot.objects(), depot.count_uploads()) == ([], 0)


async def test_wrong_keys_buckets_and_endpoints_are_told_at_the_first_look(s3_depot: S3Depot) -> None:
    def wrong(**changed: Any) -> S3Options:
        return msgspec.structs.replace(s3_depot.location, key_variables="WAYBILL_OBJECTS", **changed)

    secret = await why_not(wrong(secret_access_key="a-wrong-one"))
    key = await why_not(wrong(access_key_id="nobody"))
    bucket = await why_not(wrong(bucket="no-such-bucket"))
    endpoint = await why_not(wrong(endpoint_url="http://127.0.0.1:1"))

    assert "Check WAYBILL_OBJECTS_SECRET_ACCESS_KEY." in secret.message
    assert "Check WAYBILL_OBJECTS_ACCESS_KEY_ID, " in key.message
    assert "The bucket no-such-bucket does not exist at http://127.0.0.1:" in bucket.message
    assert isinstance(endpoint, StoreUnavailable)
    assert "The store at http://127.0.0.1:1 could not look at the bucket" in endpoint.message


async def test_a_bucket_of_somebody_else_is_told_with_what_to_grant(s3_depot: S3Depot, s3_server: S3Server) -> None:
    s3_server.add_user("onlooker", "a-secret")

    error = await why_not(
        msgspec.structs.replace(s3_depot.location, access_key_id="onlooker", secret_access_key="a-secret")
    )

    assert isinstance(error, ObjectForbidden)
    assert "Grant it s3:ListBucket" in error.message


async def test_a_wrong_clock_is_told(s3_depot: S3Depot, monkeypatch: pytest.MonkeyPatch) -> None:
    def an_hour_ago(*arguments: Any, **more: Any) -> datetime:
        return get_current_datetime(*arguments, **more) - timedelta(hours=1)

    class WrongClock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz or UTC) - timedelta(hours=1)

    monkeypatch.setattr(botocore.auth, "get_current_datetime", an_hour_ago)
    monkeypatch.setattr("shared.objects.s3_trouble.datetime", WrongClock)

    error = await why_not(s3_depot.location)

    assert isinstance(error, StoreRefused)
    assert "behind the store's. Set this machine's clock" in error.message


async def test_a_server_that_never_answers_is_told_with_its_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "STORE_PROBE_WITHIN_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"

        error = await why_not(options_for(url, "bundles"))

    assert isinstance(error, StoreUnavailable)
    assert f"The store at {url} could not look at the bucket bundles: no answer within" in error.message


async def test_a_directory_to_be_read_must_be_there_and_one_to_be_written_is_made(tmp_path: Path) -> None:
    store = ObjectDirectory(tmp_path / "a" / "b")

    with pytest.raises(StoreRefused, match=r"/a/b cannot be read: No such file or directory. Check that it is there"):
        await store.probe(for_writing=False)
    await store.probe(for_writing=True)

    await store.probe(for_writing=False)


async def test_a_file_in_the_place_of_a_directory_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")

    for for_writing, doing in ((False, "read: Not a directory"), (True, "written: File exists")):
        with pytest.raises(StoreRefused, match=f"/a cannot be {doing}"):
            await ObjectDirectory(tmp_path / "a").probe(for_writing=for_writing)


# ── again and again ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_mended_store_is_noticed_and_each_change_is_one_line(tmp_path: Path) -> None:
    store = WatchedDirectory(tmp_path / "a")
    health = StoreHealth("sources", store, for_writing=False, variable="WAYBILL_SOURCES_URL")
    assert (health.is_up(), health.problems()) == (None, ["The store of sources has not been looked at yet."])

    with capture_logs() as lines:
        async with running(health.run):
            await until(lambda: health.is_up() is False)
            [told] = health.problems()
            await until(lambda: store.looks > 3)  # those after the first have no news
            (tmp_path / "a").mkdir()
            await until(lambda: health.is_up() is True)

    assert told.startswith(f"The store of sources cannot be used: The directory {tmp_path}/a cannot be read")
    assert health.problems() == []
    assert [(line["event"], line["store"]) for line in lines] == [
        ("store cannot be used", "sources"),
        ("store can be used", "sources"),
    ]


async def test_a_real_server_that_goes_and_comes_back_is_noticed(s3_depot: S3Depot, s3_server: S3Server) -> None:
    async with open_store(s3_depot.location) as store:
        health = StoreHealth("objects", store, for_writing=True, variable="WAYBILL_OBJECTS_URL")
        async with running(health.run):
            await until(lambda: health.is_up() is True)
            s3_server.stop()
            try:
                await until(lambda: health.is_up() is False)
            finally:
                s3_server.start()
            await until(lambda: health.is_up() is True)


async def test_a_directory_that_hangs_is_told_keeps_one_thread_and_delays_no_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "STORE_LOOK_WITHIN_SECONDS", 0.01)
    threads: list[threading.Thread] = []
    let_go = threading.Event()
    waits = 0

    def hang(*_: Any, **__: Any) -> None:
        threads.append(threading.current_thread())
        let_go.wait()

    def count(standing: Standing, random_ratio: float) -> float:
        nonlocal waits
        waits += 1
        return pause_seconds(standing, random_ratio)

    monkeypatch.setattr(disk, "probe", hang)
    monkeypatch.setattr("shared.objects.health.pause_seconds", count)
    health = StoreHealth("sources", ObjectDirectory(tmp_path), for_writing=False, variable="WAYBILL_SOURCES_URL")

    looking = asyncio.create_task(health.run())
    await until(lambda: health.is_up() is False and waits > 3)
    looking.cancel()
    stopped, _ = await asyncio.wait([looking], timeout=SOON_SECONDS)

    assert stopped
    assert "did not answer within" in health.problems()[0]
    assert [(thread.daemon, thread.is_alive()) for thread in threads] == [(True, True)]
    let_go.set()


async def test_a_look_that_fails_in_an_unknown_way_is_a_problem_and_no_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    depot = DirectoryDepot(tmp_path)
    async with open_store(depot.location) as store:
        health = StoreHealth("sources", store, for_writing=False, variable="WAYBILL_SOURCES_URL")

        def fail(*_: Any, **__: Any) -> None:
            raise ValueError

        with monkeypatch.context() as broken:
            broken.setattr(disk, "probe", fail)
            async with running(health.run):
                await until(lambda: health.is_up() is False)
                broken.undo()
                await until(lambda: health.is_up() is True)


async def test_a_store_whose_connections_are_all_in_use_is_not_taken_for_a_dead_one(
    s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "STORE_CONNECTIONS", 1)
    monkeypatch.setattr(limits, "STORE_PROBE_WITHIN_SECONDS", 2.0)
    depot = S3Depot(s3_server.options(s3_server.new_bucket()), s3_server.client)
    depot.put("a", bytes(8 * limits.COPY_CHUNK_BYTES))

    async with open_store(depot.location) as store:
        info = await store.head("a")
        async with aclosing(store.read("a", etag=info.etag, start_byte=0, length_bytes=info.size_bytes)) as chunks:
            await anext(chunks)  # and holds the one connection from now on

            await store.probe(for_writing=True)


async def test_looks_at_the_same_time_share_one_probe_and_agree(tmp_path: Path) -> None:
    store = WatchedDirectory(tmp_path)
    health = StoreHealth("objects", store, for_writing=True, variable="WAYBILL_OBJECTS_URL")

    found = await asyncio.gather(*(health.is_down_now() for _ in range(4)))

    assert (found, health.problems(), store.looks) == ([False] * 4, [], 1)


async def test_a_store_that_somebody_found_down_is_looked_at_soon_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "STORE_LOOK_EVERY_SECONDS", 3_600)
    root = tmp_path / "objects"
    await asyncio.to_thread(root.mkdir)
    health = StoreHealth("objects", ObjectDirectory(root), for_writing=False, variable="WAYBILL_OBJECTS_URL")
    async with running(health.run):
        await until(lambda: health.is_up() is True)
        await asyncio.to_thread(root.rmdir)
        assert await health.is_down_now()
        await asyncio.to_thread(root.mkdir)

        await until(lambda: health.is_up() is True)
