"""`python -m gateway keys`: the key is shown once, its hash alone is kept, and it ends when it is told to."""

import json
import re

import pytest

from shared.jobstore import keys
from tests.support.operator import Operator
from tests.support.stores import running_commands


async def test_a_key_is_shown_once_and_only_its_hash_is_kept(redis_url: str) -> None:
    operator = Operator(redis_url, program="gateway")

    created = await operator.run("keys", "create", "--owner", "anna", "--json")

    made = json.loads(created.stdout)
    assert re.fullmatch(r"wb_[0-9a-f]{16}_[0-9a-f]{64}", made["api_key"])
    assert made["api_key"] not in created.stderr
    listed = await operator.run("keys", "list", "--json")
    assert json.loads(listed.stdout) == {name: value for name, value in made.items() if name != "api_key"}
    assert (made["owner"], made["scopes"], made["expires_at"], made["state"]) == ("anna", ["user"], None, "good")
    async with running_commands(redis_url) as commands:
        kept = str(await commands.execute("HGETALL", keys.API_KEYS))
    assert made["key_id"] in kept
    assert made["api_key"].rpartition("_")[2] not in kept


async def test_scopes_and_life_are_kept_as_asked(redis_url: str) -> None:
    operator = Operator(redis_url, program="gateway")
    options = ("--scope", "admin", "--scope", "user", "--expires-in", "90d")

    # 84 characters: as JSON it is not held to the width of a terminal.
    made = json.loads((await operator.run("keys", "create", "--owner", "auth0|7", *options, "--json")).stdout)

    table = (await operator.run("keys", "list", "--json")).stdout
    assert made["key_id"] in table
    assert (made["owner"], made["scopes"]) == ("auth0|7", ["admin", "user"])
    assert made["expires_at"] > made["created_at"]


async def test_a_revoked_key_is_not_listed_and_a_second_time_unknown(redis_url: str) -> None:
    operator = Operator(redis_url, program="gateway")
    key_id = json.loads((await operator.run("keys", "create", "--owner", "anna", "--json")).stdout)["key_id"]

    ended = [await operator.run("keys", "revoke", key_id) for _ in range(2)]

    assert [end.returncode for end in ended] == [0, 1]
    assert (await operator.run("keys", "list")).stdout == ""


@pytest.mark.parametrize(
    "wrong",
    [
        ["create"],
        ["create", "--owner", "a b"],
        ["create", "--owner", ".."],
        ["create", "--owner", "anna", "--scope", "root"],
        ["create", "--owner", "anna", "--expires-in", "soon"],
        ["revoke"],
        [],
    ],
)
async def test_a_wrong_usage_makes_no_key(redis_url: str, wrong: list[str]) -> None:
    operator = Operator(redis_url, program="gateway")

    ended = await operator.run("keys", *wrong)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert (await operator.run("keys", "list")).stdout == ""
