"""What the processor and the gateway ask of an object store. Shaped after the low-level calls of S3.

    create_upload ──▶ upload_part … upload_part ──▶ complete      the object appears, whole
                          ▲     (list_parts)└─────▶ abort         nothing is left
                          └── go on, in another process too

Two keep to it: directory.py and s3.py.
"""

from collections.abc import AsyncGenerator, Sequence
from typing import NamedTuple, Protocol

from shared.errors import ObjectError
from shared.objects.info import Content, ObjectInfo, OpenUpload, PartTag, Reading, Upload, UploadName


class ObjectStore(Protocol):
    """Objects by key. Every call raises ObjectError for a key that names none, and when the store cannot serve it.

    The error's `key` is one of those that the caller named.
    """

    async def probe(self, *, for_writing: bool) -> None:
        """Return when the store is there and knows this process: one cheap try, without patience.

        `for_writing`: this process puts objects there. Raises ObjectError that says what is wrong.
        """
        ...

    async def head(self, key: str) -> ObjectInfo:
        """Describe an object.

        Raises ObjectMissing, and ObjectArchived when it would have to be restored before it can be read.
        """
        ...

    async def head_many(self, keys: Sequence[str]) -> list[ObjectInfo | None]:
        """Describe objects in the order of their keys; None is for one that is missing.

        Cheaper than asking for each. Any other error is raised as of the object that it is about.
        """
        ...

    def read(self, key: str, *, etag: str, start_byte: int, length_bytes: int) -> AsyncGenerator[bytes, None]:
        """Yield a range in chunks of at most COPY_CHUNK_BYTES; whoever got all bytes got those of `etag`.

        Close the generator (contextlib.aclosing) when leaving early. Raises ObjectMissing and ObjectChanged.
        """
        ...

    async def read_into(self, key: str, view: memoryview, *, etag: str, start_byte: int = 0) -> None:
        """Fill `view` with the object's bytes from `start_byte` on. Raises ObjectMissing and ObjectChanged."""
        ...

    async def read_many_into(self, readings: Sequence[Reading]) -> None:
        """Do many `read_into`, in no order: cheaper than asking for each, where they are small.

        Raises what `read_into` of one of them raises; then, or when cancelled, the views hold anything, and nobody
        writes to them any more.
        """
        ...

    async def create_upload(self, key: str, *, part_bytes: int) -> Upload:
        """Begin an upload with parts of `part_bytes`; a cancelled call leaves nothing behind."""
        ...

    async def upload_part(self, upload: Upload, number: int, data: Content, *, crc32: int | None = None) -> PartTag:
        """Write part `number` (from 1, in any order, at any time also again); `data` may be used again afterwards.

        `crc32`: the CRC-32 of `data`, where the caller knows it already; a remote store refuses bytes that do not have
        it. Raises StoreFull, and UploadInvalid when the upload was aborted.
        """
        ...

    async def list_parts(self, upload: Upload) -> list[PartTag]:
        """Give the parts that an upload under way has, whoever wrote them, in the order of their numbers.

        Only parts that were written to their ends. Raises UploadInvalid when the upload has ended.
        """
        ...

    async def complete(self, upload: Upload, parts: Sequence[PartTag]) -> None:
        """Make the object visible under its key, whole; one of the same key is replaced.

        Raises UploadInvalid when the upload was aborted, or its parts are not these; ObjectError for a hole in them.
        """
        ...

    async def abort(self, upload: UploadName) -> None:
        """Give up an upload and all its parts; nothing happens when it has ended already."""
        ...

    async def delete(self, key: str) -> None:
        """Remove an object; nothing happens when there is none."""
        ...

    def open_uploads(self) -> AsyncGenerator[OpenUpload, None]:
        """Yield the uploads that are neither completed nor aborted, in no order."""
        ...

    def listing(self, *, after: str = "") -> AsyncGenerator[list[ObjectInfo], None]:
        """Yield all objects in the order of their keys, OBJECTS_PER_PAGE at a time; `after`: those behind a key.

        What no key names (a name that is no text, of somebody else) is left out. What is put or removed meanwhile may
        be among them or not.
        """
        ...

    async def link(self, key: str, *, content_disposition: str, content_type: str, longest_seconds: int) -> str | None:
        """Give a URL at which anybody can fetch the object for a while, `longest_seconds` at most.

        None: the store has no such thing, and the caller sends the bytes itself. Whether the object exists is not
        looked up.
        """
        ...


class Cleared(NamedTuple):
    """What a search for orphans came to: how many were aborted, how many could not be, and the first reason why."""

    aborted: int
    left: int
    problem: ObjectError | None


async def abort_orphans(store: ObjectStore, *, started_before_ms: int) -> Cleared:
    """Abort the uploads that began before a moment (milliseconds since 1970), and go on past one that cannot be.

    For what processors left behind that were killed: choose a moment that no living upload can be from. Raises
    ObjectError when the uploads cannot be listed.
    """
    orphans = [upload async for upload in store.open_uploads() if upload.started_at_ms < started_before_ms]
    problems: list[ObjectError] = []
    for orphan in orphans:
        try:
            await store.abort(orphan)
        except ObjectError as error:  # a key that we would not have given, for one: it must not hide all behind it
            problems.append(error)
    return Cleared(len(orphans) - len(problems), len(problems), problems[0] if problems else None)
