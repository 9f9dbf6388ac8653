"""API keys: their text, and what of them opens the gate."""

import msgspec
import pytest

from gateway.auth.api_key import caller_by_key, digest_of, id_of, write_api_key
from gateway.auth.caller import Caller, Scope
from shared.jobstore.api_key import ApiKey

KEY_ID, API_KEY = write_api_key(b"\x01" * 8, b"\x02" * 32)
KEPT = ApiKey(owner="anna", scopes=("user",), digest=digest_of(API_KEY), created_at_ms=1, expires_at_ms=1_000)


def test_a_key_says_its_id_and_is_kept_without_its_secret() -> None:
    assert (id_of(API_KEY), len(API_KEY)) == (KEY_ID, 84)
    assert "02" * 32 not in repr(KEPT)


@pytest.mark.parametrize(
    "text",
    ["", "wb_", API_KEY[:-1], API_KEY + "0", API_KEY.upper(), API_KEY + "\n", f" {API_KEY}", API_KEY.replace("0", "٠")],
)
def test_what_has_not_the_shape_of_a_key_has_no_id(text: str) -> None:
    assert id_of(text) is None


def test_the_right_key_opens_until_it_expires() -> None:
    assert caller_by_key(API_KEY, KEY_ID, KEPT, now_ms=999) == Caller("anna", frozenset({Scope.USER}), KEY_ID)
    assert caller_by_key(API_KEY, KEY_ID, KEPT, now_ms=1_000) is None


def test_a_key_without_expiry_opens_for_ever() -> None:
    kept = msgspec.structs.replace(KEPT, expires_at_ms=None)

    assert caller_by_key(API_KEY, KEY_ID, kept, now_ms=2**53) is not None


def test_another_secret_under_the_same_id_opens_nothing() -> None:
    _, forged = write_api_key(b"\x01" * 8, b"\x03" * 32)

    assert caller_by_key(forged, KEY_ID, KEPT, now_ms=0) is None


def test_an_unknown_id_opens_nothing() -> None:
    assert caller_by_key(API_KEY, KEY_ID, None, now_ms=-1) is None


@pytest.mark.parametrize("owner", ["", "a b", "../x"])
def test_a_key_whose_owner_is_none_opens_nothing(owner: str) -> None:
    assert caller_by_key(API_KEY, KEY_ID, msgspec.structs.replace(KEPT, owner=owner), now_ms=0) is None


def test_scopes_of_a_later_version_mean_nothing() -> None:
    caller = caller_by_key(API_KEY, KEY_ID, msgspec.structs.replace(KEPT, scopes=("root", "admin")), now_ms=0)

    assert caller is not None
    assert caller.scopes == {Scope.ADMIN}
