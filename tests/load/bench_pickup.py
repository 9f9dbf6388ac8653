"""How idle processors should hear of work: blocked in XREADGROUP, or woken by a published message and reading then.

`python -m tests.load.bench_pickup`: for 1 to 100 idle processors, the time from a job's entry to its reader, and what a
job costs Redis. The processors here only take entries and acknowledge them.
"""

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from deploy.local.valkey import EmbeddedValkey
from shared.jobstore import script

STREAM, WAKE = "{0}:commands", "{0}:wake"
JOBS_PER_SECOND = 100


class Fleet:
    """Idle processors of one kind, and what they saw."""

    def __init__(self, url: str, processors: int) -> None:
        # redis-py's stream types do not unpack under strict typing.
        self.clients: list[Any] = [Redis.from_url(url, protocol=2, socket_timeout=30) for _ in range(processors)]
        self.waits_ms: list[float] = []

    async def took(self, client: Any, entry_id: bytes, created_at: bytes) -> None:
        self.waits_ms.append((time.perf_counter() - float(created_at)) * 1000)
        await client.xack(STREAM, "processors", entry_id)
        await client.xdel(STREAM, entry_id)

    async def blocked(self, number: int) -> None:
        client = self.clients[number]
        while True:
            found = await client.xreadgroup("processors", f"p{number}", {STREAM: ">"}, count=1, block=4000)
            for _, entries in found:
                for entry_id, fields in entries:
                    await self.took(client, entry_id, fields[b"job"])

    async def woken(self, number: int) -> None:
        client = self.clients[number]
        pubsub = client.pubsub()
        await pubsub.subscribe(WAKE)
        while True:
            await pubsub.get_message(timeout=random.uniform(0.8, 1.2))
            while taken := await client.evalsha(script.TAKE.sha, 1, STREAM, f"p{number}", 1):
                await self.took(client, *taken[0])


async def measure(url: str, processors: int, kind: str, seconds: float) -> tuple[float, float, float]:
    """Give the median and 99th percentile of the pick-up (ms), and Redis' CPU for each job (µs)."""
    producer: Any = Redis.from_url(url, protocol=2)
    await producer.flushall()
    await producer.xgroup_create(STREAM, "processors", "0", mkstream=True)
    await producer.script_load(script.TAKE.text)
    fleet = Fleet(url, processors)
    work = fleet.blocked if kind == "blocked" else fleet.woken
    tasks = [asyncio.ensure_future(work(number)) for number in range(processors)]
    await asyncio.sleep(1)
    before = await cpu_seconds(producer)
    jobs = int(seconds * JOBS_PER_SECOND)
    for _ in range(jobs):
        await producer.xadd(STREAM, {"job": time.perf_counter()})
        if kind == "woken":
            await producer.publish(WAKE, "")
        await asyncio.sleep(random.expovariate(JOBS_PER_SECOND))
    await asyncio.sleep(1.5)
    cpu_us = (await cpu_seconds(producer) - before) / jobs * 1e6
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for client in (producer, *fleet.clients):
        await client.aclose()
    assert len(fleet.waits_ms) == jobs, f"{jobs - len(fleet.waits_ms)} jobs were not picked up"
    return statistics.median(fleet.waits_ms), statistics.quantiles(fleet.waits_ms, n=100)[98], cpu_us


async def cpu_seconds(client: Any) -> float:
    info = await client.info("cpu")
    return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    seconds = parser.parse_args().seconds
    print(f"{JOBS_PER_SECOND} jobs/s\n{'idle':>5} {'how':>8} {'p50 ms':>8} {'p99 ms':>8} {'Redis µs/job':>13}")
    with tempfile.TemporaryDirectory() as home, EmbeddedValkey(Path(home)) as valkey:
        for processors in (1, 10, 30, 100):
            for kind in ("blocked", "woken"):
                p50, p99, cpu_us = asyncio.run(measure(valkey.url, processors, kind, seconds))
                print(f"{processors:>5} {kind:>8} {p50:>8.2f} {p99:>8.2f} {cpu_us:>13.0f}")


if __name__ == "__main__":
    main()
