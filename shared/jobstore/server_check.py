"""Whether a server can be Waybill's, judged by its own INFO. Pure: the text is passed in."""

from typing import NamedTuple

from shared.jobstore.location import Mode, RedisLocation

MIN_VERSION = (7, 0)


class Judgement(NamedTuple):
    """What speaks against a server: `problems` forbid its use, `warnings` name what it may lose."""

    problems: list[str]
    warnings: list[str]


_NO_SUCH_DATABASE = ("DB index is out of range", "invalid DB index", "value is out of range", "SELECT is not allowed")
"""Replies to SELECT, as redis-py gives them: a number beyond `databases`, one that is no such number at all, and any
but 0 at a node of a cluster."""


class ServerFacts(NamedTuple):
    """What a server says of itself: its INFO, and some of its settings (None where the user may not ask for them).

    `address` is that of a cluster's node, "" otherwise. `clock_ahead_ms`: by how much its clock is ahead of ours.
    """

    address: str
    info: dict[str, str]
    settings: dict[str, str] | None
    answered_in_ms: int
    clock_ahead_ms: int


def facts_of(info: str) -> dict[str, str]:
    """Read the lines of INFO's reply."""
    return dict(line.split(":", 1) for line in info.splitlines() if ":" in line)


def wrong_database(reply: str, location: RedisLocation) -> str | None:
    """Say what is wrong with the URL's database by the error that a connection began with; None for another error."""
    if not location.db or not reply.startswith(_NO_SUCH_DATABASE):
        return None
    return (
        f"REDIS_URL={location.shown!r} asks for database {location.db}, which the server does not have ({reply}). Name "
        "a lower one, or raise `databases` in the server's configuration; a cluster has database 0 only."
    )


def judge(info: str, location: RedisLocation) -> Judgement:
    """Judge a server by the reply of INFO; sentences for people, none when all is well."""
    facts = facts_of(info)
    return Judgement(
        [*_wrong_version(facts, location), *_wrong_mode(facts, location)], [*_evicts(facts), *_forgets(facts)]
    )


def _wrong_version(facts: dict[str, str], location: RedisLocation) -> list[str]:
    # Valkey names the Redis version that it is compatible with in the same place.
    version = facts.get("redis_version", "")
    numbers = tuple(int(part) if part.isdigit() else 0 for part in version.split(".")[:2])
    if numbers >= MIN_VERSION:
        return []
    return [
        f"REDIS_URL={location.shown!r} is a Redis {version or 'of unknown version'}; Waybill needs Redis 7.0 or newer, "
        f"or Valkey. Upgrade the server."
    ]


def _wrong_mode(facts: dict[str, str], location: RedisLocation) -> list[str]:
    # Redis calls it redis_mode, Valkey server_mode.
    found = facts.get("redis_mode") or facts.get("server_mode", "standalone")
    expected = "cluster" if location.mode is Mode.CLUSTER else "standalone"
    if found == expected:
        return []
    schemes = {"cluster": "redis+cluster://", "sentinel": "redis+sentinel://", "standalone": "redis://"}
    return [
        f"REDIS_URL={location.shown!r} leads to a server in {found} mode, which is not what a {location.mode}:// URL "
        f"is for. Begin it with {schemes.get(found, 'redis://')} instead (rediss with TLS)."
    ]


def _evicts(facts: dict[str, str]) -> list[str]:
    policy = facts.get("maxmemory_policy", "noeviction")
    if policy == "noeviction":
        return []
    return [f"maxmemory-policy is {policy}: a full Redis will delete jobs. Set it to noeviction."]


def _forgets(facts: dict[str, str]) -> list[str]:
    if facts.get("aof_enabled", "1") == "1":
        return []
    return ["appendonly is off: a restart of Redis loses jobs. Set it to yes."]
