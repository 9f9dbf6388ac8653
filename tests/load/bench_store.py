"""What the job store costs: operations a second, and Redis' time for each.

`python -m tests.load.bench_store` starts an embedded server of its own, with an append-only file as `make run` has it,
and takes less than a minute. One machine runs the callers and Redis, so the ratios matter more than the figures.
"""

import asyncio
import itertools
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from redis.asyncio import Redis

from deploy.local.resp import ask
from deploy.local.valkey import EmbeddedValkey
from shared import limits
from shared.jobstore.connection import Argument, CommandConnection, Reply
from shared.jobstore.location import parse_location
from shared.jobstore.operations import Run
from shared.jobstore.store import JobStore
from tests.support import jobs
from tests.support.servers import empty
from tests.support.stores import running_store

SECONDS_EACH = 1.0
CALLERS = (1, 10, 100)
MICROSECONDS = 1_000_000
ENDS_EACH = 90
END_ROUNDS = 20

Operation = Callable[[Run, int], Awaitable[object]]
"""One call on a caller's own run, with the run's next sequence number."""


class PlainClient(CommandConnection):
    """redis-py's own client in place of ours: one command, one round trip."""

    def __init__(self, url: str) -> None:
        super().__init__(parse_location(url), name="plain")
        self.client = Redis.from_url(url, protocol=2)
        self._send: Callable[..., Awaitable[Reply]] = self.client.execute_command

    async def execute(
        self,
        *arguments: Argument,
        within_seconds: float = limits.REDIS_REQUEST_WITHIN_SECONDS,
        is_patient: bool = True,
        is_asking: bool = False,
    ) -> Reply:
        """Send one command and wait for its reply."""
        return await self._send(*arguments)


class Rate(NamedTuple):
    """What was measured for one operation; times are Redis' for each call."""

    calls_per_second: float
    script_us: float
    cpu_us: float


class Spent(NamedTuple):
    """What a server has used up to now: script calls, time within them, CPU of the whole process."""

    calls: int
    script_us: int
    cpu_us: float


def spent(server: EmbeddedValkey) -> Spent:
    """Read a server's own counters."""
    stats = info(server, "commandstats").get("cmdstat_evalsha", "calls=0,usec=0")
    fields = dict(pair.split("=") for pair in stats.split(","))
    cpu = info(server, "cpu")
    cpu_seconds = float(cpu["used_cpu_user"]) + float(cpu["used_cpu_sys"])
    return Spent(int(fields["calls"]), int(fields["usec"]), cpu_seconds * MICROSECONDS)


def info(server: EmbeddedValkey, section: str) -> dict[str, str]:
    lines = ask(server.port, "INFO", section).splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


async def measure(server: EmbeddedValkey, store: JobStore, operation: Operation, callers: int) -> Rate:
    """Let a number of callers repeat an operation for a second, each on a run of its own."""
    empty(server)
    await store.prepare()
    runs = [await jobs.start(store) for _ in range(callers)]
    until = time.monotonic() + SECONDS_EACH

    async def repeat(run: Run) -> None:
        for seq in itertools.count(run.record.seq + 1):
            await operation(run, seq)
            if time.monotonic() >= until:
                return

    before, began_at = spent(server), time.monotonic()
    await asyncio.gather(*(repeat(run) for run in runs))
    took_seconds, after = time.monotonic() - began_at, spent(server)

    calls = after.calls - before.calls
    return Rate(
        calls / took_seconds, (after.script_us - before.script_us) / calls, (after.cpu_us - before.cpu_us) / calls
    )


async def measure_operations(server: EmbeddedValkey, store: JobStore) -> None:
    """Print a line for each operation: ours with 1, 10 and 100 callers beside redis-py's client."""
    plain = PlainClient(server.url)
    plain_store = JobStore(plain, partitions=store.partitions)
    message = jobs.progress(0.5)
    operations: dict[str, Callable[[JobStore], Operation]] = {
        "create": lambda of: lambda run, seq: of.create(jobs.new_job(of)),
        "append_progress": lambda of: lambda run, seq: of.append_progress(run, seq=seq, message=message),
        "renew": lambda of: lambda run, seq: of.renew(run, processor="p1", lease_ms=jobs.LEASE_MS),
    }
    print("operations a second (beside redis-py's client, one command at a time), Redis' time for each\n")
    print(f"{'':16}{'redis-py, 1':>12}" + "".join(f"{f'ours, {n}':>18}" for n in CALLERS) + "   script     CPU")
    for name, operation_of in operations.items():
        base = await measure(server, plain_store, operation_of(plain_store), 1)
        rates = [await measure(server, store, operation_of(store), callers) for callers in CALLERS]
        ours = "".join(
            f"{rate.calls_per_second:>10,.0f} {f'({rate.calls_per_second / base.calls_per_second:.1f}x)':>7}"
            for rate in rates
        )
        print(
            f"{name:16}{base.calls_per_second:>12,.0f}{ours}{rates[-1].script_us:>6.0f} µs{rates[-1].cpu_us:>5.0f} µs"
        )
    await plain.client.aclose()


async def measure_ends(server: EmbeddedValkey, store: JobStore) -> None:
    """Print what the end of a job costs with a callback and without: the least of some rounds, and memory."""
    print(f"\n{'the end of a job':24}{'script':>10}{'memory kept':>16}")
    for name, url in (("nobody is told", None), ("a callback", "https://hooks.example.org/waybill/1f0c")):
        least_us, kept_bytes = float("inf"), 0.0
        for _ in range(END_ROUNDS):
            empty(server)
            await store.prepare()
            runs = [await jobs.start(store, callback_url=url) for _ in range(ENDS_EACH)]
            before, memory_before = spent(server), int(info(server, "memory")["used_memory"])
            await asyncio.gather(*(store.finish(run, jobs.completion()) for run in runs))
            after, memory_after = spent(server), int(info(server, "memory")["used_memory"])
            least_us = min(least_us, (after.script_us - before.script_us) / ENDS_EACH)
            kept_bytes = (memory_after - memory_before) / ENDS_EACH
        print(f"{name:24}{least_us:>7.1f} µs{kept_bytes:>10,.0f} bytes")


async def main() -> None:
    """Measure everything once."""
    with tempfile.TemporaryDirectory() as folder:
        server = await asyncio.to_thread(EmbeddedValkey(Path(folder), durable=True).start)
        try:
            async with running_store(server.url, partitions=1) as store:
                await measure_operations(server, store)
                await measure_ends(server, store)
        finally:
            await asyncio.to_thread(server.stop)


if __name__ == "__main__":
    asyncio.run(main())
