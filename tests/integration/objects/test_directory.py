import asyncio
import errno
import fcntl
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from pathlib import Path

import pytest

from shared import limits
from shared.errors import ObjectChanged, ObjectError, ObjectMissing, StoreFull, UploadInvalid
from shared.objects import disk
from shared.objects.directory import ObjectDirectory
from shared.objects.info import ObjectInfo, PartTag, Reading, Upload

CONTENT = bytes(range(256)) * 10_000  # ten chunks, and not at their border


@pytest.fixture
def store(tmp_path: Path) -> ObjectDirectory:
    return ObjectDirectory(tmp_path / "store")


async def put(store: ObjectDirectory, key: str, content: bytes, part_bytes: int = limits.PART_BYTES) -> None:
    upload = await store.create_upload(key, part_bytes=part_bytes)
    pieces = [content[start : start + part_bytes] for start in range(0, len(content), part_bytes)]
    parts = [await store.upload_part(upload, number, piece) for number, piece in enumerate(pieces, start=1)]
    await store.complete(upload, parts)


async def read_all(store: ObjectDirectory, key: str, etag: str, start: int = 0, length: int | None = None) -> bytes:
    return b"".join([chunk async for chunk in store.read(key, etag=etag, start_byte=start, length_bytes=length)])


def files_in(store: ObjectDirectory) -> list[str]:
    return sorted(str(path.relative_to(store.root)) for path in store.root.rglob("*"))


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_head_tells_size_time_and_an_etag_that_follows_the_content(store: ObjectDirectory) -> None:
    await put(store, "a/b.bin", b"hello")
    os.utime(store.root / "a/b.bin", ns=(0, 1_700_000_000_123_456_789))

    before = await store.head("a/b.bin")
    (store.root / "a/b.bin").write_bytes(b"hello, world")
    after = await store.head("a/b.bin")

    assert (before.key, before.size_bytes, before.modified_at_ms) == ("a/b.bin", 5, 1_700_000_000_123)
    assert int(before.etag, 16)
    assert before.etag != after.etag


async def test_a_copy_with_the_same_time_has_the_same_etag(store: ObjectDirectory) -> None:
    await put(store, "a", b"hello")
    await put(store, "b", b"hello")
    for key in ("a", "b"):
        os.utime(store.root / key, ns=(0, 5_000_000_000))

    assert (await store.head("a")).etag == (await store.head("b")).etag


@pytest.mark.parametrize("key", ["missing", "a", "a/b.bin/c", "x" * 300, "fifo"])
async def test_what_is_not_a_file_is_missing(store: ObjectDirectory, key: str) -> None:
    await put(store, "a/b.bin", b"hello")
    os.mkfifo(store.root / "fifo")

    with pytest.raises(ObjectMissing):
        await store.head(key)
    with pytest.raises(ObjectMissing):
        await read_all(store, key, "0")
    with pytest.raises(ObjectMissing):
        await store.read_into(key, memoryview(bytearray(1)), etag="0")


@pytest.mark.parametrize(
    ("start", "length"),
    [(0, None), (0, 0), (0, 1), (255, 70_000), (2_559_999, 1), (2_560_000, None), (1000, 2_000_000)],
)
async def test_any_range_is_read_exactly_in_small_chunks(
    store: ObjectDirectory, start: int, length: int | None
) -> None:
    await put(store, "a", CONTENT)
    etag = (await store.head("a")).etag

    chunks = [chunk async for chunk in store.read("a", etag=etag, start_byte=start, length_bytes=length)]

    assert b"".join(chunks) == CONTENT[start:][:length]
    assert max(map(len, chunks), default=0) <= limits.COPY_CHUNK_BYTES


async def test_a_buffer_is_filled_from_any_place(store: ObjectDirectory) -> None:
    await put(store, "a", CONTENT)
    buffer = bytearray(1_000_000)

    await store.read_into("a", memoryview(buffer), etag=(await store.head("a")).etag, start_byte=777)

    assert buffer == CONTENT[777:1_000_777]


async def test_another_etag_is_noticed_before_the_first_byte(store: ObjectDirectory) -> None:
    await put(store, "a", b"old")
    etag = (await store.head("a")).etag
    await put(store, "a", b"newer")

    with pytest.raises(ObjectChanged):
        await read_all(store, "a", etag)
    with pytest.raises(ObjectChanged):
        await store.read_into("a", memoryview(bytearray(1)), etag=etag)


async def test_a_buffer_that_reaches_beyond_the_end_is_not_filled_in_silence(store: ObjectDirectory) -> None:
    await put(store, "a", b"hello")

    with pytest.raises(ObjectChanged):
        await store.read_into("a", memoryview(bytearray(6)), etag=(await store.head("a")).etag)


