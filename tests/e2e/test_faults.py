"""The walk with a bad line to Redis: what a gateway and a processor do not see of it, nobody else sees either."""

import io
import os
import random
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support import cargo
from tests.support.local_http import local_client
from tests.support.proxy import NO_FAULT, FaultProxy, by_chance
from tests.support.sse_reader import Frame, FrameReader
from tests.support.system import JOBS, System
from tests.support.waiting import PATIENCE_SECONDS, until

SEED = int(os.environ.get("WAYBILL_FAULT_SEED", random.SystemRandom().randrange(10**6)))
CUT_BYTES = (2_000, 40_000)
"""A connection begins with 30 kB of scripts: most are cut in their handshake, none lives for the whole walk."""
FILES = (*cargo.MIXED, *cargo.LONG[:2])
"""About four seconds of copying for each job."""
DELAY_SECONDS = 0.01
WALKS = 4


class FaultySystem:
    """A system whose gateway and processor reach Redis through a proxy each."""

    def __init__(self, system: System, proxies: list[FaultProxy]) -> None:
        self.system = system
        self.proxies = proxies


@pytest.fixture
def faulty(tmp_path: Path) -> Iterator[FaultySystem]:
    """A system in good order; `begin` lets the faults come."""
    gateway_line, processor_line = FaultProxy(), FaultProxy()
    with gateway_line.in_thread(), processor_line.in_thread(), System(tmp_path, gateways=0, processors=0) as system:
        for module, line in (("gateway", gateway_line), ("processor", processor_line)):
            line.server_port = system.redis.port
            service = system.start(module, REDIS_URL=line.url)
            service.wait_until_ready()
            (system.gateways if module == "gateway" else system.processors).append(service)
        yield FaultySystem(system, [gateway_line, processor_line])


def test_walk_behind_cuts_delays_and_silence_ends_with_the_right_archive(faulty: FaultySystem) -> None:
    sys.stdout.write(f"WAYBILL_FAULT_SEED={SEED}\n")  # shown when the test fails
    expected = {file.file_id: file.content for file in FILES}
    for number, line in enumerate(faulty.proxies):
        line.deal = by_chance(SEED + number, cut_bytes=CUT_BYTES, delay_seconds=DELAY_SECONDS)
        line.cut()

    paths = [_post(faulty.system) for _ in range(WALKS)]
    streams = {path: _follow(faulty.system, path) for path in paths}

    cuts = sum(line.cuts for line in faulty.proxies)
    for line in faulty.proxies:
        line.deal = lambda _: NO_FAULT
        line.cut()
    assert cuts > 0, "the faults did not come"
    until(lambda: faulty.system.get(paths[0]).status_code == 200, "the gateway has found Redis again")
    for path in paths:
        log = faulty.system.log(path)
        assert log[-1]["type"] == "completed"
        assert [int(event["id"].partition("-")[2]) for event in log] == list(range(1, len(log) + 1))
        assert [{"id": frame.id, **frame.data} for frame in streams[path] if frame.id] == log
        with zipfile.ZipFile(io.BytesIO(faulty.system.get(f"{path}/file").content)) as archive:
            contents = [archive.read(name) for name in archive.namelist()]
        assert sorted(contents) == sorted(expected.values())


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
