"""The keys of a token issuer: fetched, rotated, kept while it is away, and not believed when it lies."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.auth.issuer_keys import IssuerKeys
from shared import limits
from shared.errors import SettingsError, TokenKeysUnavailable
from tests.support.jwks_server import HUGE, JwksServer
from tests.support.stores import running
from tests.support.tokens import jwk_set, public_jwk

OLD, NEW = jwk_set(public_jwk("ES256", "old")), jwk_set(public_jwk("ES256", "new", 1))


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "JWKS_AGAIN_SECONDS", 0.02)
    monkeypatch.setattr(limits, "JWKS_FILE_EVERY_SECONDS", 0.02)
    monkeypatch.setattr(limits, "JWKS_WITHIN_SECONDS", 0.5)


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for something that the loop in the background does."""
    async with asyncio.timeout(20):
        while not is_so():  # noqa: ASYNC110  # a fetch tells nobody in the gateway, and so nobody here
            await asyncio.sleep(0.005)


async def test_keys_are_fetched_once_for_many_tokens() -> None:
    with JwksServer(OLD) as issuer:
        keys = IssuerKeys(issuer.url)
        async with running(keys.run):
            await until(lambda: not keys.problems)
            found = [await keys.named("old") for _ in range(100)]

        assert [key.key_id for [key] in found] == ["old"] * 100
        assert issuer.asked == 1


async def test_a_new_key_is_found_when_its_first_token_comes_and_the_old_one_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with JwksServer(OLD) as issuer:
        keys = IssuerKeys(issuer.url)
        async with running(keys.run):
            await until(lambda: not keys.problems)
            issuer.body = NEW
            monkeypatch.setattr(limits, "JWKS_AGAIN_SECONDS", 0.0)

            assert [key.key_id for key in await keys.named("new")] == ["new"]
            assert await keys.named("old") == []


async def test_made_up_key_ids_do_not_make_more_fetches_than_one_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "JWKS_AGAIN_SECONDS", 3_600)
    with JwksServer(OLD) as issuer:
        keys = IssuerKeys(issuer.url)
        async with running(keys.run):
            await until(lambda: not keys.problems)
            assert [await keys.named(f"made up {number}") for number in range(100)] == [[]] * 100

        assert issuer.asked == 1


async def test_a_token_without_a_key_id_means_the_only_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with JwksServer(OLD) as issuer:
        keys = IssuerKeys(issuer.url)
        async with running(keys.run):
            await until(lambda: not keys.problems)
            assert [key.key_id for key in await keys.named(None)] == ["old"]
            issuer.body = jwk_set(public_jwk("ES256", "old"), public_jwk("ES256", "new", 1))
            monkeypatch.setattr(limits, "JWKS_AGAIN_SECONDS", 0.0)
            await keys.named("new")
            assert list(await keys.named(None)) == []


LIES: dict[str, Callable[[JwksServer], None]] = {
    "an error": lambda issuer: setattr(issuer, "status", 500),
    "not there": lambda issuer: setattr(issuer, "status", 404),
    "a page": lambda issuer: setattr(issuer, "body", b"<html>Sign in</html>"),
    "nothing": lambda issuer: setattr(issuer, "body", b""),
    "no keys": lambda issuer: setattr(issuer, "body", b'{"keys": []}'),
    "a secret": lambda issuer: setattr(issuer, "body", jwk_set({"kty": "oct", "k": "eHg", "kid": "old"})),
    "too much": lambda issuer: setattr(issuer, "body", HUGE),
    "silence": lambda issuer: setattr(issuer, "is_silent", True),
    "elsewhere": lambda issuer: issuer.__dict__.update(status=302, headers={"Location": issuer.url + "?other"}),
    "half of it": lambda issuer: issuer.__dict__.update(headers={"Content-Length": "9999999"}),
    "packed": lambda issuer: issuer.__dict__.update(headers={"Content-Encoding": "gzip"}, body=b"\x1f\x8bx"),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
async def test_keys_are_kept_while_their_issuer_is_away_or_lies(
    monkeypatch: pytest.MonkeyPatch, lie: Callable[[JwksServer], None]
) -> None:
    with JwksServer(OLD) as issuer:
        keys = IssuerKeys(issuer.url)
        async with running(keys.run):
            await until(lambda: not keys.problems)
            lie(issuer)
            monkeypatch.setattr(limits, "JWKS_AGAIN_SECONDS", 0.0)

            assert await keys.named("made up") == []

            assert issuer.asked == 2
            assert [key.key_id for key in await keys.named("old")] == ["old"]


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
async def test_without_keys_no_token_is_judged_and_readiness_says_why(lie: Callable[[JwksServer], None]) -> None:
    with JwksServer(OLD) as issuer:
        good = dict(issuer.__dict__)
        lie(issuer)
        keys = IssuerKeys(issuer.url)
        async with running(keys.run):
            await until(lambda: "not fetched yet" not in keys.problems[0])
            with pytest.raises(TokenKeysUnavailable):
                await keys.named("old")
            issuer.__dict__.update({name: good[name] for name in ("body", "status", "headers", "is_silent")})

            await until(lambda: not keys.problems)

            assert [key.key_id for key in await keys.named("old")] == ["old"]


async def test_nobody_listens_is_a_problem_and_no_end() -> None:
    with JwksServer() as issuer:
        url = issuer.url
    keys = IssuerKeys(url)

    async with running(keys.run):
        await until(lambda: "not fetched yet" not in keys.problems[0])
        with pytest.raises(TokenKeysUnavailable):
            await keys.named("old")


async def test_keys_are_not_trusted_for_ever_while_their_issuer_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    with JwksServer(OLD) as issuer:
        keys = IssuerKeys(issuer.url)
        async with running(keys.run):
            await until(lambda: not keys.problems)
            issuer.status = 500
            monkeypatch.setattr(limits, "JWKS_TRUSTED_SECONDS", 0.0)

            with pytest.raises(TokenKeysUnavailable):
                await keys.named("old")


async def test_a_file_is_read_at_once_and_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    path.write_bytes(OLD)
    keys = IssuerKeys(str(path))
    assert [key.key_id for key in await keys.named("old")] == ["old"]

    async with running(keys.run):
        path.with_suffix(".new").write_bytes(NEW)
        path.with_suffix(".new").rename(path)
        async with asyncio.timeout(20):
            while not await keys.named("new"):  # noqa: ASYNC110  # as above
                await asyncio.sleep(0.005)


@pytest.mark.parametrize("text", [None, b"<html>", b'{"keys": []}'])
def test_a_file_that_cannot_be_used_stops_the_start(tmp_path: Path, text: bytes | None) -> None:
    path = tmp_path / "jwks.json"
    if text is not None:
        path.write_bytes(text)

    with pytest.raises(SettingsError, match=r"WAYBILL_JWT_JWKS=.*jwks\.json cannot be"):
        IssuerKeys(str(path))