def shrink(path: Path) -> None:
    os.truncate(path, 1_500_000)


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def touch_middle(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"!")
    os.utime(path, ns=(0, 1))


def replace(path: Path) -> None:
    """Put another file in its place, one that looks the same from outside: size and time."""
    status = path.stat()
    other = path.with_name("other")
    other.write_bytes(b"x" * status.st_size)
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.rename(path)


@pytest.mark.parametrize("change", [shrink, grow, touch_middle, replace, Path.unlink])
async def test_a_change_while_reading_is_noticed_before_the_last_chunk(
    store: ObjectDirectory, change: Callable[[Path], object]
) -> None:
    await put(store, "a", CONTENT)
    etag = (await store.head("a")).etag
    got: list[bytes] = []

    async def read_on() -> None:
        async for chunk in store.read("a", etag=etag):
            if not got:
                change(store.root / "a")
            got.append(chunk)

    with pytest.raises(ObjectChanged, match="The object a changed"):
        await read_on()

    assert sum(map(len, got)) < len(CONTENT)


async def test_reading_leaves_no_descriptor_open(store: ObjectDirectory) -> None:
    await put(store, "a", CONTENT)
    etag = (await store.head("a")).etag
    before = len(os.listdir("/dev/fd"))

    async with aclosing(store.read("a", etag=etag)) as chunks:
        await anext(chunks)
    with pytest.raises(ObjectChanged):
        await read_all(store, "a", "00")

    assert len(os.listdir("/dev/fd")) == before


# ── keys ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_no_key_and_no_link_leads_out_of_the_store(store: ObjectDirectory, tmp_path: Path) -> None:
    await put(store, "inside", b"hello")
    (tmp_path / "secret").write_bytes(b"secret")
    (store.root / "link").symlink_to(tmp_path / "secret")
    (store.root / "up").symlink_to(tmp_path)

    for key in ("../secret", "/etc/passwd", "link", "up/secret"):
        with pytest.raises(ObjectError):
            await store.head(key)
        with pytest.raises(ObjectError):
            await store.head_many(["inside", key])
        with pytest.raises(ObjectError):
            await read_all(store, key, "0")
    for key in ("../new", "up/new"):
        with pytest.raises(ObjectError):
            await store.create_upload(key, part_bytes=5)
        with pytest.raises(ObjectError):
            await store.delete(key)
    assert sorted(os.listdir(tmp_path)) == ["secret", "store"]


async def test_links_within_the_store_are_followed_and_removed_as_links(store: ObjectDirectory) -> None:
    await put(store, "real", b"hello")
    (store.root / "link").symlink_to("real")

    assert (await store.head("link")).size_bytes == 5
    await store.delete("link")

    assert files_in(store) == ["real"]


# ── writing ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_parts_in_any_order_and_twice_make_the_object(store: ObjectDirectory) -> None:
    upload = await store.create_upload("x/y/z", part_bytes=4)
    last = await store.upload_part(upload, 3, b"!")
    await store.upload_part(upload, 1, b"????")
    first = await store.upload_part(upload, 1, bytearray(b"hell"))
    second = await store.upload_part(upload, 2, memoryview(b"o wo"))

    await store.complete(upload, [first, second, last])

    assert (store.root / "x/y/z").read_bytes() == b"hello wo!"
    assert (await store.head("x/y/z")).size_bytes == 9
    assert files_in(store) == ["x", "x/y", "x/y/z"]


async def test_nothing_is_visible_before_complete_and_the_old_object_stays_whole(store: ObjectDirectory) -> None:
    await put(store, "a", b"old")
    upload = await store.create_upload("a", part_bytes=100)
    part = await store.upload_part(upload, 1, b"new content")

    assert (store.root / "a").read_bytes() == b"old"
    await store.complete(upload, [part])

    assert (store.root / "a").read_bytes() == b"new content"


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ([], "part 1 is missing"),
        ([PartTag(1, 4), PartTag(3, 1)], "part 2 is missing"),
        ([PartTag(2, 4)], "part 1 is missing"),
        ([PartTag(1, 3), PartTag(2, 1)], "part 1 is short"),
        ([PartTag(1, 4), PartTag(2, 4)], "9 bytes in place of 8"),
    ],
)
async def test_an_upload_with_a_hole_cannot_be_completed(
    store: ObjectDirectory, parts: list[PartTag], problem: str
) -> None:
    upload = await store.create_upload("a", part_bytes=4)
    for number, piece in ((1, b"aaaa"), (2, b"bbbb"), (3, b"c")):
        await store.upload_part(upload, number, piece)

    with pytest.raises(ObjectError, match=problem):
        await store.complete(upload, parts)

    assert not (store.root / "a").exists()


