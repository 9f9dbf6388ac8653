"""What streams cost: memory for each viewer, how late events are, how many a second, and who can come back at once.

    python -m tests.load.bench_streams [--viewers 10000] [--rate 10000] [--seconds 5] [--parts events … contenders]

Everything is real but the processors: the storm (storm.py) writes through the job store, Redis is the embedded one with
its append-only file, the gateway is as it is shipped but for its log level, the crowd (crowd.py) reads sockets. Each of
the four is a process of its own, so on two cores they share them: the columns of CPU say what each used, and from them
follows what a core of each could do.
"""

import argparse
import contextlib
import itertools
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from deploy.local.valkey import EmbeddedValkey
from tests.load.bench_jobs import cpu_us, spent_cpu_us
from tests.load.bench_store import info
from tests.load.epoll_viewers import Crowd, Heard, SocketCrowd
from tests.load.lone_gateway import lone_gateway
from tests.load.push_reading import measure_push_reading
from tests.load.remote import Remote, raise_file_limit, remote
from tests.load.storm import FIRST_SEQ, Blown, Storm
from tests.load.stream_contenders import CONTENDERS, CONTENDERS_PYTHON, running_contender
from tests.support.servers import empty

STREAM = "/v1/download/jobs/{}/stream"
STREAM_OF_MANY = "/v1/download/stream?{}"
GRACE_SECONDS = 20.0
"""How long is waited for events after the last one was written, before they count as lost."""
FEW_VIEWERS = 100
SHARED_JOBS = 10
MISSED_EVENTS = 20
JOBS_EACH = 20
"""Of a viewer of many jobs."""
FLEETS = (1, 2, 4)
QUIET_SECONDS = 30.0
"""Two heartbeats of each viewer."""
SETTLING_RATE = 1_000.0
LATE_MAX_MS = 250.0
FIRST_RATE = 1_000.0
FASTER = 1.25
AS_FAST_AS_IT_GOES = 1e9
PARTS = ("viewers", "sockets", "events", "highest", "shared", "many", "return", "fleet", "push")
OTHERS = "contenders"
OURS = "waybill"


class Weather(NamedTuple):
    """One measured storm: what was written and heard, and the CPU (µs) of the gateways and of Redis meanwhile."""

    blown: Blown
    heard: Heard
    expected: int
    gateway_us: float
    redis_us: float

    @property
    def lost(self) -> int:
        """Count the events that did not come."""
        return self.expected - self.heard.events

    def late_ms(self, percent: int) -> float:
        """Give a percentile of the time from append to socket read."""
        return statistics.quantiles(self.heard.late_ns, n=100)[percent - 1] / 1e6


class Server(Protocol):
    """A running gateway, or what stands in its place."""

    @property
    def pid(self) -> int:
        """Its process id."""

    @property
    def port(self) -> int:
        """Where it serves streams."""


class Field:
    """A Redis, some gateways, a storm and a crowd."""

    def __init__(self, server: EmbeddedValkey, gateways: Sequence[Server], storm: Remote, crowd: Remote) -> None:
        self.server = server
        self.gateways = gateways
        self.storm = storm
        self.crowd = crowd

    @property
    def ports(self) -> list[int]:
        """The gateways' ports."""
        return [gateway.port for gateway in self.gateways]

    def memory_kb(self) -> float:
        """Give the resident memory of all gateways."""
        return sum(resident_kb(gateway.pid) for gateway in self.gateways)

    def redis_memory_kb(self) -> float:
        """Give the memory that Redis uses; its resident memory is that of the largest part before."""
        return int(info(self.server, "memory")["used_memory"]) / 1_000

    def connections(self) -> int:
        """Count the connections to Redis."""
        return int(info(self.server, "clients")["connected_clients"])

    def measure(self, events: int, events_per_second: float, viewers_each: int = 1) -> Weather:
        """Write events at a rate while the crowd reads."""
        expected = events * viewers_each
        gateway_us, redis_us = self.spent()
        self.crowd.send("listen", expected, events / events_per_second + GRACE_SECONDS)
        blown = self.storm.call("blow", events, events_per_second)
        heard = self.crowd.receive()
        gateway_us, redis_us = (
            after - before for after, before in zip(self.spent(), (gateway_us, redis_us), strict=True)
        )
        return Weather(blown, heard, expected, gateway_us, redis_us)

    def spent(self) -> tuple[float, float]:
        """Give the CPU (µs) that the gateways and Redis have used up to now."""
        return sum(cpu_us(gateway.pid) for gateway in self.gateways), spent_cpu_us(self.server)


