"""What the protocol promises, of every store that keeps to it."""

import asyncio
import random
import time
import zlib

import httpx
import msgspec
import pytest

from shared import limits
from shared.errors import ObjectChanged, ObjectError, ObjectMissing, UploadInvalid
from shared.objects.info import PartTag, Reading
from shared.objects.location import DirectoryOptions
from shared.objects.opening import open_store
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


# ── many at once ──────────────────────────────────────────────────────────────────────────────────────────────────────

MANY = 2 * limits.BATCH_OBJECTS + 5  # more than a batch, and than are asked for side by side


@pytest.fixture
def many(depot: Depot) -> dict[str, bytes]:
    """Small objects, each with a content and a length of its own; one is empty."""
    contents = {f"many/{number}": f"{number}-".encode() * number for number in range(MANY)}
    for key, content in contents.items():
        depot.put(key, content)
    return contents


async def readings_of(store: ObjectStore, contents: dict[str, bytes]) -> list[Reading]:
    """Ask for the whole of every object, each in a buffer of its own."""
    infos = await store.head_many(list(contents))
    return [Reading(info.key, info.etag, memoryview(bytearray(info.size_bytes))) for info in infos if info]


async def test_many_are_described_in_their_order_and_the_missing_ones_hide_no_other(
    store: ObjectStore, many: dict[str, bytes]
) -> None:
    keys = list(many)
    keys[3] = keys[-1] = "many/gone"
    keys[100] = "Übersicht (1) + ?&%.pdf"

    found = await store.head_many(keys)

    assert [info and info.key for info in found] == [key if key in many else None for key in keys]
    assert [info.size_bytes for info in found if info] == [len(many[key]) for key in keys if key in many]
    assert found[5] == await store.head(keys[5])


async def test_many_are_read_each_into_its_view(store: ObjectStore, many: dict[str, bytes]) -> None:
    readings = await readings_of(store, many)

    await store.read_many_into(readings)

    assert {reading.key: bytes(reading.view) for reading in readings} == many


async def test_the_same_object_is_described_and_read_as_often_as_it_is_asked_for(
    store: ObjectStore, depot: Depot
) -> None:
    depot.put("a", b"hello")

    first, missing, second = await store.head_many(["a", "gone", "a"])
    assert first is not None
    buffer = memoryview(bytearray(9))
    await store.read_many_into(
        [
            Reading("a", first.etag, buffer[:5]),
            Reading("a", first.etag, buffer[5:7], 3),
            Reading("a", first.etag, buffer[7:]),
        ]
    )

    assert (missing, second) == (None, first)
    assert bytes(buffer) == b"hellolohe"


async def test_nothing_is_asked_of_the_store_for_no_key(store: ObjectStore) -> None:
    assert await store.head_many([]) == []
    await store.read_many_into([])


@pytest.mark.parametrize("length", [0, 1, 400])
async def test_one_that_changed_among_many_is_named(
    store: ObjectStore, depot: Depot, many: dict[str, bytes], length: int
) -> None:
    readings = await readings_of(store, many)
    depot.put("many/99", b"x" * length)

    with pytest.raises(ObjectChanged, match=r"many/99") as caught:
        await store.read_many_into(readings)

    assert caught.value.key == "many/99"


async def test_one_that_is_gone_among_many_is_named(store: ObjectStore, many: dict[str, bytes]) -> None:
    readings = await readings_of(store, many)
    await store.delete("many/99")

    with pytest.raises(ObjectMissing, match=r"many/99") as caught:
        await store.read_many_into(readings)

    assert caught.value.key == "many/99"


async def test_what_is_no_key_is_named_among_many(store: ObjectStore, many: dict[str, bytes]) -> None:
    with pytest.raises(ObjectError, match="cannot be the key") as caught:
        await store.head_many([*many, "../secret"])
    assert caught.value.key == "../secret"

    readings = await readings_of(store, many)
    with pytest.raises(ObjectError, match="cannot be the key"):
        await store.read_many_into([*readings, Reading("../secret", "0", memoryview(bytearray(1)))])


async def test_a_cancelled_call_for_many_writes_nothing_afterwards(store: ObjectStore, many: dict[str, bytes]) -> None:
    readings = await readings_of(store, many)
    for turns in (0, 1, 3, 10, 40):  # in several places of its way
        task = asyncio.create_task(store.read_many_into(readings))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

        for reading in readings:
            reading.view[:] = bytes(len(reading.view))
        await store.head_many(list(many))  # time in which a read that was left behind would come to its end
        assert not any(map(any, (reading.view for reading in readings)))

    await store.read_many_into(readings)  # and the store is as good as before
    assert {reading.key: bytes(reading.view) for reading in readings} == many


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


