"""JWK sets: the kind of a key decides its algorithm, and what is of no use, or too weak, is passed over."""

import base64
import json

import pytest

from gateway.auth.jwks import SignatureKey, read_jwks, read_secrets
from shared import limits
from tests.support.tokens import jwk_set, private_key, public_jwk

GOOD = public_jwk("ES256", "good")


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_the_kind_of_a_key_decides_its_algorithm(algorithm: str) -> None:
    [key] = read_jwks(jwk_set(public_jwk(algorithm, "k")))

    assert (key.algorithm, key.key_id) == (algorithm, "k")


@pytest.mark.parametrize(
    "described",
    [
        {"kty": "oct", "k": base64.urlsafe_b64encode(b"x" * 32).decode(), "kid": "secret"},  # anybody can read it
        public_jwk("RS256", "k", alg="HS256"),
        public_jwk("RS256", "k", alg="none"),
        public_jwk("RS256", "k", alg="RS512"),
        public_jwk("RS256", "k", use="enc"),
        public_jwk("weak", "k"),
        public_jwk("ES256", "k", crv="P-384"),
        public_jwk("ES256", "k", x="AAAA"),
        public_jwk("RS256", "k", n="!"),
        public_jwk("RS256", "k", n=7),
        public_jwk("RS256", "k", kty=["RSA"]),
        public_jwk("RS256", "k", crv={}),
        public_jwk("RS256", kid=7),
        public_jwk("RS256", kid="k" * 201),
        {},
        "key",
        None,
    ],
)
def test_a_key_that_is_of_no_use_is_passed_over(described: dict[str, object]) -> None:
    assert [key.key_id for key in read_jwks(jwk_set(described, GOOD))] == ["good"]


def test_a_private_key_that_was_published_is_read_as_its_public_half() -> None:
    described = GOOD | {"d": base64.urlsafe_b64encode(b"\x01" * 32).decode()}

    [key] = read_jwks(jwk_set(described))

    assert key.material == private_key("ES256").public_key()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "no JSON object"),
        (b"<html>", "no JSON object"),
        (b"[]", "no JSON object"),
        (b"\xff", "no JSON object"),
        (b"[" * 200_000, "no JSON object"),
        (b"{}", 'no list "keys"'),
        (b'{"keys": {}}', 'no list "keys"'),
        (b'{"keys": []}', "none of its keys"),
        (jwk_set({"kty": "oct", "k": "eHg"}), "none of its keys"),
        (json.dumps({"keys": [None] * (limits.MAX_JWKS_KEYS + 1)}).encode(), "more than"),
        (b" " * (limits.MAX_JWKS_BYTES + 1), "larger than"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_jwk_set_with_a_key_in_it_is_refused(text: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_jwks(text)


def test_secrets_are_read_apart_and_not_shown() -> None:
    keys = read_secrets("hunter2-one  hunter2-two")

    assert keys == (SignatureKey(b"hunter2-one", "HS256"), SignatureKey(b"hunter2-two", "HS256"))
    assert "hunter2" not in repr(keys)
