"""An object store in an S3 bucket, or in one of any server that speaks the same protocol.

Low-level calls only, on clients for the life of the process (upload_fileobj and its kin have truncation and race
bugs). Who retries is this module and nobody below it: botocore's own tries would multiply with ours and cannot go on
from the byte at which a read broke. The memory of a part is its caller's; nothing here copies it.
"""

import asyncio
import mimetypes
import time
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError

from shared import limits
from shared.errors import ObjectChanged, ObjectError, StoreUnavailable
from shared.objects import s3_errors
from shared.objects.info import (
    Content,
    ObjectInfo,
    OpenUpload,
    PartTag,
    Reading,
    Upload,
    UploadName,
    check_key,
    insist_on_all,
)
from shared.objects.location import S3Options
from shared.objects.part_body import PartBody
from shared.objects.patience import Patience
from shared.objects.s3_checksum import crc32_in, encoded
from shared.objects.s3_client import Clients, opened_clients
from shared.objects.s3_links import Linker
from shared.objects.s3_pages import listed_objects, listed_parts, listed_uploads
from shared.objects.s3_trouble import TROUBLE, S3Trouble
from shared.objects.side_by_side import head_each, read_each_into
from shared.objects.threads import in_thread, until_done

if TYPE_CHECKING:
    from aiobotocore.response import StreamingBody
    from types_aiobotocore_s3.type_defs import CompletedPartTypeDef

T = TypeVar("T")

_ARCHIVES = ("GLACIER", "DEEP_ARCHIVE")  # GLACIER_IR can be read at once


