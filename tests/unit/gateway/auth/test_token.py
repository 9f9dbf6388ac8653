"""Tokens: what opens the gate, and a table of what does not."""

import hmac
import json
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.auth.caller import Caller, Scope
from gateway.auth.jwks import SignatureKey, read_jwks, read_secrets
from gateway.auth.token import TokenRules, caller_by_token, key_id_of
from shared.caller_errors import OwnerRefused, Unauthenticated
from tests.support.tokens import AUDIENCE, ISSUER, SECRET, claims, jwk_set, pieced, private_key, public_jwk, signed

RULES = TokenRules(issuer=ISSUER, audience=AUDIENCE, leeway_seconds=30)
SECRETS = read_secrets(SECRET)
KEYS = read_jwks(jwk_set(public_jwk("RS256", "r"), public_jwk("ES256", "e"), public_jwk("EdDSA", "o")))
BODY = json.dumps(claims()).encode()
GOOD = signed(claims())


def judge(token: str, *, keys: tuple[SignatureKey, ...] = SECRETS, rules: TokenRules = RULES) -> Caller:
    """Judge a token as the gate does."""
    key_id_of(token)
    return caller_by_token(token, keys, rules)


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.algorithm)
def test_a_token_of_each_kind_of_key_opens(key: SignatureKey) -> None:
    token = signed(claims(), private_key(key.algorithm), key.algorithm, kid=key.key_id)

    assert key_id_of(token) == key.key_id
    assert judge(token, keys=KEYS) == Caller("anna", frozenset({Scope.USER}), f"jwt:{key.key_id}")


def test_each_of_several_secrets_opens() -> None:
    keys = read_secrets(f"{SECRET} {SECRET}-of-tomorrow")

    assert [judge(signed(claims(), secret), keys=keys).owner for secret in (SECRET, f"{SECRET}-of-tomorrow")] == [
        "anna"
    ] * 2


@pytest.mark.parametrize(
    "more",
    [{"lives_seconds": -20}, {"begins_in_seconds": 20}, {"aud": ["other", AUDIENCE]}],
    ids=lambda more: next(iter(more)),
)
def test_clocks_may_differ_by_the_leeway_and_audiences_may_be_several(more: dict[str, Any]) -> None:
    assert judge(signed(claims(**more))).owner == "anna"


PUBLIC_PEM = private_key("RS256").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

BAD = {
    "empty": "",
    "one part": GOOD.split(".")[0],
    "two parts": ".".join(GOOD.split(".")[:2]),
    "four parts": GOOD + ".x",
    "truncated": GOOD[:-5],
    "no signature": GOOD.rsplit(".", 1)[0] + ".",
    "another body": ".".join([GOOD.split(".")[0], pieced(b"", BODY).split(".")[1] + "AA", GOOD.split(".")[2]]),
    "alg none": pieced(b'{"alg":"none","typ":"JWT"}', BODY),
    "alg None": pieced(b'{"alg":"None"}', BODY, b"x"),
    "alg missing": pieced(b'{"typ":"JWT"}', BODY, b"x"),
    "alg a list": pieced(b'{"alg":["HS256"]}', BODY, b"x"),
    "alg HS512": signed(claims(), SECRET * 2, "HS512"),
    "head a list": pieced(b"[]", BODY, b"x"),
    "head no JSON": pieced(b"\xff\xfe", BODY, b"x"),
    "head nested": pieced(b"[" * 5_000, BODY, b"x"),
    "body nested": signed({}) and pieced(b'{"alg":"HS256"}', b"[" * 5_000, b"x"),
    "kid a number": pieced(b'{"alg":"HS256","kid":7}', BODY, b"x"),
    "critical": signed(claims(), crit=["exp"], exp=1),
    "unencoded body": pieced(b'{"alg":"HS256","b64":false,"crit":["b64"]}', b"", b"x"),
    "another secret": signed(claims(), SECRET[::-1]),
    "expired": signed(claims(lives_seconds=-31)),
    "not yet": signed(claims(nbf=2**33)),
    "issued in the future": signed(claims(iat=2**33)),
    "never expires": signed(claims(exp=None)),
    "expires at a text": signed(claims(exp="soon")),
    "expires at infinity": signed(claims(exp=float("inf"))),
    "expires at nothing": signed(claims(exp=float("nan"))),
    "no audience": signed(claims(aud=None)),
    "another audience": signed(claims(aud="other")),
    "another issuer": signed(claims(iss=ISSUER.rstrip("/"))),
    "no issuer": signed(claims(iss=None)),
}  # fmt: skip


@pytest.mark.parametrize("token", BAD.values(), ids=BAD.keys())
def test_a_bad_token_opens_nothing(token: str) -> None:
    with pytest.raises(Unauthenticated):
        judge(token)


def test_a_public_key_is_no_secret() -> None:
    """RFC 8725 §2.1: who may choose the algorithm signs with what everybody can read."""
    [key] = read_jwks(jwk_set(public_jwk("RS256", "r")))

    unsigned = pieced(b'{"alg":"HS256","kid":"r"}', BODY).rstrip(".")
    signature = hmac.digest(PUBLIC_PEM, unsigned.encode(), "sha256")

    with pytest.raises(Unauthenticated):
        judge(f"{unsigned}.{pieced(b'', b'', signature).strip('.')}", keys=(key,))


def test_an_audience_that_nobody_asked_for_is_refused() -> None:
    with pytest.raises(Unauthenticated):
        judge(GOOD, rules=TokenRules())
    assert judge(signed(claims(aud=None)), rules=TokenRules()).owner == "anna"


@pytest.mark.parametrize("owner", ["", "..", "a b", "a\x00b", "ä", "x" * 129, 7, None, ["anna"]])
def test_a_good_token_with_a_strange_owner_is_refused_as_that(owner: object) -> None:
    with pytest.raises(OwnerRefused):
        judge(signed(claims(owner)))


def test_the_owner_comes_from_the_claim_that_is_set() -> None:
    rules = TokenRules(issuer=ISSUER, audience=AUDIENCE, owner_claim="https://example.org/tenant")

    assert judge(signed(claims() | {"https://example.org/tenant": "acme"}), rules=rules).owner == "acme"


def test_scopes_are_read_where_a_claim_is_set_and_none_is_none() -> None:
    rules = TokenRules(issuer=ISSUER, audience=AUDIENCE, scope_claim="scope")

    assert judge(signed(claims(scope="waybill:admin openid")), rules=rules).scopes == {Scope.ADMIN}
    assert judge(signed(claims()), rules=rules).scopes == frozenset()


def test_nobody_comes_by_the_jobs_from_before_there_was_authentication_with_a_token() -> None:
    with pytest.raises(OwnerRefused, match="before there was authentication"):
        judge(signed(claims(sub="local")))


@pytest.mark.parametrize("more", [{}, {"email_verified": False}, {"email_verified": "true"}])
def test_an_email_that_is_not_verified_is_no_owner(more: dict[str, Any]) -> None:
    rules = msgspec.structs.replace(RULES, owner_claim="email")

    assert judge(signed(claims(email="anna@example.org", email_verified=True)), rules=rules).owner == "anna@example.org"
    with pytest.raises(OwnerRefused, match="email_verified"):
        judge(signed(claims(email="boss@example.org", **more)), rules=rules)