async def test_an_aborted_upload_leaves_nothing_and_takes_nothing_more(store: ObjectDirectory) -> None:
    await put(store, "kept", b"x")
    upload = await store.create_upload("x/y/z", part_bytes=4)
    part = await store.upload_part(upload, 1, b"abcd")

    await store.abort(upload)
    await store.abort(upload)

    with pytest.raises(ObjectError, match="does not exist any more"):
        await store.upload_part(upload, 2, b"e")
    with pytest.raises(ObjectError, match="does not exist any more"):
        await store.complete(upload, [part])
    assert files_in(store) == ["kept"]


async def test_delete_removes_the_object_and_its_empty_directories_and_may_be_repeated(store: ObjectDirectory) -> None:
    await put(store, "x/y/z", b"1")
    await put(store, "x/other", b"2")

    await store.delete("x/y/z")
    await store.delete("x/y/z")
    await store.delete("x")

    assert files_in(store) == ["x", "x/other"]


async def test_uploads_and_deletes_of_neighbours_do_not_disturb_each_other(store: ObjectDirectory) -> None:
    async def come_and_go(key: str) -> None:
        for _ in range(40):
            await put(store, key, b"x")
            await store.delete(key)

    await asyncio.gather(*(come_and_go(f"shared/directory/{number}") for number in range(4)))

    assert files_in(store) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
async def test_a_full_disk_says_so(store: ObjectDirectory, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    upload = await store.create_upload("a", part_bytes=4)

    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "pwrite", refuse)

    with pytest.raises(StoreFull, match="no room left for a"):
        await store.upload_part(upload, 1, b"abcd")


