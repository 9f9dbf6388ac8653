"""The walk with bad lines to Redis and S3: what a gateway and a processor do not see of it, nobody else sees either."""

import io
import os
import random
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest

from shared.jobstore import script
from tests.support import cargo
from tests.support.buckets import Buckets
from tests.support.local_http import local_client
from tests.support.proxy import NO_FAULT, FaultProxy, by_chance
from tests.support.s3_server import S3Server
from tests.support.sse_reader import Frame, FrameReader
from tests.support.system import JOBS, System
from tests.support.waiting import PATIENCE_SECONDS, until

SEED = int(os.environ.get("WAYBILL_FAULT_SEED", random.SystemRandom().randrange(10**6)))
HANDSHAKE_BYTES = sum(len(one.text.encode()) for one in script.ALL)
CUT_BYTES = {"redis": (2_000, HANDSHAKE_BYTES * 4 // 3), "s3": (2_000, 3_000_000)}
"""To Redis, a connection begins with all scripts: most are cut in their handshake, none lives for the whole walk.
To S3, an archive of a megabyte goes in one request: more than half of the connections let it through."""
RARE = {"redis": 0.05, "s3": 0.15}
"""How many of the connections are half open from the beginning, and how many lose their replies after a while."""
FILES = (*cargo.MIXED, *cargo.LONG[:2])
"""About four seconds of copying for each job."""
DELAY_SECONDS = 0.01
SILENCE_SECONDS = 3
"""In place of half a minute, until a connection to S3 counts as half open."""
WALKS = 2


class FaultySystem:
    """A system whose gateway and processor reach Redis and S3 through a proxy each."""

    def __init__(self, system: System, buckets: Buckets, lines: dict[str, list[FaultProxy]]) -> None:
        self.system = system
        self.buckets = buckets
        self.lines = lines

    def break_lines(self, *kinds: str) -> None:
        """Let the faults come, on the lines to these servers."""
        for kind in kinds:
            for number, line in enumerate(self.lines[kind]):
                line.deal = by_chance(
                    SEED + number, cut_bytes=CUT_BYTES[kind], delay_seconds=DELAY_SECONDS, rare=RARE[kind]
                )
                line.cuts = 0
                line.cut()

    def mend_lines(self, kind: str) -> None:
        """Let no more faults come on the lines to these servers."""
        for line in self.lines[kind]:
            line.deal = lambda _: NO_FAULT
            line.cut()


@pytest.fixture(scope="module")
def running(s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultySystem]:
    """A system in good order."""
    with ExitStack() as stack:
        buckets = Buckets.stocked(s3_server)
        system = stack.enter_context(
            System(tmp_path_factory.mktemp("faulty"), gateways=0, processors=0, buckets=buckets)
        )
        ports = {"redis": system.redis.port, "s3": s3_server.port}
        lines: dict[str, list[FaultProxy]] = {"redis": [], "s3": []}
        for module, services in (("gateway", system.gateways), ("processor", system.processors)):
            redis, s3 = (stack.enter_context(FaultProxy(port).in_thread()) for port in ports.values())
            lines["redis"].append(redis)
            lines["s3"].append(s3)
            settings = {"REDIS_URL": redis.url} | buckets.settings(port=s3.port, links="gateway")
            services.append(system.start(module, {"STORE_SILENCE_MAX_SECONDS": SILENCE_SECONDS}, **settings))
            services[-1].wait_until_ready()
        yield FaultySystem(system, buckets, lines)


@pytest.fixture
def faulty(running: FaultySystem) -> Iterator[FaultySystem]:
    """The same system; `break_lines` lets the faults come, until the end of the test at the latest."""
    yield running
    for kind in running.lines:
        running.mend_lines(kind)


@pytest.mark.parametrize("kinds", [("s3",), ("redis", "s3")], ids=" and ".join)
def test_walk_behind_cuts_delays_and_silence_ends_with_the_right_archive(
    faulty: FaultySystem, kinds: tuple[str, ...]
) -> None:
    sys.stdout.write(f"WAYBILL_FAULT_SEED={SEED}\n")  # shown when the test fails
    system, expected = faulty.system, sorted(file.content for file in FILES)
    faulty.break_lines(*kinds)

    paths = [_post(system) for _ in range(WALKS)]
    with ThreadPoolExecutor(WALKS) as viewers:
        streams = dict(zip(paths, viewers.map(lambda path: _follow(system, path), paths), strict=True))

    faulty.mend_lines("redis")
    until(lambda: system.get(paths[0]).status_code == 200, "the gateway has found Redis again")
    # Through the gateway, which reads from S3 while the line there is still bad.
    archives = {path: _fetch(system, path) for path in paths}
    if "s3" in kinds:
        # Which connections are cut is drawn: where none has been yet, one more archive is read over the same bad line.
        until(lambda: any(line.cuts for line in faulty.lines["s3"]) or not _fetch(system, paths[0]), "the faults come")

    cuts = {kind: sum(line.cuts for line in faulty.lines[kind]) for kind in kinds}
    assert all(cuts.values()), f"the faults did not come: {cuts}"
    for path in paths:
        log = system.log(path)
        assert log[-1]["type"] == "completed", log[-1]
        assert [int(event["id"].partition("-")[2]) for event in log] == list(range(1, len(log) + 1))
        assert [{"id": frame.id, **frame.data} for frame in streams[path] if frame.id] == log
        with zipfile.ZipFile(io.BytesIO(archives[path])) as archive:
            assert sorted(archive.read(name) for name in archive.namelist()) == expected
    # A POST that was answered 503 may have made a job that nobody follows.
    until(lambda: system.count_in_redis()[0] == 0, "all jobs have ended")
    _assert_only_archives(faulty)


def _fetch(system: System, path: str) -> bytes:
    """Fetch an archive through the gateway; it may stand still for a while."""
    with local_client(within_seconds=PATIENCE_SECONDS) as client:
        response = client.get(f"{system.url}{path}/file")
    assert response.status_code == 200, response.text
    return response.content


def _assert_only_archives(faulty: FaultySystem) -> None:
    """One archive for each completed job, and nothing else."""
    objects, open_uploads = faulty.buckets.left_behind()
    owners = [key.split("/")[1] for key in objects]
    for job_id in owners:
        assert faulty.system.record(f"{JOBS}/{job_id}")["status"] == "completed"
    assert len(owners) == len(set(owners)) == faulty.system.count_in_redis()[1]
    assert open_uploads == 0


def _post(system: System) -> str:
    """Create a job, as often as it takes: an answer of 503 may have left a job that nobody follows."""

    def post() -> str:
        response = system.post_job(*FILES)
        assert response.status_code in (202, 503), response.text
        return response.headers["location"] if response.status_code == 202 else ""

    return until(post, f"POST {JOBS} is answered 202 (WAYBILL_FAULT_SEED={SEED})")


def _follow(system: System, path: str) -> list[Frame]:
    """Follow a job to its end as a browser does: again from the last id after whatever ended the stream."""
    seen: list[Frame] = []
    cursor = "0-0"
    with local_client(within_seconds=PATIENCE_SECONDS) as client:

        def follow_once() -> bool:
            nonlocal cursor
            reader = FrameReader()
            headers = {"Last-Event-ID": cursor, "Accept": "text/event-stream"}
            with client.stream("GET", f"{system.url}{path}/stream", headers=headers) as response:
                assert response.status_code in (200, 204, 503), response.status_code
                if response.status_code == 200:
                    try:
                        for piece in response.iter_raw():
                            for frame in reader.feed(piece):
                                seen.append(frame)
                                cursor = frame.id or cursor
                    except httpx.TransportError:
                        pass
                return response.status_code == 204

        until(follow_once, f"{path} has ended (WAYBILL_FAULT_SEED={SEED})")
    return seen