def resident_kb(pid: int) -> float:
    """Give a process' resident memory (proc(5): statm), in units of 1,000 bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4.096


@contextlib.contextmanager
def field(
    home: Path, server: EmbeddedValkey, gateways: int = 1, path_format: str = STREAM, crowd: type[Crowd] = Crowd
) -> Iterator[Field]:
    """Set up everything afresh."""
    empty(server)
    with contextlib.ExitStack() as stack:
        storm = stack.enter_context(remote(Storm, server.url))
        services = [stack.enter_context(lone_gateway(home, server.url)) for _ in range(gateways)]
        yield Field(server, services, storm, stack.enter_context(remote(crowd, path_format)))


def print_weather(title: str, weather: Weather, first: Weather | None = None) -> None:
    """Print one row of the table of events."""
    blown, heard = weather.blown, weather.heard
    ratio = f"{weather.late_ms(99) / first.late_ms(99):.1f} x" if first else ""
    print(
        f"{title:24}{blown.events / blown.took_seconds:>10,.0f}{weather.late_ms(50):>9.1f}{weather.late_ms(99):>9.1f}"
        f"{ratio:>9}{weather.lost:>8,}{heard.out_of_order:>8,}"
        f"{weather.gateway_us / heard.events:>9.0f}{weather.redis_us / blown.events:>8.0f}"
        f"{blown.cpu_seconds * 1e6 / blown.events:>8.0f}{heard.cpu_seconds * 1e6 / heard.events:>8.0f}"
    )


def print_head(title: str) -> None:
    """Print the head of a table of events."""
    print(f"\n{title}\n")
    print(f"{'':24}{'written/s':>10}{'p50 ms':>9}{'p99 ms':>9}{'':>9}{'lost':>8}{'order':>8}"
          f"{'gateway':>9}{'Redis':>8}{'storm':>8}{'crowd':>8}   (µs of CPU for each)")  # fmt: skip


class Weight(NamedTuple):
    """What viewers weigh: memory for each in the gateway and in Redis, how fast they connect, connections to Redis."""

    viewer_kb: float
    redis_viewer_kb: float
    opened_per_second: float
    refusals: int
    few_connections: int
    connections: int


def weigh(ground: Field, viewers: int) -> Weight:
    """Begin a job for each viewer and open the streams; what a hundred need besides is not counted.

    One event for each viewer comes first: then all that it takes to serve one is there.
    """
    ids = ground.storm.call("begin", viewers)
    few = min(FEW_VIEWERS, viewers // 2)
    ground.crowd.call("watch", ground.ports, ids[:few], FIRST_SEQ)
    ground.measure(few, SETTLING_RATE)
    few_connections, before_kb, redis_kb = ground.connections(), ground.memory_kb(), ground.redis_memory_kb()
    took_seconds, refusals = ground.crowd.call("watch", ground.ports, ids[few:], FIRST_SEQ)
    more = viewers - few
    ground.measure(viewers, SETTLING_RATE)
    return Weight(
        (ground.memory_kb() - before_kb) / more,
        (ground.redis_memory_kb() - redis_kb) / more,
        more / took_seconds,
        refusals,
        few_connections,
        ground.connections(),
    )


def measure_viewers(home: Path, server: EmbeddedValkey, viewers: int) -> None:
    """Print the memory for each viewer, the rate of connecting, and the connections to Redis."""
    with field(home, server) as ground:
        weight = weigh(ground, viewers)
        idle_us, _ = ground.spent()
        ground.crowd.call("listen", 1, QUIET_SECONDS)
        idle_us = ground.spent()[0] - idle_us
    print(f"\n{viewers:,} viewers, each of a job of its own, on one gateway\n")
    print(f"memory for each viewer       {weight.viewer_kb:>9.1f} KB, and in Redis {weight.redis_viewer_kb:.1f} KB")
    print(f"while nothing happens        {idle_us / 1e4 / QUIET_SECONDS:>9.0f} % of a core")
    print(f"opened a second              {weight.opened_per_second:>9,.0f}    told busy at first {weight.refusals}")
    print(f"connections to Redis         {weight.few_connections:>9} with {min(FEW_VIEWERS, viewers // 2)} viewers, "
          f"{weight.connections} with all; one is the storm's, one asks")  # fmt: skip


def measure_sockets(home: Path, server: EmbeddedValkey, options: argparse.Namespace) -> None:
    """Print what a viewer weighs on an event stream and on a WebSocket, and how late its events are."""
    print(f"\n{options.viewers:,} viewers, each of a job of its own, and {options.rate:,.0f} events/s\n")
    print(f"{'':24}{'KB a viewer':>12}{'opened/s':>10}{'median ms':>11}{'p99 ms':>9}{'gateway µs':>12}{'lost':>6}")
    for name, crowd in (("event stream", Crowd), ("WebSocket", SocketCrowd)):
        with field(home, server, crowd=crowd) as ground:
            weight = weigh(ground, options.viewers)
            weather = ground.measure(int(options.rate * options.seconds), options.rate)
        print(
            f"{name:24}{weight.viewer_kb:>12.1f}{weight.opened_per_second:>10,.0f}{weather.late_ms(50):>11.1f}"
            f"{weather.late_ms(99):>9.1f}{weather.gateway_us / weather.heard.events:>12.0f}{weather.lost:>6,}"
        )


def measure_events(home: Path, server: EmbeddedValkey, options: argparse.Namespace) -> None:
    """Print how late events are at the rate that was asked for."""
    print_head(f"events at {options.rate:,.0f} a second over {options.viewers:,} viewers, each of a job of its own")
    with field(home, server) as ground:
        watch(ground, options.viewers)
        weather = ground.measure(int(options.rate * options.seconds), options.rate)
        print_weather(OURS, weather)
        print_limits(weather)


def print_limits(weather: Weather) -> None:
    """Print what the load generators could do with a core of their own."""
    storm = weather.blown.events / weather.blown.cpu_seconds
    crowd = weather.heard.events / weather.heard.cpu_seconds
    print(f"limits of the generators, a core each: storm {storm:,.0f} events/s, crowd {crowd:,.0f} events/s")


def measure_highest(home: Path, server: EmbeddedValkey, options: argparse.Namespace) -> None:
    """Print the rates up to the first at which the 99th percentile is too late, or the storm too slow."""
    print_head(f"the highest rate with p99 ≤ {LATE_MAX_MS:.0f} ms, {options.viewers:,} viewers")
    with field(home, server) as ground:
        watch(ground, options.viewers)
        best = 0.0
        for step in itertools.count():
            rate = FIRST_RATE * FASTER**step
            weather = ground.measure(int(rate * options.seconds), rate)
            print_weather(f"asked {rate:,.0f}/s", weather)
            reached = weather.blown.events / weather.blown.took_seconds
            if weather.late_ms(99) > LATE_MAX_MS or weather.lost or reached < 0.9 * rate:
                break
            best = reached
        print(f"highest: {best:,.0f} events/s")


def watch(ground: Field, viewers: int) -> None:
    """Begin a job for each viewer, and let the crowd watch them."""
    ground.crowd.call("watch", ground.ports, ground.storm.call("begin", viewers), FIRST_SEQ)


def measure_shared(home: Path, server: EmbeddedValkey, options: argparse.Namespace) -> None:
    """Print what a delivery costs where many watch the same job."""
    each = options.viewers // SHARED_JOBS
    print_head(f"{each:,} viewers on each of {SHARED_JOBS} jobs, an event a second and job")
    with field(home, server) as ground:
        ids = ground.storm.call("begin", SHARED_JOBS)
        ground.crowd.call("watch", ground.ports, ids * each, FIRST_SEQ)
        weather = ground.measure(int(SHARED_JOBS * options.seconds), SHARED_JOBS, viewers_each=each)
        print_weather(OURS, weather)


def measure_many(home: Path, server: EmbeddedValkey, options: argparse.Namespace) -> None:
    """Print what a viewer of twenty jobs costs, alone, and beside others with the same jobs or jobs of their own."""
    viewers = max(2, options.viewers // JOBS_EACH)
    print_head(f"viewers of {JOBS_EACH} jobs each, {options.rate:,.0f} events heard a second, or one of each job")
    measure_crowd_of_many(home, server, options, viewers=1, shared=1)
    weighed = {
        f"{viewers:,}, jobs of their own": measure_crowd_of_many(home, server, options, viewers=viewers, shared=1),
        f"{viewers:,}, the same jobs": measure_crowd_of_many(home, server, options, viewers=1, shared=viewers),
    }
    print()
    for title, (viewer_kb, opened_per_second) in weighed.items():
        print(f"{title:24}{viewer_kb:>10.1f} KB a viewer{opened_per_second:>10,.0f} opened/s")


def measure_crowd_of_many(
    home: Path, server: EmbeddedValkey, options: argparse.Namespace, *, viewers: int, shared: int
) -> tuple[float, float]:
    """Print a storm over `viewers` groups of jobs, each watched `shared` times; give KB a viewer and how fast."""
    with field(home, server, path_format=STREAM_OF_MANY) as ground:
        ids = ground.storm.call("begin", viewers * JOBS_EACH)
        groups = ["&".join(f"job={one}" for one in ids[at : at + JOBS_EACH]) for at in range(0, len(ids), JOBS_EACH)]
        ground.crowd.call("watch", ground.ports, groups[:1], FIRST_SEQ * JOBS_EACH)
        before_kb = ground.memory_kb()
        more = (groups * shared)[1:]
        took_seconds, _ = ground.crowd.call("watch", ground.ports, more, FIRST_SEQ * JOBS_EACH) if more else (1.0, 0)
        rate = options.rate / shared
        weather = ground.measure(int(max(rate, JOBS_EACH) * options.seconds), max(rate, JOBS_EACH), shared)
        print_weather(f"{viewers * shared:,} of {len(ids):,} jobs", weather)
        return (ground.memory_kb() - before_kb) / max(1, len(more)), len(more) / took_seconds


def measure_return(home: Path, server: EmbeddedValkey, options: argparse.Namespace) -> None:
    """Print how long it takes until all have what they missed, and are live, when all come back at once."""
    with field(home, server) as ground:
        watch(ground, options.viewers)
        ground.crowd.call("leave")
        missed = MISSED_EVENTS * options.viewers
        ground.storm.call("blow", missed, AS_FAST_AS_IT_GOES)
        gateway_us = cpu_us(ground.gateways[0].pid)
        ground.crowd.call("come_back", ground.ports)
        heard = ground.crowd.call("listen", missed, GRACE_SECONDS * 10)
        gateway_us = cpu_us(ground.gateways[0].pid) - gateway_us
        after = ground.measure(options.viewers, options.rate)
        print(f"\n{options.viewers:,} viewers come back at once, each has missed {MISSED_EVENTS} events\n")
        print(f"until all have them            {heard.took_seconds:>9.2f} s    lost {missed - heard.events:,}, "
              f"out of order {heard.out_of_order:,}, cut off {heard.ended:,}; the gateway's CPU "
              f"{gateway_us / options.viewers:.0f} µs a viewer")  # fmt: skip
        print(f"the next event of each         {after.late_ms(99):>9.1f} ms   p99; lost {after.lost:,}: all are live")


def measure_fleet(home: Path, server: EmbeddedValkey, options: argparse.Namespace) -> None:
    """Print what an event costs Redis when the viewers are spread over several gateways."""
    viewers, rate = min(options.viewers, 2_000), min(options.rate, 2_000.0)
    print_head(f"{viewers:,} viewers over several gateways")
    for gateways in FLEETS:
        with field(home, server, gateways) as ground:
            watch(ground, viewers)
            print_weather(f"gateways: {gateways}", ground.measure(int(rate * options.seconds), rate))


def serving(home: Path, name: str, url: str) -> contextlib.AbstractContextManager[Server]:
    """Give a gateway, or one of the others."""
    return lone_gateway(home, url) if name == OURS else running_contender(home, name, url)


def measure_contenders(home: Path, server: EmbeddedValkey, options: argparse.Namespace) -> None:
    """Print memory and lateness of other ways to serve the same events, and Waybill's in the same run."""
    viewers, rate = min(options.viewers, options.contender_viewers), min(options.rate, options.contender_rate)
    print_head(f"beside others: {viewers:,} viewers, {rate:,.0f} events a second")
    weights: dict[str, Weight] = {}
    first: Weather | None = None
    for name in (OURS, *CONTENDERS):
        empty(server)
        with contextlib.ExitStack() as stack:
            storm = stack.enter_context(remote(Storm, server.url))
            service: Server = stack.enter_context(serving(home, name, server.url))
            crowd = stack.enter_context(remote(Crowd, STREAM if name == OURS else "/{}"))
            ground = Field(server, [service], storm, crowd)
            weights[name] = weigh(ground, viewers)
            weather = ground.measure(int(rate * options.seconds), rate)
            print_weather(name, weather, first)
            first = first or weather
    print(f"\n{'':24}{'KB/viewer':>10}{'':>9}{'Redis KB/viewer':>17}{'opened/s':>10}{'Redis connections':>19}")
    for name, weight in weights.items():
        ratio = f"{weight.viewer_kb / weights[OURS].viewer_kb:.1f} x"
        print(
            f"{name:24}{weight.viewer_kb:>10.1f}{ratio:>9}{weight.redis_viewer_kb:>17.1f}"
            f"{weight.opened_per_second:>10,.0f}{weight.connections:>19,}"
        )


