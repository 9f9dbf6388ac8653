"""What the protocol promises, of every store that keeps to it."""

import asyncio
import random
import time

import httpx
import pytest

from shared import limits
from shared.errors import ObjectChanged, ObjectError, ObjectMissing
from shared.objects.info import PartTag
from shared.objects.location import DirectoryOptions
from shared.objects.store import ObjectStore, abort_orphans
from tests.integration.objects.uploads import PART_BYTES, put, read_all, read_range
from tests.support.depots import Depot

CONTENT = random.Random(1).randbytes(2_560_000)


def insist_on_refusals(request: pytest.FixtureRequest) -> None:
    """Leave out moto: it answers 500 to what a server refuses, and is asked again in vain."""
    if "moto" in request.node.callspec.id:
        pytest.skip("moto answers 500 in place of a refusal")


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_head_tells_size_time_and_an_etag_that_follows_the_content(store: ObjectStore, depot: Depot) -> None:
    depot.put("a/b.bin", b"hello")
    before = await store.head("a/b.bin")
    depot.put("a/b.bin", b"other")
    after = await store.head("a/b.bin")

    assert (before.key, before.size_bytes) == ("a/b.bin", 5)
    assert abs(before.modified_at_ms - time.time() * 1000) < 3_600_000
    assert before.etag != after.etag
    assert '"' not in before.etag


@pytest.mark.parametrize("key", ["missing", "a/b.bin/c", "a", "Übersicht (1) + ?&%.pdf"])
async def test_what_is_not_there_is_missing(store: ObjectStore, depot: Depot, key: str) -> None:
    depot.put("a/b.bin", b"hello")

    with pytest.raises(ObjectMissing, match="There is no object"):
        await store.head(key)
    with pytest.raises(ObjectMissing):
        await read_range(store, key, "0", 0, 1)
    with pytest.raises(ObjectMissing):
        await store.read_into(key, memoryview(bytearray(1)), etag="0")


@pytest.mark.parametrize(
    ("start", "length"),
    [(0, 0), (0, 1), (255, 70_000), (2_559_999, 1), (2_560_000, 0), (1000, 2_000_000), (0, 2_560_000)],
)
async def test_any_range_is_read_exactly_in_small_chunks(
    store: ObjectStore, depot: Depot, start: int, length: int
) -> None:
    depot.put("a", CONTENT)
    etag = (await store.head("a")).etag

    chunks = [chunk async for chunk in store.read("a", etag=etag, start_byte=start, length_bytes=length)]

    assert b"".join(chunks) == CONTENT[start:][:length]
    assert max(map(len, chunks), default=0) <= limits.COPY_CHUNK_BYTES


async def test_a_buffer_is_filled_from_any_place(store: ObjectStore, depot: Depot) -> None:
    depot.put("Übersicht (1) + ?&%.pdf", CONTENT)
    buffer = bytearray(1_000_000)
    info = await store.head("Übersicht (1) + ?&%.pdf")

    await store.read_into(info.key, memoryview(buffer), etag=info.etag, start_byte=777)

    assert buffer == CONTENT[777:1_000_777]


async def test_another_object_under_the_key_is_noticed_before_the_first_byte(store: ObjectStore, depot: Depot) -> None:
    depot.put("a", b"old!")
    etag = (await store.head("a")).etag
    depot.put("a", b"new!")

    with pytest.raises(ObjectChanged, match=r"The object .*a.* changed"):
        await read_range(store, "a", etag, 0, 4)
    with pytest.raises(ObjectChanged):
        await store.read_into("a", memoryview(bytearray(1)), etag=etag)


@pytest.mark.parametrize("start", [0, 3, 5, 100])
async def test_a_buffer_that_reaches_beyond_the_end_is_not_filled_in_silence(
    store: ObjectStore, depot: Depot, start: int
) -> None:
    depot.put("a", b"hello")

    with pytest.raises(ObjectChanged):
        await store.read_into("a", memoryview(bytearray(6)), etag=(await store.head("a")).etag, start_byte=start)


async def test_an_empty_object_is_an_object(store: ObjectStore, depot: Depot) -> None:
    depot.put("empty", b"")

    info = await store.head("empty")

    assert info.size_bytes == 0
    assert await read_all(store, "empty") == b""
    assert await read_range(store, "empty", info.etag, 0, 0) == b""


# ── writing ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_parts_in_any_order_and_twice_make_the_object(store: ObjectStore, depot: Depot) -> None:
    pieces = [random.Random(number).randbytes(size) for number, size in enumerate((PART_BYTES, PART_BYTES, 7))]
    upload = await store.create_upload("x/y/z", part_bytes=PART_BYTES)
    last = await store.upload_part(upload, 3, pieces[2])
    await store.upload_part(upload, 1, bytes(PART_BYTES))
    first = await store.upload_part(upload, 1, bytearray(pieces[0]))
    second = await store.upload_part(upload, 2, memoryview(pieces[1]))

    assert depot.objects() == []
    await store.complete(upload, [first, second, last])

    assert await read_all(store, "x/y/z") == b"".join(pieces)
    assert (depot.objects(), depot.count_uploads()) == (["x/y/z"], 0)