async def test_a_refused_file_says_whose_mode_to_check(store: ObjectDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may read everything, so the refusal is made up.
    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(disk, "head", refuse)

    with pytest.raises(ObjectError, match=r"may not use the object a: Permission denied\. Check its owner and mode"):
        await store.head("a")


# ── cancellation ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_cancelled_upload_part_ends_only_after_its_thread(
    store: ObjectDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = await store.create_upload("a", part_bytes=4)
    entered, leave, events = threading.Event(), threading.Event(), list[str]()

    def slow_sync(_: int) -> None:
        entered.set()
        leave.wait(10)
        events.append("thread ended")

    monkeypatch.setattr(os, "fsync", slow_sync)
    task = asyncio.create_task(store.upload_part(upload, 1, b"abcd"))
    await asyncio.to_thread(entered.wait, 10)

    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    leave.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    events.append("call ended")

    assert events == ["thread ended", "call ended"]


@pytest.mark.parametrize("call", ["head_many", "read_many_into"])
async def test_a_cancelled_call_for_many_waits_for_one_batch_and_begins_no_other(
    store: ObjectDirectory, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    for number in range(3 * limits.BATCH_OBJECTS):
        await put(store, f"{number}", b"x")
    keys = [f"{number}" for number in range(3 * limits.BATCH_OBJECTS)]
    readings = [Reading(info.key, info.etag, memoryview(bytearray(1))) for info in await store.head_many(keys) if info]
    entered, leave, found = threading.Event(), threading.Event(), list[str]()
    find = disk.Finder.find

    def slow_find(finder: disk.Finder, key: str) -> tuple[str, os.stat_result]:
        entered.set()
        leave.wait(10)
        found.append(key)
        return find(finder, key)

    monkeypatch.setattr(disk.Finder, "find", slow_find)
    task = asyncio.ensure_future(store.head_many(keys) if call == "head_many" else store.read_many_into(readings))
    await asyncio.to_thread(entered.wait, 10)

    task.cancel()
    await asyncio.sleep(0)
    leave.set()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert found == keys[: limits.BATCH_OBJECTS]


async def test_large_objects_are_read_one_in_a_hop(store: ObjectDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[int] = []
    read_all_of = ObjectDirectory._read_all

    def noted(self: ObjectDirectory, readings: Sequence[Reading]) -> None:
        batches.append(len(readings))
        read_all_of(self, readings)

    monkeypatch.setattr(ObjectDirectory, "_read_all", noted)
    await put(store, "large", bytes(limits.PART_BYTES))
    await put(store, "small", b"x")
    large, small = [(await store.head(key)).etag for key in ("large", "small")]
    view = memoryview(bytearray(limits.PART_BYTES))

    await store.read_many_into(
        [Reading("small", small, view[:1]), Reading("small", small, view[1:2]), Reading("large", large, view)]
    )

    assert batches == [2, 1]


async def test_a_cancelled_create_leaves_nothing(store: ObjectDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    create, entered = disk.create, threading.Event()

    def slow_create(root: Path, key: str, hidden_name: str) -> None:
        entered.set()
        time.sleep(0.02)
        create(root, key, hidden_name)

    monkeypatch.setattr(disk, "create", slow_create)
    task: asyncio.Task[Upload] = asyncio.create_task(store.create_upload("x/y", part_bytes=4))
    await asyncio.to_thread(entered.wait, 10)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert files_in(store) == []


async def test_a_listing_leaves_out_what_others_have_put_there(store: ObjectDirectory, tmp_path: Path) -> None:
    await put(store, "b/c", b"ours")
    await put(store, "z", b"ours")
    (store.root / "link").symlink_to(store.root / "z")
    (store.root / "elsewhere").symlink_to(tmp_path)
    os.mkfifo(store.root / "pipe")
    strange = os.fsencode(store.root) + b"/a\xff"
    with open(strange, "wb"):  # noqa: ASYNC230  # an empty file
        pass

    listed = [info.key async for page in store.listing() for info in page]

    assert listed == ["b/c", "z"]


async def test_a_listing_of_a_directory_that_cannot_be_read_says_so(
    store: ObjectDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)

    with pytest.raises(ObjectError, match="cannot be listed: Permission denied"):
        await anext(store.listing())


async def test_directories_that_go_away_during_a_listing_are_passed_over(
    store: ObjectDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "OBJECTS_PER_PAGE", 1)
    for key in ("a/x", "b/x", "c/x"):
        await put(store, key, b"1")

    async with aclosing(store.listing()) as listing:
        first = await anext(listing)
        await store.delete("b/x")
        rest = [info.key async for page in listing for info in page]

    assert ([info.key for info in first], rest) == (["a/x"], ["c/x"])


# ── two runs that have the same upload ────────────────────────────────────────────────────────────────────────────────


async def test_an_upload_that_somebody_still_writes_to_does_not_become_an_object(store: ObjectDirectory) -> None:
    upload = await store.create_upload("a/b", part_bytes=4)
    part = await store.upload_part(upload, 1, b"abcd")
    with next((store.root / "a").glob(".upload-*[!s]")).open("rb") as zombie:
        fcntl.flock(zombie, fcntl.LOCK_SH)  # as a run does that is superseded, and stands still in the midst of a part

        with pytest.raises(UploadInvalid, match="Another run still writes"):
            await store.complete(upload, [part])
        await store.upload_part(upload, 1, b"efgh")
        fcntl.flock(zombie, fcntl.LOCK_UN)

    await store.complete(upload, [part])
    assert (store.root / "a/b").read_bytes() == b"efgh"
    assert files_in(store) == ["a", "a/b"]


async def test_a_part_that_comes_when_the_object_is_there_does_not_touch_it(
    store: ObjectDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = await store.create_upload("a/b", part_bytes=4)
    part = await store.upload_part(upload, 1, b"abcd")
    completed: list[ObjectInfo] = []
    lock = fcntl.flock

    def complete_first(fd: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", lock)  # between a zombie's open and its lock, another run completes
        asyncio.run(store.complete(upload, [part]))
        completed.append(asyncio.run(store.head("a/b")))
        lock(fd, operation)

    monkeypatch.setattr(fcntl, "flock", complete_first)

    with pytest.raises(UploadInvalid, match="does not exist any more"):
        await store.upload_part(upload, 1, b"zzzz")

    assert [await store.head("a/b")] == completed
    assert (store.root / "a/b").read_bytes() == b"abcd"


async def test_a_file_system_without_locks_is_used_as_it_is(
    store: ObjectDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_fd: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)

    await put(store, "a/b", b"content")

    assert (store.root / "a/b").read_bytes() == b"content"


async def test_a_journal_that_a_crash_left_alone_is_found_as_an_upload_and_aborted(store: ObjectDirectory) -> None:
    upload = await store.create_upload("a/b", part_bytes=4)
    await store.upload_part(upload, 1, b"abcd")
    [hidden] = (store.root / "a").glob(".upload-*[!s]")
    hidden.rename(store.root / "a/b")  # as a crash leaves it, between the two steps of `complete`

    [found] = [orphan async for orphan in store.open_uploads()]
    assert found.upload_id == upload.upload_id
    await store.abort(found)

    assert files_in(store) == ["a", "a/b"]
