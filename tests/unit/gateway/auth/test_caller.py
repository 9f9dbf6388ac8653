"""Who may be an owner, and which scopes are ours."""

import pytest

from gateway.auth.caller import LOCAL, Scope, is_owner, known_scopes


@pytest.mark.parametrize(
    "owner", [LOCAL.owner, "a", "anna@example.org", "auth0|5f7c", "urn:x:y", "A" * 128, "0-_~=+/."]
)
def test_these_are_owners(owner: str) -> None:
    assert is_owner(owner)


@pytest.mark.parametrize(
    "owner",
    ["", ".", "..", "../x", "-x", " a", "a b", "a\n", "a\x00", "a\x1b[2J", "ä", "аnna", "a{0}", "a'b", 'a"b', "a*",
     "a\\b", "a%2e", "a" * 129, None, 7, ["anna"], {"a": 1}, True],
)  # fmt: skip
def test_these_are_none(owner: object) -> None:
    assert not is_owner(owner)


@pytest.mark.parametrize(
    ("words", "scopes"),
    [
        ("waybill:user openid", {Scope.USER}),
        (["waybill:admin", "waybill:user"], {Scope.USER, Scope.ADMIN}),
        ("admin user", set()),  # another service's words
        ("waybill:users", set()),
        (None, set()),
        (7, set()),
        ([["waybill:admin"], 7], set()),
        ({"waybill:admin": True}, set()),
    ],
)
def test_only_our_own_words_are_scopes(words: object, scopes: set[Scope]) -> None:
    assert known_scopes(words, prefix="waybill:") == scopes
