"""API keys: what is kept of each, by its id. Of the secret in it only a hash, so that whoever reads Redis cannot call.

The hash is one SHA-256 and no slow one: those make guessing expensive where people choose passwords. This secret has
256 random bits; nobody guesses it at any speed, and a slow hash would only make each request dear for us. Pure.
"""

import msgspec


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a key. `digest` is the SHA-256 of the whole key (hexadecimal); `expires_at_ms` None is never.

    Times are milliseconds since 1970. What a later version adds is passed over.
    """

    owner: str
    scopes: tuple[str, ...]
    digest: str
    created_at_ms: int
    expires_at_ms: int | None = None


def read_api_key(kept: bytes) -> ApiKey | None:
    """Read what is kept of a key; None for what is none."""
    try:
        return msgspec.json.decode(kept, type=ApiKey)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
