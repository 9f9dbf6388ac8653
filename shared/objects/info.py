"""What the object store tells about its objects, and what names an object. Pure values, no I/O."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from shared.errors import ObjectError

MAX_KEY_BYTES = 1024  # Amazon S3, "Object key naming guidelines"
UPLOAD_PREFIX = ".upload-"

Content = bytes | bytearray | memoryview


class ObjectInfo(msgspec.Struct, frozen=True):
    """One object as it was at one moment. Another `etag` means another content; nothing else may be read from it.

    `name` is what its metadata call it, where the store keeps such. `crc32` is the CRC-32 of the whole content, where
    the store knows it.
    """

    key: str
    size_bytes: int
    etag: str
    modified_at_ms: int
    name: str | None = None
    crc32: int | None = None


class UploadName(msgspec.Struct, frozen=True):
    """What tells one upload from all others of the store."""

    key: str
    upload_id: str


class OpenUpload(UploadName, frozen=True):
    """An upload as the store lists it. `started_at_ms`: its beginning, or its last part where the store tells that."""

    started_at_ms: int


class Upload(UploadName, frozen=True):
    """A multipart upload under way; nobody sees its object before it is completed.

    All parts have `part_bytes` bytes, the last one may have fewer (Cloudflare R2 insists on equal parts, and a place in
    the object follows from a part's number alone).
    """

    part_bytes: int


class Reading(NamedTuple):
    """A wish to have `view` filled with an object's bytes from `start_byte` on, if its ETag is still this one."""

    key: str
    etag: str
    view: memoryview
    start_byte: int = 0


class PartTag(msgspec.Struct, frozen=True):
    """The receipt for one uploaded part, from its upload or from the store's list; `number` counts from 1.

    `etag` is what a remote store wants to see again at the end, and so is `crc32`, where it knows the part's CRC-32.
    """

    number: int
    size_bytes: int
    etag: str = ""
    crc32: int | None = None


def check_key(key: str) -> None:
    """Accept a key that names one object: `/`-separated components, at most 1,024 bytes of UTF-8.

    Raises ObjectError for keys that are empty or absolute, that step upwards, or that no store could keep as they are.
    """
    problem = _problem_of(key)
    if problem:
        raise ObjectError(f"{key[:200]!r} cannot be the key of an object: {problem}.", key=key)


def is_key(key: str) -> bool:
    """Tell whether a text names an object; a listing may hold what others have written."""
    return _problem_of(key) is None


def insist_on_all(upload: Upload, parts: Sequence[PartTag]) -> None:
    """Check that the parts follow each other without a hole. Raises ObjectError."""
    expected = range(1, max(1, len(parts)) + 1)
    missing = [number for number in expected if number not in {part.number for part in parts}]
    short = [part.number for part in parts[:-1] if part.size_bytes != upload.part_bytes]
    if missing or short:
        problem = f"part {missing[0]} is missing" if missing else f"part {short[0]} is short"
        raise ObjectError(f"The upload of {upload.key} cannot be completed: {problem}.", key=upload.key)


def _problem_of(key: str) -> str | None:
    try:
        size_bytes = len(key.encode())
    except UnicodeEncodeError:
        return "it cannot be written as UTF-8"
    components = key.split("/")
    if not 1 <= size_bytes <= MAX_KEY_BYTES:
        return f"it must have 1 to {MAX_KEY_BYTES:,} bytes"
    if "\0" in key:
        return "it holds a NUL character"
    if "" in components:
        return "it starts or ends with a slash, or has two in a row"
    if "." in components or ".." in components:
        return "it has a component that is only dots"
    if any(component.startswith(UPLOAD_PREFIX) for component in components):
        return f"names that start with {UPLOAD_PREFIX} belong to unfinished uploads"
    return None
