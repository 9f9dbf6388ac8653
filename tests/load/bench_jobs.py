"""What the engine does with jobs that do nothing: how many a second, how soon, and at which cost for Redis.

    python -m tests.load.bench_jobs [--jobs 30000] [--rounds 3] [--contenders] [--takeover]

Each job has three events: queued, started, completed. The processor is a process of its own, with `idle_handler` and
as it is shipped but for its slots and its log level; Redis is the embedded one, with its append-only file. With
`--contenders` the queues of the dependency group `bench` do the same work on the same server, one worker process each.
"""

import argparse
import asyncio
import contextlib
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from deploy.local.resp import ask
from deploy.local.valkey import EmbeddedValkey
from shared.jobstore.store import JobStore
from tests.load.bench_store import spent
from tests.load.take_over import measure_take_over
from tests.support import jobs
from tests.support.ports import free_ports
from tests.support.servers import empty
from tests.support.service import Service
from tests.support.stores import running_store
from tests.support.waiting import until

CREATORS = 100
SLOTS = 200
PICKUPS_PER_SECOND = 100
PICKUPS = 500
LOOK_EVERY_SECONDS = 0.02
END_WITHIN_SECONDS = 300.0


class Throughput(NamedTuple):
    """One round: jobs created and ended a second, and the CPU that an end costs the processor and Redis."""

    created_per_second: float
    ended_per_second: float
    processor_us: float
    redis_us: float


@contextlib.contextmanager
def processor(home: Path, url: str, **settings: str) -> Iterator[Service]:
    """Run one processor with a handler that does nothing."""
    (admin_port,) = free_ports(1)
    own = {
        "REDIS_URL": url,
        "WAYBILL_HANDLER": "tests.load.idle_handler:handle",
        "WAYBILL_ADMIN_PORT": str(admin_port),
        "WAYBILL_SOURCES_DIR": str(home / "sources"),
        "WAYBILL_OBJECTS_DIR": str(home / "objects"),
        "WAYBILL_SLOTS": str(SLOTS),
        "WAYBILL_LOG_LEVEL": "warning",
        **settings,
    }
    service = Service("processor", own, home / f"processor-{admin_port}.log")
    try:
        yield service
    finally:
        service.close()


async def create_jobs(store: JobStore, count: int) -> float:
    """Create jobs with a hundred callers; give how many a second."""
    began_at = time.monotonic()
    left = iter(range(count))

    async def create() -> None:
        for _ in left:
            await jobs.create(store)

    await asyncio.gather(*(create() for _ in range(CREATORS)))
    return count / (time.monotonic() - began_at)


def backlog(server: EmbeddedValkey) -> int:
    """Count the unfinished jobs."""
    return int(ask(server.port, "XLEN", "waybill:{0}:commands"))


async def measure_throughput(home: Path, server: EmbeddedValkey, count: int) -> Throughput:
    """Create the jobs, then let one processor end them all. The clock runs from the first end to the last."""
    empty(server)
    async with running_store(server.url, partitions=1) as store:
        created_per_second = await create_jobs(store, count)
    with processor(home, server.url) as service:
        await asyncio.to_thread(until, lambda: backlog(server) < count, "the first job has ended")
        first, began_at = backlog(server), time.monotonic()
        redis_us, processor_us = spent(server).cpu_us, cpu_us(service.pid)
        while backlog(server):
            assert time.monotonic() < began_at + END_WITHIN_SECONDS, f"{backlog(server)} jobs have not ended"
            await asyncio.sleep(LOOK_EVERY_SECONDS)
        took_seconds = time.monotonic() - began_at
        redis_us, processor_us = spent(server).cpu_us - redis_us, cpu_us(service.pid) - processor_us
    return Throughput(created_per_second, first / took_seconds, processor_us / first, redis_us / first)


def cpu_us(pid: int) -> float:
    """Give the CPU time that a process has used up to now (proc(5): fields 14 and 15 of its stat, in ticks)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") * 1_000_000


async def measure_pickup(home: Path, server: EmbeddedValkey) -> list[float]:
    """Create jobs now and then beside an idle processor; give the milliseconds from creation to start of each."""
    empty(server)
    with processor(home, server.url) as service:
        await asyncio.to_thread(service.wait_until_ready)
        async with running_store(server.url, partitions=1) as store:
            ids = []
            for _ in range(PICKUPS):
                ids.append(await jobs.create(store))
                await asyncio.sleep(1 / PICKUPS_PER_SECOND)
            await asyncio.to_thread(until, lambda: backlog(server) == 0, "all jobs have ended")
            records = await asyncio.gather(*map(store.find, ids))
    waits = []
    for record in records:
        assert record is not None
        assert record.started_at_ms is not None
        waits.append(float(record.started_at_ms - record.created_at_ms))
    return waits


async def main() -> None:
    """Measure and print everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=30_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--takeover", action="store_true", help="only: from kill -9 of a processor to the next run")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        server = await asyncio.to_thread(EmbeddedValkey(home / "redis", durable=True).start)
        try:
            if options.takeover:
                waits = sorted(await measure_take_over(home, server, processor))
                print(f"kill -9 to the next run: median {statistics.median(waits):.1f} s, longest {waits[-1]:.1f} s")
                return
            rounds = [await measure_throughput(home, server, options.jobs) for _ in range(options.rounds)]
            for measured in rounds:
                print(measured)
            waits = await measure_pickup(home, server)
            print(f"pick-up p50 {statistics.median(waits):.1f} ms, p99 {statistics.quantiles(waits, n=100)[98]:.1f} ms")
        finally:
            await asyncio.to_thread(server.stop)


if __name__ == "__main__":
    asyncio.run(main())
