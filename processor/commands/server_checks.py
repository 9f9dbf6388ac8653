"""What a server says of itself, judged row by row: version, role, eviction, disk, memory, node sizes, timeouts. Pure.

What forbids a server's use altogether (too old, another mode than REDIS_URL says) has ended the command before.
"""

from collections.abc import Iterator
from functools import partial

import msgspec

from processor.commands.check import Check, Standing
from processor.commands.wording import count, size, spoken
from shared.jobstore.location import Mode, RedisLocation
from shared.jobstore.server_check import ServerFacts

JOB_BYTES = 7_600  # of a running job with 30 events, measured (docs/benchmarks.md)
NEARLY_FULL_RATIO = 0.8
FULL_RATIO = 0.95
SLOW_ANSWER_MS = 100
CLOCK_APART_MS = 5_000
SHORTEST_TIMEOUT_SECONDS = 60
NODE_SIZES = {"stream-node-max-bytes": 1_024, "hash-max-listpack-value": 8_192}
"""What is shipped: a log of one event takes 1.4 kB in place of 4.4, a record of 20 files 1.6 kB in place of 2.2."""

_ok, _note, _wrong = (partial(Check, standing) for standing in (Standing.OK, Standing.NOTE, Standing.WRONG))


def server_checks(facts: ServerFacts, location: RedisLocation) -> Iterator[Check]:
    """Judge one server, or one node of a cluster, which each row then names."""
    for check in _checks(facts, location):
        yield msgspec.structs.replace(check, where=facts.address)


def _checks(facts: ServerFacts, location: RedisLocation) -> Iterator[Check]:
    yield from _server(facts)
    yield _role(facts.info, location)
    yield _eviction(facts.info)
    yield from _disk(facts)
    yield _memory(facts.info)
    yield _clients(facts.info)
    if facts.settings is None:
        yield _note(
            "settings",
            "This user may not ask CONFIG GET: node sizes, timeouts and appendfsync are not known.",
            "Compare them with docs/redis.md by hand, or run doctor as a user who may (REDIS_USERNAME).",
        )
    else:
        yield _node_sizes(facts.settings)
        yield _timeouts(facts.settings)
        yield from _coverage(facts.settings, location)


def is_replica(facts: ServerFacts) -> bool:
    """Tell whether a server only repeats what another one does."""
    return facts.info.get("role") == "slave"


def _number(found: dict[str, str], name: str) -> int:
    text = found.get(name, "")
    return int(text) if text.isascii() and text.isdigit() else 0


def _server(facts: ServerFacts) -> Iterator[Check]:
    info = facts.info
    redis = f"Redis {info.get('redis_version', 'of unknown version')}"
    kind = f"Valkey {info['valkey_version']} (as {redis})" if "valkey_version" in info else redis
    up = f"{kind}, up for {spoken(_number(info, 'uptime_in_seconds') * 1000)}"
    if not _shows_idle_readers(info.get("redis_version", "")):
        up += "; before 7.2 it does not show processors that are idle"
    if facts.answered_in_ms > SLOW_ANSWER_MS:
        yield _note(
            "server",
            f"{up}; it took {spoken(facts.answered_in_ms)} to answer.",
            "See SLOWLOG GET for what holds it up, and whether the machine or the network is busy.",
        )
    else:
        yield _ok("server", f"{up}.")
    if abs(facts.clock_ahead_ms) > CLOCK_APART_MS:
        where = "ahead of" if facts.clock_ahead_ms > 0 else "behind"
        yield _note(
            "clock",
            f"Its clock is {spoken(abs(facts.clock_ahead_ms))} {where} this machine's. Leases and lifetimes go by "
            "that of Redis alone; times in events are those of their writers.",
            "Synchronise both (NTP).",
        )


def _shows_idle_readers(version: str) -> bool:
    # Redis XINFO CONSUMERS, "idle": a read that finds nothing counts from 7.2.0 on.
    numbers = tuple(int(part) if part.isdigit() else 0 for part in version.split(".")[:2])
    return numbers >= (7, 2)


def _role(info: dict[str, str], location: RedisLocation) -> Check:
    if info.get("role") == "slave":
        master = f"{info.get('master_host', '?')}:{info.get('master_port', '?')}"
        return _wrong(
            "role",
            f"It is a replica of {master} and takes no writes: no job can be created or run here.",
            "Let REDIS_URL name the master, or the Sentinels that know it (redis+sentinel://).",
        )
    replicas = _number(info, "connected_slaves")
    found = f"master, {count(replicas, 'replica') if replicas else 'no replicas'}"
    if location.mode is Mode.SENTINEL and not replicas:
        return _note("role", f"{found}: nothing can take over.", "See why no replica is connected.")
    return _ok("role", f"{found}.")


def _eviction(info: dict[str, str]) -> Check:
    policy, evicted = info.get("maxmemory_policy", "noeviction"), _number(info, "evicted_keys")
    if policy != "noeviction":
        return _wrong(
            "eviction",
            f"maxmemory-policy is {policy}: a full Redis deletes jobs ({count(evicted, 'key')} so far).",
            "Set maxmemory-policy to noeviction, now (CONFIG SET) and in its configuration.",
        )
    if evicted:
        return _note(
            "eviction",
            f"noeviction now, but {count(evicted, 'key')} evicted since its start; jobs may be among them.",
            "See the row about jobs; what is lost must be created again by its callers.",
        )
    return _ok("eviction", "noeviction: a full Redis refuses new jobs and deletes none.")


