"""What the engine does with jobs that do nothing: how many a second, how soon, and at which cost for Redis.

    python -m tests.load.bench_jobs [--jobs 30000] [--rounds 3] [--contenders]

Each job has three events: queued, started, completed. The processor is a process of its own, with `idle_handler` and
as it is shipped but for its slots and its log level; Redis is the embedded one, with its append-only file. Jobs are
created first, then ended, so that on two cores the processor has one and Redis the other. The other queues do the same
on the same server, in one worker process each (job_contenders.py).
"""

import argparse
import asyncio
import contextlib
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from deploy.local.resp import ask
from deploy.local.valkey import EmbeddedValkey
from shared import limits
from shared.clock import now_ms
from shared.jobs import JobState
from shared.jobstore.lifetimes import Step
from shared.jobstore.store import JobStore
from tests.load.bench_store import info
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
JOBS_WEIGHED = 1_000
EVENTS_OF_A_RUN = 30
EVENTS_OF_TWO_MINUTES = 120
TRIM_AFTER_MS = 2 * limits.LOG_TRIMMED_AFTER_MS


class Stage(NamedTuple):
    """How far a job has come whose memory is weighed; `is_trimmed`: the janitor was there, its log is short."""

    title: str
    state: JobState
    is_trimmed: bool = False
    events: int = EVENTS_OF_A_RUN


STAGES = (
    Stage("queued", JobState.QUEUED),
    Stage(f"running, {EVENTS_OF_A_RUN} events", JobState.PROCESSING),
    Stage(f"running, {EVENTS_OF_TWO_MINUTES} events", JobState.PROCESSING, events=EVENTS_OF_TWO_MINUTES),
    Stage(f"ended, {EVENTS_OF_A_RUN + 1} events, not trimmed", JobState.COMPLETED),
    Stage("ended, trimmed", JobState.COMPLETED, is_trimmed=True),
)
CONTENDERS = ("arq", "saq", "taskiq", "streaq")
CONTENDERS_PYTHON = ".venv-bench/bin/python"
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
        redis_us, processor_us = spent_cpu_us(server), cpu_us(service.pid)
        while backlog(server):
            assert time.monotonic() < began_at + END_WITHIN_SECONDS, f"{backlog(server)} jobs have not ended"
            await asyncio.sleep(LOOK_EVERY_SECONDS)
        took_seconds = time.monotonic() - began_at
        redis_us, processor_us = spent_cpu_us(server) - redis_us, cpu_us(service.pid) - processor_us
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


async def weigh(server: EmbeddedValkey, store: JobStore, stage: Stage) -> float:
    """Give the bytes of Redis' memory that one job takes at a stage."""
    empty(server)
    await store.prepare()
    # What was there before is freed in the background.
    await asyncio.to_thread(until, lambda: info(server, "memory")["lazyfree_pending_objects"] == "0", "Redis is empty")
    before = int(info(server, "memory")["used_memory"])
    lifetimes = jobs.lifetimes_of(store)
    in_hand: list[str] = []
    for _ in range(JOBS_WEIGHED):
        job_id = await jobs.create(store)
        if stage.state is JobState.QUEUED:
            continue
        (entry,) = await store.take(0, processor="p1", most=1, in_hand=in_hand)
        run = await jobs.claim(store, entry)
        in_hand += [entry.entry_id] if stage.state is JobState.PROCESSING else []
        for seq in range(3, stage.events + 1):
            await store.append_progress(run, seq=seq, message=jobs.progress(seq / 1_000))
        if stage.state is JobState.COMPLETED:
            await store.finish(run, jobs.completion())
        if stage.is_trimmed:
            taken = await lifetimes.expire(job_id, jobs.expiry_terms(), now_ms=now_ms() + TRIM_AFTER_MS)
            assert taken.step is Step.TRIMMED, taken
    return (int(info(server, "memory")["used_memory"]) - before) / JOBS_WEIGHED