async def test_an_old_object_stays_whole_until_the_new_one_is_complete(store: ObjectStore) -> None:
    await put(store, "a", b"old")
    upload = await store.create_upload("a", part_bytes=PART_BYTES)
    part = await store.upload_part(upload, 1, b"new content")

    assert await read_all(store, "a") == b"old"
    await store.complete(upload, [part])

    assert await read_all(store, "a") == b"new content"


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ([], "part 1 is missing"),
        ([PartTag(1, PART_BYTES), PartTag(3, 1)], "part 2 is missing"),
        ([PartTag(1, 3), PartTag(2, 1)], "part 1 is short"),
    ],
)
async def test_an_upload_with_a_hole_cannot_be_completed(
    store: ObjectStore, depot: Depot, parts: list[PartTag], problem: str
) -> None:
    upload = await store.create_upload("a", part_bytes=PART_BYTES)

    with pytest.raises(ObjectError, match=problem):
        await store.complete(upload, parts)

    assert depot.objects() == []


async def test_an_aborted_upload_leaves_nothing_and_takes_nothing_more(
    store: ObjectStore, depot: Depot, request: pytest.FixtureRequest
) -> None:
    depot.put("kept", b"x")
    upload = await store.create_upload("x/y/z", part_bytes=PART_BYTES)
    part = await store.upload_part(upload, 1, b"abcd")

    await store.abort(upload)
    await store.abort(upload)

    assert (depot.objects(), depot.count_uploads()) == (["kept"], 0)
    insist_on_refusals(request)
    with pytest.raises(ObjectError, match="does not exist any more"):
        await store.upload_part(upload, 2, b"e")
    with pytest.raises(ObjectError, match="does not exist any more"):
        await store.complete(upload, [part])


async def test_a_cancelled_create_leaves_nothing(store: ObjectStore, depot: Depot) -> None:
    for turns in range(12):  # in as many places as there are
        task = asyncio.create_task(store.create_upload("x/y", part_bytes=PART_BYTES))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():  # it was through already
            await store.abort(task.result())

    assert depot.count_uploads() == 0


async def test_delete_may_be_repeated(store: ObjectStore, depot: Depot) -> None:
    depot.put("x/y", b"1")
    depot.put("x/z", b"2")

    await store.delete("x/y")
    await store.delete("x/y")

    assert depot.objects() == ["x/z"]


async def test_no_key_leads_out_of_the_store(store: ObjectStore) -> None:
    for key in ("../secret", "/etc/passwd", "a//b", ""):
        with pytest.raises(ObjectError, match="cannot be the key"):
            await store.head(key)
        with pytest.raises(ObjectError):
            await read_range(store, key, "0", 0, 1)
        with pytest.raises(ObjectError):
            await store.create_upload(key, part_bytes=PART_BYTES)
        with pytest.raises(ObjectError):
            await store.delete(key)


# ── orphans ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_unfinished_uploads_are_listed_and_the_old_ones_aborted(
    store: ObjectStore, depot: Depot, request: pytest.FixtureRequest
) -> None:
    uploads = [await store.create_upload(f"x/{number}", part_bytes=PART_BYTES) for number in range(3)]
    await store.complete(uploads[0], [await store.upload_part(uploads[0], 1, b"done")])

    listed = [upload async for upload in store.open_uploads()]
    assert sorted(upload.upload_id for upload in listed) == sorted(upload.upload_id for upload in uploads[1:])
    if "moto" not in request.node.callspec.id:  # its uploads all began in 2010
        assert await abort_orphans(store, started_before_ms=int(time.time() - 3600) * 1000) == 0
    assert await abort_orphans(store, started_before_ms=int(time.time() + 3600) * 1000) == 2

    assert (depot.objects(), depot.count_uploads()) == (["x/0"], 0)


# ── links ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_link_gives_the_bytes_under_the_wanted_name_to_anybody(store: ObjectStore, depot: Depot) -> None:
    await put(store, "b/ü.zip", CONTENT)
    disposition = "attachment; filename=\"Bericht.zip\"; filename*=UTF-8''%C3%9Cbersicht.zip"

    url = await store.link(
        "b/ü.zip", content_disposition=disposition, content_type="application/zip", longest_seconds=60
    )

    if isinstance(depot.location, DirectoryOptions):
        assert url is None
        return
    assert url is not None
    async with httpx.AsyncClient() as browser:
        answer = await browser.get(url)
        part = await browser.get(url, headers={"range": "bytes=5-9"})
    assert answer.content == CONTENT
    assert answer.headers["content-disposition"] == disposition
    assert answer.headers["content-type"] == "application/zip"
    assert (part.status_code, part.content) == (206, CONTENT[5:10])
