"""An object store in a directory, for one machine. Its calls are shaped after the low-level ones of S3.

    create_upload ──▶ upload_part … upload_part ──▶ complete      the object appears, whole
                                            └─────▶ abort         nothing is left

An upload grows in a hidden file beside the place of its object, so that its last step is one rename within one file
system; a journal beside that (part_journal.py) says which parts are there. Objects are never changed in place. All disk
work runs in threads (see threads.py for cancellation).
"""

import asyncio
import errno
import itertools
import os
import secrets
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from shared import limits
from shared.batches import batches
from shared.errors import ObjectError, ObjectMissing, StoreFull, StoreRefused, UploadInvalid
from shared.objects import disk
from shared.objects.info import (
    UPLOAD_PREFIX,
    Content,
    ObjectInfo,
    OpenUpload,
    PartTag,
    Reading,
    Upload,
    UploadName,
    check_key,
    insist_on_all,
    is_key,
)
from shared.objects.part_journal import line_of, parts_in
from shared.objects.threads import in_daemon_thread, in_thread

T = TypeVar("T")


class ObjectDirectory:
    """The objects below one directory. Every call raises ObjectError for a key that would leave it."""

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.realpath(root))

    async def probe(self, *, for_writing: bool) -> None:
        """Return when the directory can be used; one that is to be written is made. Raises StoreRefused.

        In a thread that may be left behind: what a network file system holds up must not hold up a stop.
        """
        try:
            await in_daemon_thread(partial(disk.probe, self.root, for_writing=for_writing), name="look-at-directory")
        except OSError as error:
            doing = "written" if for_writing else "read"
            sentence = f"The directory {self.root} cannot be {doing}: {error.strerror or error}."
            raise StoreRefused(f"{sentence} Check that it is there, its owner and its mode.", key="") from error

    async def head(self, key: str) -> ObjectInfo:
        """Describe an object. Raises ObjectMissing when there is none."""
        return await self._on_disk(key, disk.head, disk.Finder(self.root), key)

    async def head_many(self, keys: Sequence[str]) -> list[ObjectInfo | None]:
        """Describe objects, many in one thread hop; None is for one that is missing. Raises ObjectError for others."""
        found: list[ObjectInfo | None] = []
        for batch in batches(keys, lambda _: 0, most_bytes=limits.PART_BYTES):
            found += await in_thread(self._head_all, batch)
        return found

    def _head_all(self, keys: Sequence[str]) -> list[ObjectInfo | None]:
        finder = disk.Finder(self.root)
        found: list[ObjectInfo | None] = []
        for key in keys:
            try:
                found.append(_about(key, disk.head, finder, key))
            except ObjectMissing:
                found.append(None)
        return found

    async def read(
        self, key: str, *, etag: str, start_byte: int = 0, length_bytes: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        """Yield the object's bytes in chunks of at most COPY_CHUNK_BYTES; `length_bytes` None means to its end.

        Before the last chunk is given, the object is checked again: whoever got all bytes got those of `etag`. Close
        the generator (contextlib.aclosing) when leaving early. Raises ObjectMissing, and ObjectChanged when the object
        is another one than `etag` says, at the start or by now.
        """
        opened = disk.OpenObject(disk.Finder(self.root), key, etag)
        try:
            size_bytes = await self._on_disk(key, opened.open)
            end = size_bytes if length_bytes is None else start_byte + length_bytes
            assert 0 <= start_byte <= end <= size_bytes, "the range is outside of the object"
            while start_byte < end:
                for chunk in await self._on_disk(key, opened.read, start_byte, end - start_byte):
                    start_byte += len(chunk)
                    yield chunk
        finally:
            opened.close()

    async def read_into(self, key: str, view: memoryview, *, etag: str, start_byte: int = 0) -> None:
        """Fill `view` with the object's bytes from `start_byte` on: for bulk, in memory that is used again.

        Twice as fast as `read`, whose every chunk is fresh memory and costs part of a thread hop. Raises ObjectMissing,
        and ObjectChanged when the object is another one than `etag` says, or does not reach that far.
        """
        await self.read_many_into([Reading(key, etag, view, start_byte)])

    async def read_many_into(self, readings: Sequence[Reading]) -> None:
        """Do many `read_into`, many in one thread hop. Raises what the first one raises that fails."""
        for batch in batches(readings, lambda reading: len(reading.view), most_bytes=limits.PART_BYTES):
            await in_thread(self._read_all, batch)

    def _read_all(self, readings: Sequence[Reading]) -> None:
        finder = disk.Finder(self.root)
        for reading in readings:
            _about(reading.key, disk.read_into, finder, reading)

    async def create_upload(self, key: str, *, part_bytes: int) -> Upload:
        """Begin an upload with parts of `part_bytes`; a cancelled call leaves nothing behind. Raises StoreFull."""
        upload = Upload(key, secrets.token_hex(8), part_bytes)
        try:
            await self._on_disk(key, disk.create, self.root, key, _hidden_name(upload))
        except asyncio.CancelledError:  # the thread came to its end all the same, and nobody would know of the file
            await self.abort(upload)
            raise
        return upload

    async def upload_part(self, upload: Upload, number: int, data: Content, *, crc32: int | None = None) -> PartTag:
        """Write part `number` (from 1, in any order, at any time also again) and bring it to the disk.

        `crc32` is only noted, for who goes on with the upload: what a disk gets wrong, it gets wrong later.
        Raises StoreFull, and UploadInvalid when the upload was aborted.
        """
        assert 1 <= number <= limits.MAX_PARTS
        assert 1 <= len(data) <= upload.part_bytes
        offset, part = (number - 1) * upload.part_bytes, PartTag(number, len(data), crc32=crc32)
        await self._on_upload(upload, disk.write, self._hidden_path(upload), data, offset, line_of(part))
        return part

    async def list_parts(self, upload: Upload) -> list[PartTag]:
        """Give the parts of an upload that are on the disk. Raises UploadInvalid when it has ended."""
        return parts_in(await self._on_upload(upload, disk.journal, self._hidden_path(upload)))

    def _hidden_path(self, upload: Upload) -> Path:
        return (self.root / upload.key).with_name(_hidden_name(upload))

    async def complete(self, upload: Upload, parts: Sequence[PartTag]) -> None:
        """Make the object visible under its key, whole and on the disk; one of the same key is replaced.

        Raises UploadInvalid when the upload was aborted, has another size, or is still being written to; ObjectError
        for a hole in its parts.
        """
        insist_on_all(upload, parts)
        size_bytes = sum(part.size_bytes for part in parts)
        await self._on_upload(upload, disk.publish, self.root, upload.key, _hidden_name(upload), size_bytes)

    async def abort(self, upload: UploadName) -> None:
        """Give up the upload and all its parts; nothing happens when it has ended already."""
        name = _hidden_name(upload)
        for part_of_it in (name, name + disk.JOURNAL_SUFFIX):
            await self._on_disk(upload.key, disk.remove, self.root, upload.key, part_of_it)

    async def delete(self, key: str) -> None:
        """Remove an object; nothing happens when there is none."""
        await self._on_disk(key, disk.remove, self.root, key)

    async def open_uploads(self) -> AsyncGenerator[OpenUpload, None]:
        """Yield the uploads that are neither completed nor aborted, with the time of their last part.

        The whole directory is walked, which may take long: in a thread that a process which stops leaves behind.
        """
        walk = partial(disk.hidden_files, self.root, UPLOAD_PREFIX)
        try:
            hidden = await in_daemon_thread(walk, name="list-uploads")
        except OSError as error:
            raise ObjectError(f"The directory {self.root} cannot be listed: {error.strerror}.", key="") from error
        for key, upload_id, touched_at_ms in hidden:
            yield OpenUpload(key, upload_id, touched_at_ms)

    async def listing(self, *, after: str = "") -> AsyncGenerator[list[ObjectInfo], None]:
        """Yield all objects in the order of their keys, a page at a time; `after`: those behind a key.

        A page is read in a thread that a process which stops leaves behind.
        """
        files = disk.files(self.root, hidden_prefix=UPLOAD_PREFIX)
        found = (info for info in files if info.key > after and is_key(info.key))
        while page := await self._page_of(found):
            yield page

    async def _page_of(self, found: Iterator[ObjectInfo]) -> list[ObjectInfo]:
        try:
            return await in_daemon_thread(
                lambda: list(itertools.islice(found, limits.OBJECTS_PER_PAGE)), name="list-objects"
            )
        except OSError as error:
            raise ObjectError(f"The directory {self.root} cannot be listed: {error.strerror}.", key="") from error

    async def link(self, key: str, *, content_disposition: str, content_type: str, longest_seconds: int) -> None:
        """Give None: a directory has no address of its own."""

    async def _on_disk(self, key: str, work: Callable[..., T], *args: Any) -> T:
        """Do `work` about one object in a thread."""
        return await in_thread(_about, key, work, *args)

    async def _on_upload(self, upload: Upload, work: Callable[..., T], *args: Any) -> T:
        """Do `work` on an upload under way. Raises UploadInvalid when it has ended."""
        try:
            return await self._on_disk(upload.key, work, *args)
        except ObjectMissing as error:
            sentence = f"The upload of {upload.key} does not exist any more: it was aborted, or its file was removed."
            raise UploadInvalid(sentence, key=upload.key) from error


def _about(key: str, work: Callable[..., T], *args: Any) -> T:
    """Do `work`, which blocks; what the disk says against it becomes an error about the object."""
    check_key(key)
    try:
        return work(*args)
    except OSError as error:
        raise _about_object(key, error) from error


def _hidden_name(upload: UploadName) -> str:
    return f"{UPLOAD_PREFIX}{upload.upload_id}"


def _about_object(key: str, error: OSError) -> ObjectError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        sentence = f"The object store has no room left for {key}. Free some, or wait for old bundles to go."
        return StoreFull(sentence, key=key)
    if isinstance(error, BlockingIOError):
        return UploadInvalid(f"Another run still writes to the upload of {key}.", key=key)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        sentence = f"This process may not use the object {key}: {error.strerror}. Check its owner and mode."
        return ObjectError(sentence, key=key)
    if isinstance(error, FileNotFoundError | NotADirectoryError) or error.errno == errno.ENAMETOOLONG:
        return ObjectMissing(f"There is no object {key}.", key=key)
    return ObjectError(f"The object {key} cannot be used: {error.strerror or error}.", key=key)
