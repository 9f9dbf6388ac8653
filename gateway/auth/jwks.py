"""The keys that tokens are signed with: read from a JWK set (RFC 7517) or from secrets. Does no I/O.

The kind of a key decides its one algorithm (RFC 8725 §3.1), never what a token says of itself:

    RSA ─▶ RS256      EC, P-256 ─▶ ES256      OKP, Ed25519 ─▶ EdDSA      a secret ─▶ HS256
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from shared import limits

_ALGORITHMS = {("RSA", None): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}
# Without the private ones: who publishes them by mistake has no private key made of them here.
_PUBLIC_MEMBERS = ("kty", "crv", "n", "e", "x", "y")
_MAX_KEY_ID_CHARS = 200


class SignatureKey(NamedTuple):
    """A key, its algorithm, and the id (`kid`) by which tokens name it; None when it has none."""

    material: Any
    algorithm: str
    key_id: str | None = None

    def __repr__(self) -> str:
        return f"SignatureKey({self.algorithm}, {self.key_id})"  # the material may be a secret


def read_secrets(text: str) -> tuple[SignatureKey, ...]:
    """Read secrets, separated by spaces: each opens what the others open, so that one can take another's place."""
    return tuple(SignatureKey(secret.encode(), "HS256") for secret in text.split())


def read_jwks(text: bytes) -> tuple[SignatureKey, ...]:
    """Read a JWK set. Keys of other kinds, for other purposes, or too weak ones are passed over.

    Raises ValueError with a clause that says what is wrong, also when no key is left: an issuer that suddenly has none
    is more likely broken than without users.
    """
    if len(text) > limits.MAX_JWKS_BYTES:
        raise ValueError(f"it is larger than {limits.MAX_JWKS_BYTES:,} bytes")
    try:
        listed = msgspec.json.decode(text, type=dict[str, Any]).get("keys")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise ValueError("it is no JSON object") from None
    if not isinstance(listed, list):
        raise ValueError('it has no list "keys"')
    if len(listed) > limits.MAX_JWKS_KEYS:
        raise ValueError(f"it has more than {limits.MAX_JWKS_KEYS} keys")
    if not (found := tuple(_usable(listed))):
        raise ValueError("none of its keys is for RS256 (from 2,048 bits up), ES256 or EdDSA (Ed25519) signatures")
    return found


def _usable(listed: list[Any]) -> Iterator[SignatureKey]:
    for described in listed:
        if isinstance(described, Mapping) and (key := _read_key(described)) is not None:
            yield key


def _read_key(described: Mapping[str, Any]) -> SignatureKey | None:
    kind, curve = described.get("kty"), described.get("crv")
    algorithm = _ALGORITHMS.get((kind, curve)) if isinstance(kind, str) and isinstance(curve, str | None) else None
    key_id = described.get("kid")
    if algorithm is None or described.get("alg", algorithm) != algorithm or described.get("use", "sig") != "sig":
        return None
    if not (key_id is None or (isinstance(key_id, str) and 0 < len(key_id) <= _MAX_KEY_ID_CHARS)):
        return None
    try:
        members = {name: described[name] for name in _PUBLIC_MEMBERS if name in described}
        material = jwt.PyJWK(members, algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
        return None
    is_fit = not isinstance(material, RSAPublicKey) or (
        limits.MIN_RSA_KEY_BITS <= material.key_size <= limits.MAX_RSA_KEY_BITS
    )
    return SignatureKey(material, algorithm, key_id) if is_fit else None
