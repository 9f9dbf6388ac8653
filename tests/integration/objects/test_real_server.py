"""What only a real S3 server proves: signatures, expiry, checksums, permissions, conditions, and broken connections."""

import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import botocore.auth
import httpx
import msgspec
import pytest
import pytest_asyncio
from botocore.compat import get_current_datetime
from botocore.exceptions import ClientError

from shared import limits
from shared.errors import ObjectError, ObjectForbidden, StoreRefused, StoreUnavailable
from shared.objects.info import Reading
from shared.objects.location import S3Options
from shared.objects.opening import open_store
from shared.objects.store import ObjectStore, abort_orphans
from tests.integration.objects.uploads import PART_BYTES, put, read_all
from tests.support.depots import S3Depot
from tests.support.proxy import FaultProxy
from tests.support.s3_server import SECRET_KEY, S3Server

CONTENT = bytes(range(256)) * 120_000  # 30 MB: more than fits into the sockets' buffers


@pytest_asyncio.fixture
async def store(s3_depot: S3Depot) -> AsyncIterator[ObjectStore]:
    """A store on the real server."""
    async with open_store(s3_depot.location) as opened:
        yield opened


@pytest.fixture
def shift_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Set the clock by which requests are signed."""

    def shift(by: timedelta) -> None:
        def shifted(*arguments: Any, **more: Any) -> datetime:
            return get_current_datetime(*arguments, **more) + by

        monkeypatch.setattr(botocore.auth, "get_current_datetime", shifted)

    return shift


async def fail_to_head(options: S3Options) -> ObjectError:
    """Ask for an object with wrong options; nothing secret may be said."""
    async with open_store(options) as store:
        with pytest.raises(ObjectError) as caught:
            await store.head("a")
    for secret in (SECRET_KEY, "a-wrong-secret", "Signature="):
        assert secret not in caught.value.message
    assert options.bucket in caught.value.message
    return caught.value


# ── links ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

link_for_a_minute = {"content_disposition": "attachment", "content_type": "application/zip", "longest_seconds": 60}


async def test_a_link_is_refused_after_its_time(
    store: ObjectStore, s3_depot: S3Depot, shift_clock: Callable[[timedelta], None]
) -> None:
    s3_depot.put("a", b"hello")
    shift_clock(timedelta(seconds=-70))

    url = await store.link("a", **link_for_a_minute)  # type: ignore[arg-type]

    assert url is not None
    async with httpx.AsyncClient() as browser:
        assert (await browser.get(url)).status_code == 403


@pytest.mark.parametrize(("old", "new"), [("/a?", "/b?"), ("=attachment", "=inline"), ("Expires=60", "Expires=6000")])
async def test_a_link_that_was_changed_is_refused(store: ObjectStore, s3_depot: S3Depot, old: str, new: str) -> None:
    for key in "ab":
        s3_depot.put(key, b"hello")

    url = await store.link("a", **link_for_a_minute)  # type: ignore[arg-type]

    assert url is not None
    assert old in url
    async with httpx.AsyncClient() as browser:
        assert (await browser.get(url)).status_code == 200
        assert (await browser.get(url.replace(old, new))).status_code == 403


async def test_a_link_names_the_public_endpoint(s3_depot: S3Depot, s3_server: S3Server) -> None:
    s3_depot.put("a", b"hello")
    public = f"http://localhost:{s3_server.port}"

    async with open_store(msgspec.structs.replace(s3_depot.location, public_endpoint_url=public)) as store:
        url = await store.link("a", **link_for_a_minute)  # type: ignore[arg-type]

    assert url is not None
    assert url.startswith(public)
    async with httpx.AsyncClient() as browser:
        assert (await browser.get(url)).content == b"hello"


# ── refusals ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_wrong_secret_is_told_as_one(s3_depot: S3Depot) -> None:
    s3_depot.put("a", b"hello")

    error = await fail_to_head(msgspec.structs.replace(s3_depot.location, secret_access_key="a-wrong-secret"))

    assert isinstance(error, StoreRefused)
    assert "secret access key is wrong" in error.message
    assert "AWS_SECRET_ACCESS_KEY" in error.message


async def test_an_unknown_access_key_is_told_as_one(s3_depot: S3Depot) -> None:
    error = await fail_to_head(msgspec.structs.replace(s3_depot.location, access_key_id="nobody"))

    assert isinstance(error, StoreRefused)
    assert "Check AWS_ACCESS_KEY_ID" in error.message


async def test_missing_credentials_are_told_before_anything_is_sent(
    s3_depot: S3Depot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    nobody = msgspec.structs.replace(s3_depot.location, access_key_id=None, secret_access_key=None)

    error = await fail_to_head(nobody)

    assert isinstance(error, StoreRefused)
    assert "has no credentials" in error.message


async def test_credentials_come_from_the_environment(s3_depot: S3Depot, monkeypatch: pytest.MonkeyPatch) -> None:
    s3_depot.put("a", b"hello")
    location = s3_depot.location
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", location.access_key_id or "")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", location.secret_access_key or "")

    async with open_store(msgspec.structs.replace(location, access_key_id=None, secret_access_key=None)) as store:
        assert (await store.head("a")).size_bytes == 5


async def test_a_wrong_bucket_is_told_as_one(s3_depot: S3Depot) -> None:
    error = await fail_to_head(msgspec.structs.replace(s3_depot.location, bucket="no-such-bucket"))

    assert isinstance(error, StoreRefused)
    assert "The bucket no-such-bucket does not exist at http://127.0.0.1:" in error.message


async def test_a_bucket_without_permission_is_told_with_what_to_grant(s3_depot: S3Depot, s3_server: S3Server) -> None:
    s3_depot.put("a", b"hello")
    s3_server.add_user("stranger", "a-wrong-secret")
    stranger = msgspec.structs.replace(s3_depot.location, access_key_id="stranger", secret_access_key="a-wrong-secret")

    error = await fail_to_head(stranger)

    assert isinstance(error, ObjectForbidden)
    assert "Grant it s3:GetObject" in error.message
    async with open_store(stranger) as store:
        with pytest.raises(ObjectForbidden, match="Grant it s3:PutObject"):
            await store.create_upload("b", part_bytes=PART_BYTES)


@pytest.mark.parametrize(("by", "words"), [(timedelta(hours=1), "ahead of"), (timedelta(hours=-1), "behind")])
async def test_a_wrong_clock_is_told_with_its_difference(
    s3_depot: S3Depot,
    shift_clock: Callable[[timedelta], None],
    monkeypatch: pytest.MonkeyPatch,
    by: timedelta,
    words: str,
) -> None:
    class WrongClock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz or UTC) + by

    shift_clock(by)
    monkeypatch.setattr("shared.objects.s3_trouble.datetime", WrongClock)

    error = await fail_to_head(s3_depot.location)

    assert isinstance(error, StoreRefused)
    assert words in error.message
    assert "Set this machine's clock" in error.message


async def test_the_region_of_a_bucket_is_learned_from_the_first_refusal(s3_depot: S3Depot) -> None:
    s3_depot.put("a", b"hello")

    async with open_store(msgspec.structs.replace(s3_depot.location, region="eu-west-1")) as store:
        assert (await store.head("a")).size_bytes == 5


# ── bytes ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_part_that_arrives_damaged_is_refused(
    store: ObjectStore, s3_depot: S3Depot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "STORE_RETRY_CAP_MS", 1)
    upload = await store.create_upload("a", part_bytes=PART_BYTES)

    with pytest.raises(StoreUnavailable, match="arrived damaged"):
        await store.upload_part(upload, 1, b"hello", crc32=12345)

    await store.abort(upload)
    assert (s3_depot.objects(), s3_depot.count_uploads()) == ([], 0)


@pytest.mark.parametrize("checksums", [True, False])
async def test_with_and_without_checksums_the_same_bytes_arrive(s3_depot: S3Depot, *, checksums: bool) -> None:
    async with open_store(msgspec.structs.replace(s3_depot.location, checksums=checksums)) as store:
        await put(store, "a", CONTENT, PART_BYTES)

        assert await read_all(store, "a") == CONTENT
    assert s3_depot.get("a") == CONTENT


async def test_the_crc_of_a_whole_object_is_known_without_reading_it(store: ObjectStore, s3_depot: S3Depot) -> None:
    s3_depot.client.put_object(
        Bucket=s3_depot.location.bucket, Key=s3_depot.name("a"), Body=b"hello", ChecksumAlgorithm="CRC32"
    )
    await put(store, "b", CONTENT, PART_BYTES)

    assert (await store.head("a")).crc32 == 0x3610A686
    assert (await store.head("b")).crc32 is None  # that of the parts' CRCs is another number


@pytest.mark.parametrize(
    ("call", "most"), [("head_many", limits.STORE_LOOK_UPS_AT_ONCE), ("read_many_into", limits.STORE_READS_AT_ONCE)]
)
async def test_a_call_for_many_asks_a_few_at_a_time(
    store: ObjectStore, s3_depot: S3Depot, monkeypatch: pytest.MonkeyPatch, call: str, most: int
) -> None:
    s3_depot.put("a", b"hello")
    info = await store.head("a")
    client = store._client  # type: ignore[attr-defined]
    asked, in_hand, most_in_hand = 0, 0, 0

    def counted(method: Callable[..., Any]) -> Callable[..., Any]:
        async def ask(**arguments: Any) -> Any:
            nonlocal asked, in_hand, most_in_hand
            asked, in_hand = asked + 1, in_hand + 1
            most_in_hand = max(most_in_hand, in_hand)
            try:
                return await method(**arguments)
            finally:
                in_hand -= 1

        return ask

    for name in ("head_object", "get_object"):
        monkeypatch.setattr(client, name, counted(getattr(client, name)))
    if call == "head_many":
        await store.head_many(["a"] * 40)
    else:
        await store.read_many_into([Reading("a", info.etag, memoryview(bytearray(5))) for _ in range(40)])

    assert (asked, most_in_hand) == (40, most)


def test_the_server_keeps_to_conditions_itself(s3_depot: S3Depot) -> None:
    s3_depot.put("a", b"hello")
    get = partial(s3_depot.client.get_object, Bucket=s3_depot.location.bucket, Key=s3_depot.name("a"))

    with pytest.raises(ClientError, match="PreconditionFailed"):
        get(IfMatch='"0123456789abcdef0123456789abcdef"')


# ── broken connections ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_read_goes_on_from_the_byte_at_which_it_broke(
    s3_depot: S3Depot, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3_depot.put("a", CONTENT)
    asked: list[str] = []
    got = bytearray()

    async with FaultProxy(s3_server.port).listening() as wire:
        through = msgspec.structs.replace(s3_depot.location, endpoint_url=f"http://127.0.0.1:{wire.port}")
        async with open_store(through) as store:
            etag = (await store.head("a")).etag
            get = store._get  # type: ignore[attr-defined]

            async def noted(key: str, **more: str) -> Any:
                asked.append(more["Range"])
                return await get(key, **more)

            monkeypatch.setattr(store, "_get", noted)
            cuts = [9_000_000, 1_000_000]
            async for chunk in store.read("a", etag=etag, start_byte=0, length_bytes=len(CONTENT)):
                got += chunk
                if cuts and len(got) > cuts[-1]:
                    cuts.pop()
                    wire.cut()

    assert got == CONTENT
    starts = [int(part.removeprefix("bytes=").partition("-")[0]) for part in asked]
    assert len(starts) == 3
    assert starts[0] == 0
    assert 1_000_000 < starts[1] < starts[2] < len(CONTENT)


async def test_a_server_that_is_restarted_in_the_midst_of_a_read_is_waited_for(
    store: ObjectStore, s3_depot: S3Depot, s3_server: S3Server
) -> None:
    s3_depot.put("a", CONTENT)
    etag = (await store.head("a")).etag
    got = bytearray()

    async for chunk in store.read("a", etag=etag, start_byte=0, length_bytes=len(CONTENT)):
        if not got:
            s3_server.stop()
            s3_server.start()
        got += chunk

    assert got == CONTENT


async def test_a_repeated_call_whose_first_reply_was_lost_gets_the_first_outcome(
    s3_depot: S3Depot, s3_server: S3Server
) -> None:
    async with FaultProxy(s3_server.port).listening() as wire:
        through = msgspec.structs.replace(s3_depot.location, endpoint_url=f"http://127.0.0.1:{wire.port}")
        async with open_store(through) as store:
            upload = await store.create_upload("a", part_bytes=PART_BYTES)
            wire.lose_next_reply()
            part = await store.upload_part(upload, 1, b"hello")
            wire.lose_next_reply()
            await store.complete(upload, [part])
            assert wire.lost_replies == 2
            wire.lose_next_reply()
            await store.abort(upload)
            assert await read_all(store, "a") == b"hello"
            wire.lose_next_reply()
            await store.delete("a")
            assert wire.lost_replies == 4
    assert (s3_depot.objects(), s3_depot.count_uploads()) == ([], 0)


async def test_an_upload_begun_unheard_costs_no_other_run_its_upload_and_ends_as_an_orphan(
    s3_depot: S3Depot, s3_server: S3Server
) -> None:
    async with FaultProxy(s3_server.port).listening() as wire:
        through = msgspec.structs.replace(s3_depot.location, endpoint_url=f"http://127.0.0.1:{wire.port}")
        async with open_store(s3_depot.location) as theirs, open_store(through) as ours:
            # Of the run that took the job over while this one stood still, in the midst of its first try.
            other = await theirs.create_upload("a/b", part_bytes=PART_BYTES)
            wire.lose_next_reply()
            upload = await ours.create_upload("a/b", part_bytes=PART_BYTES)

            assert wire.lost_replies == 1
            left = {found.upload_id async for found in ours.open_uploads()}
            assert left > {upload.upload_id, other.upload_id}
            assert (len(left), s3_depot.count_uploads_with_parts()) == (3, 0)
            assert (await abort_orphans(theirs, started_before_ms=int(time.time() + 3600) * 1000)).aborted == 3


async def test_a_complete_that_went_through_unheard_is_no_failure(
    store: ObjectStore, s3_depot: S3Depot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """versitygw answers a repeated Complete like the first; others do not know the upload any more."""
    client = store._client  # type: ignore[attr-defined]
    complete, calls = client.complete_multipart_upload, list[int]()

    async def unheard(**arguments: Any) -> None:
        calls.append(1)
        if len(calls) > 1:
            raise ClientError({"Error": {"Code": "NoSuchUpload", "Message": ""}}, "CompleteMultipartUpload")
        await complete(**arguments)
        raise ConnectionResetError

    monkeypatch.setattr(client, "complete_multipart_upload", unheard)
    upload = await store.create_upload("a", part_bytes=PART_BYTES)

    await store.complete(upload, [await store.upload_part(upload, 1, b"hello")])

    assert len(calls) == 2
    assert s3_depot.get("a") == b"hello"
    other = await store.create_upload("b", part_bytes=PART_BYTES)
    part = await store.upload_part(other, 1, b"hello")
    with pytest.raises(ObjectError, match="does not exist any more"):
        await store.complete(other, [part])


async def test_a_store_that_stays_away_is_given_up_with_its_address(
    s3_depot: S3Depot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "STORE_RETRY_CAP_MS", 1)

    async with open_store(msgspec.structs.replace(s3_depot.location, endpoint_url="http://127.0.0.1:1")) as store:
        with pytest.raises(StoreUnavailable) as caught:
            await store.head("a")
    where = f"tenant/a/a in the bucket {s3_depot.location.bucket}"
    sentence = f"The store at http://127.0.0.1:1 could not look up {where}: it cannot be reached; check that it is up"
    assert caught.value.message.startswith(sentence)


async def test_parts_are_listed_page_by_page(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    client = store._client  # type: ignore[attr-defined]
    monkeypatch.setattr(client, "list_parts", partial(client.list_parts, MaxParts=2))
    upload = await store.create_upload("a", part_bytes=PART_BYTES)
    sent = [await store.upload_part(upload, number, b"%d" % number) for number in range(1, 6)]

    assert await store.list_parts(upload) == sent

    await store.abort(upload)
