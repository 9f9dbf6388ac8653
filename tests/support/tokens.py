"""Tokens as an issuer makes them, good ones and bad ones, and the issuer's keys."""

import base64
import json
import time
from collections.abc import Mapping
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

SECRET = "a secret of an issuer, 32 bytes or more".replace(" ", "-")
ISSUER, AUDIENCE = "https://id.example.org/", "waybill"


def private_key(kind: str, number: int = 0) -> Any:
    """Give a key to sign with: `RS256`, `weak` (RSA of 1,024 bits), `ES256` or `EdDSA`; a number has one."""
    return _made(kind, number)


@cache
def _made(kind: str, _number: int) -> Any:
    if kind in ("RS256", "weak"):
        return generate_rsa_key(65_537, 2_048 if kind == "RS256" else 1_024)
    return generate_private_key(SECP256R1()) if kind == "ES256" else Ed25519PrivateKey.generate()


def public_jwk(kind: str, key_id: str | None = None, number: int = 0, **more: object) -> dict[str, Any]:
    """Describe the public half as an issuer publishes it."""
    writer: Any = {"RS256": RSAAlgorithm, "weak": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}[kind]
    members: dict[str, Any] = writer.to_jwk(private_key(kind, number).public_key(), as_dict=True)
    members.pop("key_ops", None)
    return members | ({"kid": key_id} if key_id else {}) | more


def jwk_set(*described: Mapping[str, Any]) -> bytes:
    """Write a JWK set."""
    return json.dumps({"keys": described}).encode()


def claims(
    owner: object = "anna", *, lives_seconds: int = 86_400, begins_in_seconds: int = 0, **more: object
) -> dict[str, Any]:
    """Claim what a good token does; a claim that is None is left out."""
    now_seconds = int(time.time())
    said = {"sub": owner, "iss": ISSUER, "aud": AUDIENCE, "exp": now_seconds + lives_seconds}
    said |= {"nbf": now_seconds + begins_in_seconds} | more
    return {name: claim for name, claim in said.items() if claim is not None}


def signed(claimed: Mapping[str, Any], key: Any = SECRET, algorithm: str = "HS256", **headers: object) -> str:
    """Sign a token."""
    return jwt.encode(dict(claimed), key, algorithm=algorithm, headers=dict(headers))


def pieced(head: bytes, body: bytes, signature: bytes = b"") -> str:
    """Put a token together of raw parts, as nobody but an attacker does."""
    parts = [base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (head, body, signature)]
    return ".".join(parts)