def spent_cpu_us(server: EmbeddedValkey) -> float:
    """Give the CPU time that a server has used up to now."""
    cpu = info(server, "cpu")
    return (float(cpu["used_cpu_user"]) + float(cpu["used_cpu_sys"])) * 1_000_000


def measure_contender(name: str, url: str, count: int) -> tuple[float, float, float]:
    """Let another queue do the same; give what it prints: created/s, ended/s, its own CPU for each end (µs)."""
    command = [CONTENDERS_PYTHON, "tests/load/job_contenders.py", name, url, str(count)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=END_WITHIN_SECONDS).stdout
    created, ended, own_us = map(float, printed.split()[-3:])
    return created, ended, own_us


def print_rounds(title: str, rounds: list[Throughput], first: float) -> None:
    """Print the medians of some rounds, and the best one."""
    created, ended, processor_us, redis_us = (statistics.median(column) for column in zip(*rounds, strict=True))
    best = max(one.ended_per_second for one in rounds)
    print(
        f"{title:16}{created:>11,.0f}{ended:>10,.0f}{best:>10,.0f}{ended / first:>9.2f} x"
        f"{processor_us:>14.0f}{redis_us:>11.0f}"
    )


async def measure_all(home: Path, server: EmbeddedValkey, options: argparse.Namespace) -> None:
    """Print everything: the race, pick-up, memory, take-over."""
    rounds: dict[str, list[Throughput]] = {"waybill": []}
    names = CONTENDERS if options.contenders else ()
    for _ in range(options.rounds):  # side by side, so that a noisy minute meets all of them
        rounds["waybill"].append(await measure_throughput(home, server, options.jobs))
        for name in names:
            rounds.setdefault(name, []).append(await measure_other(name, server, options.jobs // 5))
    first = statistics.median(one.ended_per_second for one in rounds["waybill"])
    print(f"\n{options.rounds} rounds of {options.jobs:,} jobs that do nothing (others: a fifth of it), medians\n")
    print(f"{'':16}{'created/s':>11}{'ended/s':>10}{'best':>10}{'':>11}{'own CPU µs':>14}{'Redis µs':>11}")
    for name, measured in rounds.items():
        print_rounds(name, measured, first)

    waits = await measure_pickup(home, server)
    print(f"\npick-up by an idle processor, {PICKUPS_PER_SECOND} jobs/s: p50 {statistics.median(waits):.1f} ms, "
          f"p99 {statistics.quantiles(waits, n=100)[98]:.1f} ms")  # fmt: skip
    print("\nbytes of Redis' memory for each job of two files\n")
    async with running_store(server.url, partitions=1) as store:
        for stage in STAGES:
            print(f"{stage.title:32}{await weigh(server, store, stage):>8,.0f}")
    waits_seconds = await measure_take_over(home, server, processor)
    median_seconds = statistics.median(waits_seconds)
    longest_seconds = max(waits_seconds)
    print(f"\nkill -9 to the next run, as shipped: median {median_seconds:.1f} s, longest {longest_seconds:.1f} s")


async def measure_other(name: str, server: EmbeddedValkey, count: int) -> Throughput:
    """Let another queue do the same on the same server."""
    empty(server)
    redis_us = spent_cpu_us(server)
    created, ended, own_us = await asyncio.to_thread(measure_contender, name, server.url, count)
    return Throughput(created, ended, own_us, (spent_cpu_us(server) - redis_us) / count)


async def main() -> None:
    """Measure on a server of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--jobs", type=int, default=30_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--contenders", action="store_true", help="arq, saq, taskiq and streaq beside it")
    options = parser.parse_args()
    if options.contenders and not os.path.exists(CONTENDERS_PYTHON):  # noqa: ASYNC240  # before anything runs
        parser.error("the other queues are not installed: make bench-environment")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        server = await asyncio.to_thread(EmbeddedValkey(home / "redis", durable=True).start)
        try:
            await measure_all(home, server, options)
        finally:
            await asyncio.to_thread(server.stop)


if __name__ == "__main__":
    asyncio.run(main())