async def test_the_parts_of_an_upload_are_listed_as_they_were_written_last(
    store: ObjectStore, request: pytest.FixtureRequest
) -> None:
    upload = await store.create_upload("x/y/z", part_bytes=PART_BYTES)
    assert await store.list_parts(upload) == []
    third = await store.upload_part(upload, 3, b"the last one", crc32=zlib.crc32(b"the last one"))
    await store.upload_part(upload, 1, bytes(PART_BYTES), crc32=zlib.crc32(bytes(PART_BYTES)))
    first = await store.upload_part(upload, 1, CONTENT, crc32=zlib.crc32(CONTENT))

    listed = await store.list_parts(upload)

    if "moto" in request.node.callspec.id:  # it lists no checksums
        listed = [
            msgspec.structs.replace(part, crc32=sent.crc32) for part, sent in zip(listed, (first, third), strict=True)
        ]
    assert listed == [first, third]


async def test_an_upload_goes_on_from_its_list_of_parts(store: ObjectStore, depot: Depot) -> None:
    pieces = [random.Random(number).randbytes(size) for number, size in enumerate((PART_BYTES, PART_BYTES, 7))]
    upload = await store.create_upload("x/y/z", part_bytes=PART_BYTES)
    for number in (3, 1):
        await store.upload_part(upload, number, pieces[number - 1])

    async with open_store(depot.location) as elsewhere:
        second = await elsewhere.upload_part(upload, 2, pieces[1])
        first, listed, third = await elsewhere.list_parts(upload)
        await elsewhere.complete(upload, [first, second, third])

    assert (listed.number, listed.size_bytes, listed.etag) == (2, PART_BYTES, second.etag)
    assert await read_all(store, "x/y/z") == b"".join(pieces)
    assert depot.count_uploads() == 0


@pytest.mark.parametrize("is_completed", [True, False], ids=["completed", "aborted"])
async def test_an_upload_that_has_ended_lists_nothing(
    store: ObjectStore, request: pytest.FixtureRequest, is_completed: bool
) -> None:
    insist_on_refusals(request)
    upload = await store.create_upload("x/y/z", part_bytes=PART_BYTES)
    part = await store.upload_part(upload, 1, b"abcd")
    await (store.complete(upload, [part]) if is_completed else store.abort(upload))

    with pytest.raises(UploadInvalid, match="does not exist any more"):
        await store.list_parts(upload)


async def test_parts_that_are_not_those_of_the_upload_complete_nothing(
    store: ObjectStore, depot: Depot, request: pytest.FixtureRequest
) -> None:
    insist_on_refusals(request)
    upload = await store.create_upload("a", part_bytes=PART_BYTES)
    sent = [await store.upload_part(upload, 1, bytes(PART_BYTES)), await store.upload_part(upload, 2, b"x")]
    others = [msgspec.structs.replace(part, etag='"0123456789abcdef0123456789abcdef"') for part in sent]

    with pytest.raises(UploadInvalid):
        await store.complete(upload, [others[0], msgspec.structs.replace(others[1], size_bytes=2)])

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
        assert await abort_orphans(store, started_before_ms=int(time.time() - 3600) * 1000) == (0, 0, None)
    assert await abort_orphans(store, started_before_ms=int(time.time() + 3600) * 1000) == (2, 0, None)

    assert (depot.objects(), depot.count_uploads()) == (["x/0"], 0)


# ── listing ───────────────────────────────────────────────────────────────────────────────────────────────────────────

SOME_KEYS = sorted(["a-b", "a.b", "a/b", "a0", "a/c d+&%.zip", "b/ü.zip", "b/𝄞", "bundles/x/1.zip", "z"])


@pytest.mark.parametrize("page_objects", [1_000, 3, 1])
async def test_a_listing_gives_every_object_once_in_order_page_by_page(
    store: ObjectStore, depot: Depot, monkeypatch: pytest.MonkeyPatch, page_objects: int
) -> None:
    monkeypatch.setattr(limits, "OBJECTS_PER_PAGE", page_objects)
    for key in SOME_KEYS:
        depot.put(key, key.encode())
    await store.create_upload("a/open", part_bytes=PART_BYTES)

    pages = [page async for page in store.listing()]
    behind = [info.key async for page in store.listing(after="a/b") for info in page]

    listed = [info for page in pages for info in page]
    assert [(info.key, info.size_bytes) for info in listed] == [(key, len(key.encode())) for key in SOME_KEYS]
    assert max(map(len, pages)) <= page_objects
    assert behind == [key for key in SOME_KEYS if key > "a/b"]


async def test_a_listed_object_is_described_as_by_head(store: ObjectStore, depot: Depot) -> None:
    depot.put("a/b", b"hello")

    [listed] = [info async for page in store.listing() for info in page]

    found = await store.head("a/b")
    assert (listed.key, listed.size_bytes, listed.etag) == (found.key, found.size_bytes, found.etag)
    assert abs(listed.modified_at_ms - found.modified_at_ms) < 1_000  # a HEAD tells whole seconds


async def test_a_listing_of_nothing_has_nothing_in_it(store: ObjectStore, depot: Depot) -> None:
    depot.put("x", b"")
    await store.delete("x")

    assert [info async for page in store.listing() for info in page] == []


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