class S3ObjectStore:
    """The objects below one prefix of one bucket."""

    def __init__(self, options: S3Options, clients: Clients, linker: Linker) -> None:
        self._options = options
        self._client = clients.calling
        self._looking = clients.looking
        self._linker = linker
        self._bucket = options.bucket
        self._prefix = f"{options.prefix}/" if options.prefix else ""
        place = options.endpoint_url or "Amazon S3"
        self._trouble = S3Trouble(options.bucket, self._prefix, place, clients.login)

    @classmethod
    @asynccontextmanager
    async def opened(cls, options: S3Options) -> "AsyncIterator[S3ObjectStore]":
        """Give a store with its client, until the end of the block. Asks nothing of the server.

        Raises SettingsError when the options cannot be used on this machine.
        """
        async with opened_clients(options) as clients:
            yield cls(options, clients, await in_thread(Linker, options, clients.signing))

    async def probe(self, *, for_writing: bool) -> None:  # only a write could tell, and it would cost one
        """Return when the server knows bucket and keys; needs s3:ListBucket. Raises what is wrong with them."""
        within_seconds = limits.STORE_PROBE_WITHIN_SECONDS
        try:
            async with asyncio.timeout(within_seconds):
                await self._probe(partial(self._call, "look at", "", patience=Patience(1)))
        except TimeoutError as error:
            raise self._trouble.unavailable("look at", "", f"no answer within {within_seconds:.0f} s") from error

    async def _probe(self, call_once: Callable[[Callable[[], Awaitable[object]]], Awaitable[object]]) -> None:
        try:
            await call_once(partial(self._looking.head_bucket, Bucket=self._bucket))
        except StoreUnavailable:
            raise
        except ObjectError:  # the answer to a HEAD has no body, so no reason; and a list may be allowed for the prefix
            listing = partial(self._looking.list_objects_v2, Bucket=self._bucket, Prefix=self._prefix, MaxKeys=1)
            await call_once(listing)

    # ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def head(self, key: str) -> ObjectInfo:
        """Describe an object. Raises ObjectMissing, and ObjectArchived when it would have to be restored first."""
        try:
            found = await self._call("head", key, partial(self._head, key))
        except StoreUnavailable:
            raise
        except ObjectError:
            await self._find_reason(key)
            # It can be read. In the midst of that, botocore may have learned the bucket's region.
            found = await self._call("head", key, partial(self._head, key))
        self._insist_on_readable(key, found)
        modified_at_ms = int(found["LastModified"].timestamp() * 1000)
        return ObjectInfo(
            key,
            found["ContentLength"],
            found["ETag"].strip('"'),
            modified_at_ms,
            name=found.get("Metadata", {}).get("name"),
            crc32=crc32_in(found),
        )

    async def head_many(self, keys: Sequence[str]) -> list[ObjectInfo | None]:
        """Describe objects, a few at a time; None is for one that is missing. Raises ObjectError for any other."""
        return await head_each(self, keys)

    async def _head(self, key: str) -> Any:
        mode: dict[str, Any] = {"ChecksumMode": "ENABLED"} if self._options.checksums else {}
        return await self._client.head_object(Bucket=self._bucket, Key=self._name(key), **mode)

    async def _find_reason(self, key: str) -> None:
        """Raise why a HEAD was refused: its answer has no body, so no code, and 403 or 404 mean half a dozen things."""
        try:
            answer = await self._call("read", key, lambda: self._get(key, Range="bytes=0-0"))
        except ObjectChanged:  # an object without bytes has no first one
            return
        answer["Body"].close()

    def _insist_on_readable(self, key: str, found: Any) -> None:
        storage_class = found.get("ArchiveStatus") or found.get("StorageClass", "STANDARD")
        is_archived = "ArchiveStatus" in found or storage_class in _ARCHIVES
        # "ongoing-request="false", expiry-date=…": a copy was restored and can be read.
        if is_archived and 'ongoing-request="false"' not in found.get("Restore", ""):
            raise s3_errors.archived(
                self._trouble.refusal("InvalidObjectState", "head", key), f"the class {storage_class}"
            )

    async def read(self, key: str, *, etag: str, start_byte: int, length_bytes: int) -> AsyncGenerator[bytes, None]:
        """Yield a range in chunks of at most COPY_CHUNK_BYTES; whoever got all bytes got those of `etag`.

        A read that breaks goes on from the byte at which it broke. Close the generator (contextlib.aclosing) when
        leaving early. Raises ObjectMissing, and ObjectChanged when the object is another one than `etag` says, or does
        not reach that far.
        """
        patience = Patience()
        position, end = start_byte, start_byte + length_bytes
        while position < end:
            try:
                body = await self._open(key, etag, position, end)
                try:
                    while chunk := await body.read(min(limits.COPY_CHUNK_BYTES, end - position)):
                        position += len(chunk)
                        patience.note_progress(len(chunk))
                        yield chunk
                finally:
                    body.close()
                if position < end:
                    raise self._trouble.unavailable("read", key, "the answer ended too early")
            except TROUBLE as error:
                await patience.after(self._trouble.explain(error, "read", key))
            except StoreUnavailable as error:
                await patience.after(error)

    async def read_into(self, key: str, view: memoryview, *, etag: str, start_byte: int = 0) -> None:
        """Fill `view` with the object's bytes from `start_byte` on. Raises ObjectMissing and ObjectChanged."""
        position = 0
        try:
            async with asyncio.timeout(limits.STORE_CALL_WITHIN_SECONDS):
                chunks = self.read(key, etag=etag, start_byte=start_byte, length_bytes=len(view))
                async with aclosing(chunks):
                    async for chunk in chunks:
                        view[position : position + len(chunk)] = chunk
                        position += len(chunk)
        except TimeoutError as error:
            raise self._trouble.unavailable("read", key, "it was too slow") from error

    async def read_many_into(self, readings: Sequence[Reading]) -> None:
        """Do many `read_into`, a few at a time. Raises what one of them raises."""
        await read_each_into(self, readings)

    async def _open(self, key: str, etag: str, start: int, end: int) -> "StreamingBody":
        """Begin to read, and check that it is what was asked for: some servers ignore If-Match or Range."""
        async with asyncio.timeout(limits.STORE_CALL_WITHIN_SECONDS):
            answer = await self._get(key, Range=f"bytes={start}-{end - 1}", IfMatch=f'"{etag}"')
        body: StreamingBody = answer["Body"]
        try:
            if answer["ETag"].strip('"') != etag or answer["ContentLength"] < end - start:
                raise s3_errors.explain(self._trouble.refusal("PreconditionFailed", "read", key))
            if not answer.get("ContentRange", "").startswith(f"bytes {start}-{end - 1}/"):
                raise self._trouble.ignored_range(key)
        except BaseException:
            body.close()
            raise
        return body

    async def _get(self, key: str, **conditions: Any) -> Any:
        return await self._client.get_object(Bucket=self._bucket, Key=self._name(key), **conditions)

    # ── writing ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def create_upload(self, key: str, *, part_bytes: int) -> Upload:
        """Begin an upload with parts of `part_bytes`; a cancelled call leaves nothing behind.

        When a reply is lost, the upload that it told of stays open, empty, until it is an orphan: nothing tells it from
        that of another run, which has the same key and by now the job.
        """
        creating = asyncio.ensure_future(self._create(key, part_bytes))
        try:
            return await asyncio.shield(creating)
        except asyncio.CancelledError:  # the server may have begun it all the same, and nobody would know its id
            await until_done(creating)
            if creating.exception() is None:
                await self.abort(creating.result())
            raise

    async def _create(self, key: str, part_bytes: int) -> Upload:
        wishes: dict[str, Any] = {"ContentType": mimetypes.guess_type(key)[0] or "application/octet-stream"}
        if self._options.checksums:
            wishes["ChecksumAlgorithm"] = "CRC32"
        if self._options.sse:
            wishes["ServerSideEncryption"] = self._options.sse
        if self._options.sse_kms_key_id:
            wishes["SSEKMSKeyId"] = self._options.sse_kms_key_id
        name = self._name(key)
        begun = await self._call(
            "create",
            key,
            lambda: self._client.create_multipart_upload(Bucket=self._bucket, Key=name, **wishes),
        )
        return Upload(key, begun["UploadId"], part_bytes)

    async def upload_part(self, upload: Upload, number: int, data: Content, *, crc32: int | None = None) -> PartTag:
        """Send part `number`; the server refuses it when what arrives has another CRC-32.

        Raises StoreFull, and UploadInvalid when the upload was aborted.
        """
        assert 1 <= number <= limits.MAX_PARTS
        assert 1 <= len(data) <= upload.part_bytes
        view = memoryview(data)
        if self._options.checksums and crc32 is None:
            crc32 = await in_thread(zlib.crc32, view)
        proof: dict[str, Any] = self._proof(crc32)

        async def send() -> str:
            sent = await self._client.upload_part(
                Bucket=self._bucket,
                Key=self._name(upload.key),
                UploadId=upload.upload_id,
                PartNumber=number,
                ContentLength=len(view),
                Body=PartBody(view),  # type: ignore[arg-type]  # anything that can be read
                **proof,
            )
            return sent["ETag"]

        etag = await self._call("upload", upload.key, send)
        return PartTag(number, len(view), etag, crc32)

    def _proof(self, crc32: int | None) -> dict[str, Any]:
        """Give the field by which the server proves a part, where it shall and where its CRC-32 is known."""
        return {"ChecksumCRC32": encoded(crc32)} if self._options.checksums and crc32 is not None else {}

    async def list_parts(self, upload: Upload) -> list[PartTag]:
        """Give the parts that an upload has, a page of 1,000 at a time. Raises UploadInvalid when it has ended."""
        parts: dict[int, PartTag] = {}
        place: dict[str, Any] = {}
        for _ in range(limits.PART_LIST_PAGES):
            page = await self._call("list parts", upload.key, partial(self._list_parts, upload, place))
            parts |= {part.number: part for part in listed_parts(page)}
            if not page.get("IsTruncated"):
                break
            place = {"PartNumberMarker": page["NextPartNumberMarker"]}
        return [parts[number] for number in sorted(parts)]

    async def _list_parts(self, upload: Upload, place: dict[str, Any]) -> Any:
        name = self._name(upload.key)
        return await self._client.list_parts(Bucket=self._bucket, Key=name, UploadId=upload.upload_id, **place)

    async def complete(self, upload: Upload, parts: Sequence[PartTag]) -> None:
        """Make the object visible under its key, whole; one of the same key is replaced.

        Raises UploadInvalid when the upload was aborted, or its parts are not these; ObjectError for a hole in them.
        """
        insist_on_all(upload, parts)
        listed: list[CompletedPartTypeDef] = [
            {"PartNumber": part.number, "ETag": part.etag, **self._proof(part.crc32)}  # type: ignore[typeddict-item]
            for part in parts
        ]
        name = self._name(upload.key)
        patience = Patience()
        try:
            await self._call(
                "complete",
                upload.key,
                lambda: self._client.complete_multipart_upload(
                    Bucket=self._bucket, Key=name, UploadId=upload.upload_id, MultipartUpload={"Parts": listed}
                ),
                patience,
            )
        except ObjectError as error:
            # The reply to an earlier try may have been lost: the upload is gone because it was completed.
            size_bytes = sum(part.size_bytes for part in parts)
            if patience.is_untouched or not await self._is_there(upload.key, size_bytes):
                raise error

    async def _is_there(self, key: str, size_bytes: int) -> bool:
        try:
            return (await self.head(key)).size_bytes == size_bytes
        except ObjectError:
            return False

    async def abort(self, upload: UploadName) -> None:
        """Give up an upload and all its parts; nothing happens when it has ended already."""
        name = self._name(upload.key)
        await self._call(
            "abort",
            upload.key,
            lambda: _unless_gone(
                self._client.abort_multipart_upload(Bucket=self._bucket, Key=name, UploadId=upload.upload_id)
            ),
            Patience(limits.STORE_ABORT_TRIES),
        )

    async def delete(self, key: str) -> None:
        """Remove an object; nothing happens when there is none."""
        name = self._name(key)
        await self._call("delete", key, lambda: _unless_gone(self._client.delete_object(Bucket=self._bucket, Key=name)))

    async def open_uploads(self) -> AsyncGenerator[OpenUpload, None]:
        """Yield the uploads that are neither completed nor aborted, a page of 1,000 at a time."""
        place: dict[str, Any] = {}
        for _ in range(limits.OPEN_UPLOADS_PAGES):
            listing = partial(self._client.list_multipart_uploads, Bucket=self._bucket, Prefix=self._prefix, **place)
            page = await self._call("list", "", listing)
            for upload in listed_uploads(page, self._prefix):
                yield upload
            if not page.get("IsTruncated"):
                return
            place = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}

    async def listing(self, *, after: str = "") -> AsyncGenerator[list[ObjectInfo], None]:
        """Yield all objects in the order of their keys, a page at a time; `after`: those behind a key.

        Needs s3:ListBucket (Amazon S3, ListObjectsV2).
        """
        place: dict[str, Any] = {"StartAfter": self._prefix + after} if after else {}
        while True:
            listing = partial(self._client.list_objects_v2, Bucket=self._bucket, Prefix=self._prefix, **place)
            page = await self._call("list", "", partial(listing, MaxKeys=limits.OBJECTS_PER_PAGE))
            yield listed_objects(page, self._prefix)
            if not page.get("IsTruncated"):
                return
            place = {"ContinuationToken": page["NextContinuationToken"]}

    async def link(self, key: str, *, content_disposition: str, content_type: str, longest_seconds: int) -> str | None:
        """Give a URL at which anybody can fetch the object, as `S3Options.links` says; None is through the gateway."""
        name = self._name(key)
        try:
            return await self._linker.link(
                name,
                content_disposition=content_disposition,
                content_type=content_type,
                longest_seconds=longest_seconds,
                now_seconds=int(time.time()),
            )
        except TROUBLE as error:
            raise self._trouble.explain(error, "read", key) from error

    # ── calls ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _name(self, key: str) -> str:
        """Give the key in the bucket. Raises ObjectError for what is no key."""
        check_key(key)
        return self._prefix + key

    async def _call(
        self, action: str, key: str, call: Callable[[], Awaitable[T]], patience: Patience | None = None
    ) -> T:
        """Make one call, again and again while the store is away or asks for patience."""
        patience = patience or Patience()
        while True:
            try:
                async with asyncio.timeout(limits.STORE_CALL_WITHIN_SECONDS):
                    return await call()
            except TROUBLE as error:
                await patience.after(self._trouble.explain(error, action, key))


async def _unless_gone(call: Awaitable[object]) -> None:
    """Make a call that removes something; that it is gone already is fine."""
    try:
        await call
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") not in ("NoSuchUpload", "NoSuchKey", "404"):
            raise
