"""The text of an API key: how it is made, read, and compared. Pure: the random bytes are passed in.

    wb_<id, 16 hexadecimal digits>_<secret, 64 hexadecimal digits>

The id is public: it finds the key, and stands in lists and logs. The secret is 256 random bits.
"""

import hashlib
import hmac
import re

from gateway.auth.caller import Caller, is_owner, known_scopes
from shared.jobstore.api_key import ApiKey

PREFIX = "wb_"
ID_BYTES = 8
SECRET_BYTES = 32

_KEY = re.compile(r"wb_([0-9a-f]{16})_[0-9a-f]{64}")
_NOBODYS = ApiKey(owner="", scopes=(), digest="0" * 64, created_at_ms=0, expires_at_ms=0)


def write_api_key(id_bytes: bytes, secret_bytes: bytes) -> tuple[str, str]:
    """Make a key of random bytes, 8 and 32 of them; give its id and its text."""
    key_id = id_bytes.hex()
    return key_id, f"{PREFIX}{key_id}_{secret_bytes.hex()}"


def id_of(api_key: str) -> str | None:
    """Give the id in a key; None for what has not the shape of one."""
    match = _KEY.fullmatch(api_key)
    return match[1] if match else None


def digest_of(api_key: str) -> str:
    """Hash a key, as it is kept."""
    return hashlib.sha256(api_key.encode()).hexdigest()


def caller_by_key(api_key: str, key_id: str, kept: ApiKey | None, *, now_ms: int) -> Caller | None:
    """Say who calls with a key, `kept` being what stands under its id; None when it opens nothing (any more).

    An unknown id is compared as a known one is, and in constant time, so that the time of a refusal tells nothing.
    """
    known = kept or _NOBODYS
    is_right = hmac.compare_digest(digest_of(api_key), known.digest)
    is_over = known.expires_at_ms is not None and known.expires_at_ms <= now_ms
    if not is_right or is_over or not is_owner(known.owner):
        return None
    return Caller(known.owner, known_scopes(known.scopes), key_id)