def _disk(facts: ServerFacts) -> Iterator[Check]:
    info = facts.info
    mend = "See its disk (full?) and its log. Until a write succeeds it may refuse all changes (MISCONF)."
    if info.get("aof_enabled", "1") != "1":
        yield _wrong("disk", "appendonly is off: a restart of Redis loses jobs.", "Set appendonly to yes.")
    elif info.get("aof_last_write_status", "ok") != "ok":
        yield _wrong("disk", "The last write to the append-only file failed.", mend)
    else:
        yield _synced(facts.settings or {})
    if info.get("rdb_last_bgsave_status", "ok") != "ok":
        yield _wrong("disk", "The last snapshot (RDB) failed.", mend)
    if info.get("aof_last_bgrewrite_status", "ok") != "ok":
        yield _wrong("disk", "The last rewrite of the append-only file failed: the file only grows.", mend)


def _synced(settings: dict[str, str]) -> Check:
    policy = settings.get("appendfsync", "")
    losses = {"everysec": "what its host loses is a second", "always": "nothing that was answered can be lost"}
    if policy == "no":
        return _note(
            "disk",
            "Append-only file with appendfsync no: half a minute is lost with its host.",
            "Set appendfsync to everysec.",
        )
    return _ok(
        "disk", f"Append-only file, synced {policy}: {losses[policy]}." if policy in losses else "Append-only file."
    )


def _memory(info: dict[str, str]) -> Check:
    used, most, machine = (_number(info, name) for name in ("used_memory", "maxmemory", "total_system_memory"))
    if not most:
        return _note(
            "memory",
            f"{size(used)} used, and no limit (maxmemory 0) on a machine of {size(machine)}: when that is full, Redis "
            "is killed in place of refusing new jobs.",
            "Set maxmemory to what the machine can give, less a quarter for snapshots and rewrites.",
        )
    left = max(0, most - used)
    found = f"{size(used)} of {size(most)} used; there is room for about {left // JOB_BYTES:,} more jobs of 30 events"
    if used >= most * NEARLY_FULL_RATIO:
        standing = _wrong if used >= most * FULL_RATIO else _note
        return standing(
            "memory",
            f"{found}. When it is full, new jobs are refused (503), and running ones go on without progress.",
            "Raise maxmemory, or see what fills it (dead-letters, keys of others). Ended jobs leave by themselves.",
        )
    return _ok("memory", f"{found}.")


def _clients(info: dict[str, str]) -> Check:
    connected, most = _number(info, "connected_clients"), _number(info, "maxclients")
    if most and connected >= most * NEARLY_FULL_RATIO:
        standing = _wrong if connected >= most * FULL_RATIO else _note
        return standing(
            "clients",
            f"{connected:,} of at most {most:,} clients are connected, "
            f"{_number(info, 'rejected_connections'):,} were refused.",
            "See CLIENT LIST for whose they are (ours are named), or raise maxclients.",
        )
    return _ok("clients", f"{connected:,} connected{f', of at most {most:,}' if most else ''}.")


def _node_sizes(settings: dict[str, str]) -> Check:
    others = [
        f"{name} is {settings[name]} in place of {advised}"
        for name, advised in NODE_SIZES.items()
        if name in settings and settings[name] != str(advised)
    ]
    if others:
        return _note(
            "node sizes",
            f"{', '.join(others)}: jobs take more memory than they need.",
            "Set them so, now (CONFIG SET) and in its configuration; it holds for what is written from then on.",
        )
    return _ok("node sizes", ", ".join(f"{name} {advised:,}" for name, advised in NODE_SIZES.items()) + ".")


def _timeouts(settings: dict[str, str]) -> Check:
    timeout_seconds, keepalive_seconds = _number(settings, "timeout"), _number(settings, "tcp-keepalive")
    if 0 < timeout_seconds < SHORTEST_TIMEOUT_SECONDS:
        return _note(
            "timeouts",
            f"timeout is {timeout_seconds} s: quiet connections are cut, and after each cut nobody's job is taken over "
            "for a lease's time.",
            "Set timeout to 0, or to minutes.",
        )
    if not keepalive_seconds:
        return _note(
            "timeouts",
            "tcp-keepalive is 0: connections of machines that vanished are never closed.",
            "Set tcp-keepalive to 300.",
        )
    return _ok("timeouts", f"timeout {timeout_seconds} s, tcp-keepalive {keepalive_seconds} s.")


def _coverage(settings: dict[str, str], location: RedisLocation) -> Iterator[Check]:
    if location.mode is Mode.CLUSTER and settings.get("cluster-require-full-coverage") == "yes":
        yield _note(
            "coverage",
            "cluster-require-full-coverage is yes: one lost node takes all partitions out of service.",
            "Set it to no.",
        )