def measure_all(home: Path, server: EmbeddedValkey, options: argparse.Namespace) -> None:
    """Measure the parts that were asked for."""
    parts = {
        "viewers": lambda: measure_viewers(home, server, options.viewers),
        "sockets": lambda: measure_sockets(home, server, options),
        "events": lambda: measure_events(home, server, options),
        "highest": lambda: measure_highest(home, server, options),
        "shared": lambda: measure_shared(home, server, options),
        "many": lambda: measure_many(home, server, options),
        "return": lambda: measure_return(home, server, options),
        "fleet": lambda: measure_fleet(home, server, options),
        "push": lambda: measure_push_reading(server, options.viewers),
        OTHERS: lambda: measure_contenders(home, server, options),
    }
    for name in options.parts:
        parts[name]()


def main() -> None:
    """Measure on a server of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--viewers", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=10_000.0, help="events a second")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each storm")
    parser.add_argument("--parts", nargs="+", choices=(*PARTS, OTHERS), default=PARTS)
    parser.add_argument("--contender-viewers", type=int, default=2_000)
    parser.add_argument("--contender-rate", type=float, default=1_000.0)
    options = parser.parse_args()
    if OTHERS in options.parts and not Path(CONTENDERS_PYTHON).exists():
        parser.error("the others are not installed: make bench-environment")
    most = raise_file_limit()
    if most < options.viewers + 500:
        parser.error(f"{options.viewers} viewers need as many open files; this machine allows {most}")
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedValkey(Path(folder) / "redis", durable=True).start()
        try:
            measure_all(Path(folder), server, options)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
