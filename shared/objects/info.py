"""What the object store tells about its objects, and what names an object. Pure values, no I/O."""

import msgspec

from shared.errors import ObjectError

MAX_KEY_BYTES = 1024  # Amazon S3, "Object key naming guidelines"
UPLOAD_PREFIX = ".upload-"


class ObjectInfo(msgspec.Struct, frozen=True):
    """One object as it was at one moment. Another `etag` means another content; nothing else may be read from it.

    `name` is what its metadata call it, where the store keeps such.
    """

    key: str
    size_bytes: int
    etag: str
    modified_at_ms: int
    name: str | None = None


class Upload(msgspec.Struct, frozen=True):
    """A multipart upload under way; nobody sees its object before it is completed.

    All parts have `part_bytes` bytes, the last one may have fewer (Cloudflare R2 insists on equal parts, and a place in
    the object follows from a part's number alone).
    """

    key: str
    upload_id: str
    part_bytes: int


class PartTag(msgspec.Struct, frozen=True):
    """The receipt for one uploaded part; `number` counts from 1."""

    number: int
    size_bytes: int


def check_key(key: str) -> None:
    """Accept a key that names one object: `/`-separated components, at most 1,024 bytes of UTF-8.

    Raises ObjectError for keys that are empty or absolute, that step upwards, or that no store could keep as they are.
    """
    problem = _problem_of(key)
    if problem:
        raise ObjectError(f"{key[:200]!r} cannot be the key of an object: {problem}.", key=key)


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
