"""What calls cost at a gateway: creates, each in Redis before its 202, and polls; guarded and open.

    python -m tests.load.bench_api [--rounds 3] [--seconds 4] [--connections 32]

One gateway, as it is shipped but for its log level, alone on one core; Redis is the embedded one with its append-only
file, and the callers (callers.py) are a process of their own: the two share the other core. The CPU that a call costs
says what the gateway could do with a core that nobody else uses. A bare Litestar handler that answers a constant is
called in the same rounds.
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import httpx

from deploy.local.tether import tethered
from deploy.local.valkey import EmbeddedValkey
from tests.load.bench_jobs import cpu_us, spent_cpu_us
from tests.load.callers import NUMBER, Answered, Callers
from tests.load.lone_gateway import lone_gateway
from tests.load.remote import Remote, remote
from tests.support import cargo
from tests.support.api_keys import new_api_key
from tests.support.local_http import local_client
from tests.support.ports import free_ports
from tests.support.servers import empty
from tests.support.system import JOBS
from tests.support.waiting import until

GATEWAYS_CORE = {0}
OPEN = {
    "WAYBILL_AUTH": "none",
    "WAYBILL_MAX_BACKLOG": "0",
    "WAYBILL_MEMORY_HEADROOM_PERCENT": "0",
}
GUARDED = {
    "WAYBILL_AUTH": "keys",
    "WAYBILL_MAX_BACKLOG": "10000000",
    "WAYBILL_MEMORY_HEADROOM_PERCENT": "10",
    "WAYBILL_OWNER_JOBS_IN_FLIGHT": "1000000",
    "WAYBILL_OWNER_CREATES_PER_MINUTE": "100000",
    "WAYBILL_OWNER_STREAMS": "1000",
}
CREATES, KEYED_CREATES, POLLS, UNCHANGED = "creates", "creates, Idempotency-Key", "polls, 200", "polls, 304"
BARE = "bare handler"


class Row(NamedTuple):
    """One measured round: calls a second, percentiles (ms), and the CPU (µs) that a call cost the server and Redis."""

    calls_per_second: float
    p50_ms: float
    p99_ms: float
    server_us: float
    redis_us: float


def request_of(method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """Write a request."""
    given = {"host": "localhost", **headers} | ({"content-length": str(len(body))} if body else {})
    lines = "".join(f"{name}: {text}\r\n" for name, text in given.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + body


def create_request(headers: Mapping[str, str]) -> bytes:
    """Write a create call of two files."""
    body = b'{"file_ids":[%d,%d]}' % tuple(cargo.ids_of(*cargo.MIXED[:2]))
    return request_of("POST", JOBS, {"content-type": "application/json", **headers}, body)


def pin(pid: int, cores: set[int]) -> None:
    """Let all threads of a process run on these cores alone; others keep to what is left."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), cores)


@contextlib.contextmanager
def bare(home: Path) -> Iterator[tuple[int, int]]:
    """Run the bare handler; give its port and its process id."""
    (port,) = free_ports(1)
    with (home / "bare.log").open("wb") as log:
        command = tethered([sys.executable, "-m", "tests.load.bare_handler", str(port)])
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        until(lambda: is_up(f"http://127.0.0.1:{port}/constant"), "the bare handler is up")
        pin(process.pid, GATEWAYS_CORE)
        yield port, process.pid
    finally:
        process.kill()
        process.wait()


def is_up(url: str) -> bool:
    """Tell whether a server answers."""
    try:
        with local_client() as client:
            return client.get(url).status_code == 200
    except httpx.TransportError:
        return False


