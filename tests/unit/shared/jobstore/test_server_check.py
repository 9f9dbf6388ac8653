"""A server is judged by its INFO before anything is asked of it."""

import pytest

from shared.jobstore.location import parse_location
from shared.jobstore.server_check import judge, wrong_database

GOOD = {"redis_version": "7.0.15", "redis_mode": "standalone", "maxmemory_policy": "noeviction", "aof_enabled": "1"}
VALKEY = {"redis_version": "7.2.4", "server_name": "valkey", "valkey_version": "9.1.2"}
HERE = parse_location("redis://:pw@h:1/0")
CLUSTER = parse_location("redis+cluster://h:1")


def info(**changes: str) -> str:
    """Write INFO's reply as servers do."""
    return "# Server\r\n" + "".join(f"{name}:{value}\r\n" for name, value in (GOOD | changes).items())


def test_a_good_server_is_good() -> None:
    assert judge(info(), HERE) == ([], [])
    assert judge(info(redis_version="8.2.0"), HERE) == ([], [])


def test_valkey_says_its_mode_in_a_place_of_its_own() -> None:
    valkey = info(**VALKEY, server_mode="cluster").replace("redis_mode:standalone\r\n", "")

    assert judge(valkey, CLUSTER) == ([], [])
    assert judge(valkey, HERE).problems


@pytest.mark.parametrize("version", ["6.2.14", "5.0.7", "2.8"])
def test_an_old_server_is_refused_with_its_version(version: str) -> None:
    [problem] = judge(info(redis_version=version), HERE).problems

    assert f"is a Redis {version}; Waybill needs Redis 7.0 or newer" in problem
    assert "pw" not in problem


@pytest.mark.parametrize(
    ("mode", "url", "advice"),
    [
        ("cluster", "redis://h:1/0", "Begin it with redis+cluster://"),
        ("sentinel", "redis://h:1/0", "Begin it with redis+sentinel://"),
        ("standalone", "redis+cluster://h:1", "Begin it with redis://"),
        ("cluster", "redis+sentinel://h:1/m", "Begin it with redis+cluster://"),
    ],
)
def test_a_url_of_another_kind_than_the_server_is_refused_with_the_right_one(mode: str, url: str, advice: str) -> None:
    [problem] = judge(info(redis_mode=mode), parse_location(url)).problems

    assert advice in problem


def test_settings_that_lose_jobs_are_warned_of() -> None:
    evicting, forgetting = judge(info(maxmemory_policy="allkeys-lru", aof_enabled="0"), HERE).warnings

    assert "maxmemory-policy is allkeys-lru" in evicting
    assert "appendonly is off" in forgetting


@pytest.mark.parametrize("reply", ["DB index is out of range", "SELECT is not allowed in cluster mode"])
def test_a_database_that_the_server_does_not_have_is_refused_with_its_number(reply: str) -> None:
    problem = wrong_database(reply, parse_location("redis://:pw@h:1/99"))

    assert problem is not None
    assert "asks for database 99" in problem
    assert "pw" not in problem


@pytest.mark.parametrize(
    "reply", ["invalid username-password pair or user is disabled.", "max number of clients reached"]
)
def test_what_else_a_connection_is_refused_for_is_not_put_down_to_the_database(reply: str) -> None:
    assert wrong_database(reply, parse_location("redis://:pw@h:1/99")) is None
    assert wrong_database("DB index is out of range", HERE) is None
