"""The Idempotency-Key of a create call: read from its header, compared, answered. Pure.

draft-ietf-httpapi-idempotency-key-header: an Item of RFC 9651 whose value is a String, `"8e03978e-40d5"`. Without the
quotes, as most clients send it, it is the same key.
"""

import hashlib
import re
from collections.abc import Sequence
from email.utils import formatdate

import msgspec

from shared import limits
from shared.errors import IdempotencyKeyReused, InvalidIdempotencyKey
from shared.jobs import JobRequest

_STRING = re.compile(r'"((?:[^"\\]|\\["\\])*)"')  # RFC 9651 §3.3.3
_KEY = re.compile(rf"[!-~]{{1,{limits.MAX_IDEMPOTENCY_KEY_CHARS}}}")


def read_idempotency_key(headers: Sequence[str]) -> str | None:
    """Read the key from all its header lines; None when there is none. Raises InvalidIdempotencyKey."""
    if not headers:
        return None
    if len(headers) > 1:
        raise InvalidIdempotencyKey("There is more than one Idempotency-Key. Send one, with one value.")
    [text] = headers
    if text.startswith('"'):
        match = _STRING.fullmatch(text)
        text = re.sub(r"\\(.)", r"\1", match[1]) if match else ""
    if not _KEY.fullmatch(text):
        raise InvalidIdempotencyKey(
            f"The Idempotency-Key must be 1 to {limits.MAX_IDEMPOTENCY_KEY_CHARS} visible ASCII characters, such as a "
            r"UUID. It may stand in quotes; within them \ and the quote itself are written \\ and \"."
        )
    return text


def fingerprint_of(request: JobRequest) -> str:
    """Tell requests apart by what they ask for, and not by how it was written.

    What has its default is left out, so that a version that knows more members finds the same fingerprint. A ticket is
    of the answer and not of the job: a page that has lost its own repeats the request and asks for one.
    """
    canonical = {
        field.name: value
        for field in msgspec.structs.fields(request)
        if field.name != "ticket"
        if (value := getattr(request, field.name)) != field.default
    }
    return hashlib.sha256(msgspec.json.encode(canonical, order="sorted")).hexdigest()


def insist_on_same_request(kept: str, asked: str) -> None:
    """Raise IdempotencyKeyReused when the fingerprint under the key is not that of the request at hand."""
    if kept != asked:
        raise IdempotencyKeyReused(
            "This Idempotency-Key was used for another request already. Take a new key for each request; a repetition "
            "must ask for the same files in the same order, with the same archive_name, on_missing and callback_url."
        )


def key_headers(*, now_ms: int, left_ms: int, is_replayed: bool) -> dict[str, str]:
    """Say until when the key is kept, as an HTTP date (RFC 9110 §5.6.7), and whether the answer is a repetition."""
    headers = {"idempotency-key-expires": formatdate((now_ms + left_ms) // 1000, usegmt=True)}
    return headers | {"idempotent-replayed": "true"} if is_replayed else headers