class Bench:
    """The rows of all rounds, by what was called and of whom."""

    def __init__(self, server: EmbeddedValkey, callers: Remote, options: argparse.Namespace) -> None:
        self._server = server
        self._callers = callers
        self._options = options
        self.rows: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)

    def measure(self, what: str, whom: str, port: int, pid: int, request: bytes, *, status: int) -> None:
        """Call for a while, once the server is warm; every answer must have this status."""
        connections, seconds = self._options.connections, self._options.seconds
        self._callers.call("call", port, request, connections, seconds / 4)
        server_us, redis_us = cpu_us(pid), spent_cpu_us(self._server)
        answered: Answered = self._callers.call("call", port, request, connections, seconds)
        server_us, redis_us = cpu_us(pid) - server_us, spent_cpu_us(self._server) - redis_us
        assert set(answered.statuses) == {status}, answered.statuses
        cuts = statistics.quantiles(answered.took_ns, n=100)
        calls = answered.calls
        self.rows[what, whom].append(
            Row(calls / answered.took_seconds, cuts[49] / 1e6, cuts[98] / 1e6, server_us / calls, redis_us / calls)
        )

    def measure_gateway(self, home: Path, whom: str, settings: Mapping[str, str]) -> None:
        """Measure every call of a gateway on an empty Redis."""
        empty(self._server)
        headers = {}
        if settings["WAYBILL_AUTH"] == "keys":
            headers = {"authorization": f"Bearer {new_api_key(self._server.url, 'anna')}"}
        with lone_gateway(home, self._server.url, settings) as service, local_client() as client:
            pin(service.pid, GATEWAYS_CORE)  # a core of its own
            at = (whom, service.port, service.pid)
            created = client.post(
                service.url + JOBS, json={"file_ids": cargo.ids_of(*cargo.MIXED[:2])}, headers=headers
            )
            path = created.headers["location"]
            etag = client.get(service.url + path, headers=headers).headers["etag"]
            self.measure(POLLS, *at, request_of("GET", path, headers), status=200)
            self.measure(UNCHANGED, *at, request_of("GET", path, {"if-none-match": etag, **headers}), status=304)
            self.measure(CREATES, *at, create_request(headers), status=202)
            keyed = create_request({"idempotency-key": NUMBER.decode(), **headers})
            self.measure(KEYED_CREATES, *at, keyed, status=202)

    def measure_bare(self, home: Path) -> None:
        """Measure the bare handler."""
        with bare(home) as (port, pid):
            at = (BARE, port, pid)
            self.measure(POLLS, *at, request_of("GET", "/constant", {}), status=200)
            self.measure(UNCHANGED, *at, request_of("GET", "/constant", {"if-none-match": 'W/"1"'}), status=304)
            post = request_of("POST", "/constant", {"content-type": "application/json"}, b'{"file_ids":[70000,70001]}')
            self.measure(CREATES, *at, post, status=202)

    def print_table(self) -> None:
        """Print medians over the rounds, and what each costs beside the bare handler."""
        print(f"\n{'':26}{'':26}{'calls/s':>9}{'p50 ms':>8}{'p99 ms':>8}{'µs CPU':>8}{'a core/s':>10}{'Redis µs':>10}"
              f"{'CPU beside bare':>17}")  # fmt: skip
        for (what, whom), rows in sorted(self.rows.items()):
            row = Row(*(statistics.median(values) for values in zip(*rows, strict=True)))
            base = self.rows.get((what if what != KEYED_CREATES else CREATES, BARE))
            ratio = row.server_us / statistics.median(one.server_us for one in base) if base else 0.0
            print(
                f"{what:26}{whom:26}{row.calls_per_second:>9,.0f}{row.p50_ms:>8.1f}{row.p99_ms:>8.1f}"
                f"{row.server_us:>8.0f}{1e6 / row.server_us:>10,.0f}{row.redis_us:>10.0f}{ratio:>15.1f} x"
            )


def main() -> None:
    """Measure in rounds, so that what else the machine does falls on all alike."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--connections", type=int, default=32)
    options = parser.parse_args()
    others = set(range(os.cpu_count() or 1)) - GATEWAYS_CORE
    os.sched_setaffinity(0, others or GATEWAYS_CORE)  # Redis and the callers inherit it
    with (
        tempfile.TemporaryDirectory() as name,
        EmbeddedValkey(Path(name) / "redis", durable=True) as server,
        remote(Callers) as callers,
    ):
        bench = Bench(server, callers, options)
        for _ in range(options.rounds):
            bench.measure_gateway(Path(name), "open, no limits", OPEN)
            bench.measure_gateway(Path(name), "API keys and all limits", GUARDED)
            bench.measure_bare(Path(name))
        bench.print_table()
    print(f"load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
