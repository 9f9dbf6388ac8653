"""Why processors are scaled by the stream's length: what KEDA could count instead, over the life of four jobs.

`pytest -s` prints the table of docs/kubernetes.md.
"""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest

from deploy.local.valkey import EmbeddedValkey
from shared.jobstore import keys
from shared.jobstore.store import JobStore
from tests.support import jobs
from tests.support.debian_redis import DebianRedis
from tests.support.stores import running_store


class Counts(NamedTuple):
    """What there is to count; `lag` is None where Redis does not know it, which KEDA reads as 0."""

    length: int
    pending: int
    lag: int | None


@contextlib.asynccontextmanager
async def store_on(kind: str, home: Path) -> AsyncIterator[JobStore]:
    """Run a job store on a server of this kind."""
    server = DebianRedis(home) if kind == "redis" else EmbeddedValkey(home)
    with server:
        async with running_store(server.url, partitions=1) as store:
            yield store


async def count(store: JobStore) -> Counts:
    """Look at what KEDA might count."""
    length = cast("int", await store.connection.execute("XLEN", keys.commands(0)))
    [group] = cast("list[Any]", await store.connection.execute("XINFO", "GROUPS", keys.commands(0)))
    said = group if isinstance(group, dict) else dict(zip(group[::2], group[1::2], strict=True))
    return Counts(length, said[b"pending"], said[b"lag"])


async def lives(store: JobStore) -> AsyncIterator[tuple[str, int, Counts]]:
    """Let four jobs live; gives what has happened, how many are unfinished, and what there is to count."""
    _, _, third, fourth = [await jobs.create(store) for _ in range(4)]
    yield "four jobs wait", 4, await count(store)
    entries: list[Any] = await store.take(0, processor="p1", most=2, in_hand=())
    runs = [await jobs.claim(store, entry) for entry in entries]
    yield "two of them run", 4, await count(store)
    await store.finish(runs[0], jobs.completion())
    yield "one has ended", 3, await count(store)
    await jobs.cancel(store, fourth)
    yield "one that waited is cancelled", 2, await count(store)
    await store.retry_later(runs[1], message=jobs.RETRYING, error=jobs.BROKEN, delay_ms=60_000, lease_ms=60_000)
    await jobs.claim(store, await jobs.take(store, third))
    yield "one is parked, one runs, nobody waits", 2, await count(store)
    await jobs.create(store)
    yield "one more comes", 3, await count(store)


@pytest.mark.parametrize("kind", ["redis", "valkey"])
async def test_only_the_length_is_the_number_of_unfinished_jobs(kind: str, tmp_path: Path) -> None:
    async with store_on(kind, tmp_path / kind) as store:
        seen = [row async for row in lives(store)]

    for what, unfinished, counts in seen:
        print(f"| {kind} | {what} | {unfinished} | {counts.length} | {counts.lag} | {counts.pending} |")  # noqa: T201
    assert [counts.length for _, _, counts in seen] == [unfinished for _, unfinished, _ in seen]
    lags = [counts.lag for _, _, counts in seen]
    assert None in lags
    assert 0 in [counts.lag or 0 for _, unfinished, counts in seen if unfinished]
