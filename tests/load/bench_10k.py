"""Ten thousand downloads at once on one machine: created, queued, run, watched; what it takes, and that none is lost.

    python -m tests.load.bench_10k [--jobs 10000] [--gateways 2] [--processors 10] [--reports 6] [--every 5]

Everything is a real process: gateways and processors as they are shipped but for their log level and slots, the
embedded Valkey with its append-only file, one viewer on an event stream of its own for each job. The jobs' work is to
tell how far they are (paced_handler.py), so that all of them run at once on two cores; what copying costs is
`make bench-bundle`'s.

    create all ─▶ open all streams ─▶ start the processors ─▶ follow all to their ends ─▶ hold it against the records
"""

import argparse
import asyncio
import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from deploy.local.resp import ask
from deploy.local.valkey import EmbeddedValkey
from shared.jobs import JobState
from shared.jobstore import keys
from tests.load import paced_handler
from tests.load.bench_api import create_request
from tests.load.bench_jobs import backlog, cpu_us, processor, spent_cpu_us
from tests.load.bench_store import info
from tests.load.bench_streams import STREAM, resident_kb
from tests.load.creators import Created, Creators
from tests.load.lone_gateway import lone_gateway
from tests.load.remote import Remote, raise_file_limit, remote
from tests.load.whole_lives import LifeCrowd, Lives
from tests.support.service import Service
from tests.support.stores import running_store

CONNECTIONS = 32
LOOK_EVERY_SECONDS = 0.25
MAX_SLOTS = 1_000
"""Of one processor (WAYBILL_SLOTS)."""
GRACE_SECONDS = 300.0
"""How long is waited for ends beyond the time that the jobs themselves take."""
SPARE_FILES = 500
COUNT_PENDING = "return redis.call('XPENDING', KEYS[1], ARGV[1])[1]"


class Opened(NamedTuple):
    """The streams: how long it took to open all of them, how many were told `busy` at first, what each weighs."""

    took_seconds: float
    refusals: int
    stream_kb: float


class Peaks(NamedTuple):
    """The most that was seen: Redis' memory (bytes), jobs in processors' hands; and when the backlog was empty."""

    redis_bytes: int
    running: int
    took_seconds: float


class Outcome(NamedTuple):
    """How the records stand: jobs that have not completed, and viewers who believe something else than the record.

    `taken_over`: jobs that were run again, for a starved processor could not renew their leases; that loses nothing.
    """

    unfinished: int
    mistaken: int
    taken_over: int


class Ground:
    """A Redis, gateways, and the two load generators."""

    def __init__(self, server: EmbeddedValkey, gateways: Sequence[Service], creators: Remote, crowd: Remote) -> None:
        self.server = server
        self.gateways = gateways
        self.creators = creators
        self.crowd = crowd
        self.empty_bytes = used_bytes(server)

    @property
    def ports(self) -> list[int]:
        """The gateways' ports."""
        return [each.port for each in self.gateways]

    def create(self, jobs: int) -> Created:
        """Create all jobs."""
        made: Created = self.creators.call("create", self.ports, create_request({}), jobs, CONNECTIONS)
        return made

    def open_streams(self, ids: Sequence[str]) -> Opened:
        """Open a stream for each job."""
        before_kb = sum(resident_kb(each.pid) for each in self.gateways)
        took_seconds, refusals = self.crowd.call("watch", self.ports, ids, 1)
        after_kb = sum(resident_kb(each.pid) for each in self.gateways)
        return Opened(took_seconds, refusals, (after_kb - before_kb) / len(ids))

    def watch_peaks(self, within_seconds: float) -> Peaks:
        """Look until every viewer has seen its end, or for so long."""
        began_at, redis_bytes, running, empty_at = time.monotonic(), 0, 0, None
        while not self.crowd.has_answered(LOOK_EVERY_SECONDS) and time.monotonic() < began_at + within_seconds:
            redis_bytes = max(redis_bytes, used_bytes(self.server))
            running = max(running, in_hand(self.server))
            if empty_at is None and backlog(self.server) == 0:
                empty_at = time.monotonic()
        return Peaks(redis_bytes, running, (empty_at or time.monotonic()) - began_at)


def used_bytes(server: EmbeddedValkey) -> int:
    """Give the memory that Redis uses."""
    return int(info(server, "memory")["used_memory"])


def in_hand(server: EmbeddedValkey) -> int:
    """Count the jobs that processors have taken and not ended (the group's pending entries)."""
    return int(ask(server.port, "EVAL", COUNT_PENDING, "1", keys.commands(0), keys.GROUP))


async def check(url: str, last_ids: Mapping[str, str]) -> Outcome:
    """Hold what viewers have seen against the records."""
    unfinished = mistaken = taken_over = 0
    async with running_store(url, partitions=1) as store:
        for job_id, seen in last_ids.items():
            record = await store.find(job_id)
            unfinished += record is None or record.state is not JobState.COMPLETED
            mistaken += record is None or seen != f"{record.epoch}-{record.seq}"
            taken_over += record is not None and record.attempt > 1
    return Outcome(unfinished, mistaken, taken_over)


def measure(home: Path, server: EmbeddedValkey, options: argparse.Namespace) -> bool:
    """Let it happen once, and print what it took; tell whether nothing was lost."""
    slots = min(MAX_SLOTS, -(-options.jobs // options.processors))
    paced = {paced_handler.REPORTS: str(options.reports), paced_handler.EVERY_SECONDS: str(options.every)}
    settings = {"WAYBILL_HANDLER": "tests.load.paced_handler:handle", "WAYBILL_SLOTS": str(slots), **paced}
    within_seconds = (options.reports + 1) * options.every + GRACE_SECONDS
    with contextlib.ExitStack() as stack:
        gateways = [stack.enter_context(lone_gateway(home, server.url)) for _ in range(options.gateways)]
        creators, crowd = stack.enter_context(remote(Creators)), stack.enter_context(remote(LifeCrowd, STREAM))
        ground = Ground(server, gateways, creators, crowd)
        created = ground.create(options.jobs)
        queued_bytes = used_bytes(server) - ground.empty_bytes
        opened = ground.open_streams(created.ids)
        print_start(options, created, queued_bytes, opened)
        crowd.send("follow", within_seconds)
        spent_us = spent_cpu_us(server), sum(cpu_us(each.pid) for each in gateways)
        processors = [stack.enter_context(processor(home, server.url, **settings)) for _ in range(options.processors)]
        peaks = ground.watch_peaks(within_seconds)
        lives: Lives = crowd.receive()
        redis_us, gateway_us = (
            spent_cpu_us(server) - spent_us[0],
            sum(cpu_us(each.pid) for each in gateways) - spent_us[1],
        )
        print_run(options, ground, peaks, lives)
        print_cpu(lives.events, gateway_us, redis_us, sum(cpu_us(each.pid) for each in processors))
        outcome = asyncio.run(check(server.url, lives.last_ids))
    return print_verdict(options.jobs, lives, outcome)


def print_start(options: argparse.Namespace, created: Created, queued_bytes: int, opened: Opened) -> None:
    """Print what it took until all jobs wait and are watched."""
    median, late = spread_ms(created.took_ns)
    print(f"\n{options.jobs:,} jobs at once; gateways: {options.gateways}, processors: {options.processors}\n")
    line(
        "all created",
        f"{created.took_seconds:,.1f} s",
        f"{options.jobs / created.took_seconds:,.0f}/s; p50 {median}, p99 {late}",
    )
    line("Redis for a waiting job", f"{queued_bytes / options.jobs:,.0f} B")
    line(
        "all streams opened",
        f"{opened.took_seconds:,.1f} s",
        f"{options.jobs / opened.took_seconds:,.0f}/s; told busy at first: {opened.refusals}",
    )
    line("gateway for a stream", f"{opened.stream_kb:,.1f} KB")


def print_run(options: argparse.Namespace, ground: Ground, peaks: Peaks, lives: Lives) -> None:
    """Print what it took to run and watch them."""
    median, late = spread_ms(lives.ages_ns)
    line("running at once, peak", f"{peaks.running:,}")
    line(
        "all ended",
        f"{peaks.took_seconds:,.1f} s",
        f"from the processors' start; {options.jobs / peaks.took_seconds:,.0f} jobs/s, "
        f"{lives.events / peaks.took_seconds:,.0f} events/s",
    )
    line(
        "Redis for a job, peak",
        f"{(peaks.redis_bytes - ground.empty_bytes) / options.jobs:,.0f} B",
        f"{peaks.redis_bytes / 1e6:,.0f} MB in all",
    )
    line("gateways' memory", f"{sum(resident_kb(each.pid) for each in ground.gateways) / 1e3:,.0f} MB")
    line("age of progress, p50", median, "from the handler's report to the viewer's socket")
    line("age of progress, p99", late, f"longest {max(lives.ages_ns, default=0) / 1e6:,.0f} ms")
    line("progress seen", f"{len(lives.ages_ns):,}", f"{options.jobs * options.reports:,} were told")


def print_cpu(events: int, gateway_us: float, redis_us: float, processor_us: float) -> None:
    """Print the CPU of the run, for each event that was seen."""
    events = max(events, 1)
    line(
        "CPU of an event",
        f"{(gateway_us + redis_us + processor_us) / events:,.0f} µs",
        f"gateways {gateway_us / events:,.0f}, Redis {redis_us / events:,.0f}, "
        f"processors {processor_us / events:,.0f}, their start included",
    )


def print_verdict(jobs: int, lives: Lives, outcome: Outcome) -> bool:
    """Print whether anything was lost, and tell it."""
    line("events", f"{lives.events:,}", f"lost {lives.lost}, doubled {lives.doubled}, streams resumed {lives.returns}")
    line(
        "ends seen",
        f"{lives.ended:,}",
        f"of {jobs:,}; not completed {outcome.unfinished}, viewers at another event than the record {outcome.mistaken}",
    )
    line("jobs run again", f"{outcome.taken_over}", "their processors were starved of CPU for longer than a lease")
    is_whole = lives.ended == jobs and not any((lives.lost, lives.doubled, outcome.unfinished, outcome.mistaken))
    print("\nnothing was lost" if is_whole else "\nSOMETHING WAS LOST")
    return is_whole


def spread_ms(took_ns: Sequence[int]) -> tuple[str, str]:
    """Give the median and the 99th percentile, to be printed; of fewer than two there is neither."""
    if len(took_ns) < 2:
        return "none", "none"
    cuts = statistics.quantiles(took_ns, n=100)
    return f"{cuts[49] / 1e6:,.1f} ms", f"{cuts[98] / 1e6:,.1f} ms"


def line(what: str, figure: str, more: str = "") -> None:
    """Print one figure."""
    print(f"{what:26}{figure:>12}   {more}")


def main() -> int:
    """Measure on a server of its own; the exit code is 1 when something was lost."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--gateways", type=int, default=2)
    parser.add_argument("--processors", type=int, default=10)
    parser.add_argument("--reports", type=int, default=6, help="progress events of each job")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between them; at least 1")
    options = parser.parse_args()
    if options.jobs > MAX_SLOTS * options.processors:
        parser.error(
            f"{options.jobs} jobs do not run at once in processors of {MAX_SLOTS} slots: give it more --processors"
        )
    if raise_file_limit() < options.jobs + SPARE_FILES:
        parser.error(f"{options.jobs} viewers need as many open files, which this machine does not allow")
    with tempfile.TemporaryDirectory() as name, EmbeddedValkey(Path(name) / "redis", durable=True) as server:
        is_whole = measure(Path(name), server, options)
    print(f"load average {os.getloadavg()[0]:.1f}")
    return 0 if is_whole else 1


if __name__ == "__main__":
    sys.exit(main())
