"""The heart of the promise: a stream that is cut anywhere goes on, and nothing is lost, doubled or out of order."""

import asyncio
import itertools
import random
from collections.abc import Iterable
from typing import Any, NamedTuple

import httpx
import pytest

from tests.support import cargo
from tests.support.sse_reader import Frame, FrameReader
from tests.support.system import System
from tests.support.waiting import PATIENCE_SECONDS

JOBS = 6
FROM_THE_START = 6
FROM_NOW_ON = 2
"""Viewers of each job."""
MAX_BYTES_BEFORE_CUT = 1_000
"""About two events: cuts fall into frames as often as between them."""


class Viewer:
    """A client with a bad line: it is cut after a random number of bytes, and comes back with the last id it has."""

    def __init__(self, gateway_urls: list[str], path: str, cuts: random.Random, cursor: str | None) -> None:
        self.cuts = 0
        self.seen: list[Frame] = []
        self._gateway_urls = itertools.cycle(gateway_urls)
        self._path = f"{path}/stream"
        self._random = cuts
        self._cursor = cursor

    async def watch(self, client: httpx.AsyncClient) -> None:
        """Follow the job to its end, through as many connections as it takes."""
        while await self._connect(client):
            pass

    async def _connect(self, client: httpx.AsyncClient) -> bool:
        headers = {"Last-Event-ID": self._cursor} if self._cursor else {}
        left_bytes = self._random.randint(1, MAX_BYTES_BEFORE_CUT)
        reader = FrameReader()
        async with client.stream("GET", next(self._gateway_urls) + self._path, headers=headers) as response:
            if response.status_code == 204:
                return False
            assert response.status_code == 200
            async for piece in response.aiter_raw():
                for frame in reader.feed(piece[:left_bytes]):
                    self._note(frame)
                left_bytes -= len(piece)
                if left_bytes <= 0:
                    self.cuts += 1
                    return True
        # The stream ended by itself: by its promise that is the end of the job, which a last request confirms with 204.
        assert self.seen[-1].type == "completed"
        return True

    def _note(self, frame: Frame) -> None:
        self.seen.append(frame)
        self._cursor = frame.id or self._cursor


def events_of(viewer: Viewer) -> list[dict[str, Any]]:
    """Give what a viewer saw, in the form of /events: without what was made for it alone."""
    return [{"id": frame.id, **frame.data} for frame in viewer.seen if frame.type not in ("heartbeat", "snapshot")]


class Watched(NamedTuple):
    """Some jobs that have ended, with their logs and all who watched them on a bad line."""

    logs: dict[str, list[dict[str, Any]]]
    from_the_start: dict[str, list[Viewer]]
    from_now_on: dict[str, list[Viewer]]


async def watch_all(viewers: Iterable[Viewer]) -> None:
    """Let all viewers watch at the same time."""
    unlimited = httpx.Limits()
    async with (
        httpx.AsyncClient(timeout=PATIENCE_SECONDS, trust_env=False, verify=False, limits=unlimited) as client,
        asyncio.timeout(PATIENCE_SECONDS),
        asyncio.TaskGroup() as group,
    ):
        for viewer in viewers:
            group.create_task(viewer.watch(client))


@pytest.fixture(scope="module")
def watched(system: System) -> Watched:
    """Run the jobs, and let the viewers watch them through both gateways alternately."""
    cuts = random.Random(20_261_123)
    urls = [gateway.url for gateway in system.gateways]
    paths = system.create_jobs(JOBS, *cargo.LONG[:3])
    system.wait_for_status(paths[-1], "processing")

    def viewers(count: int, cursor: str | None) -> dict[str, list[Viewer]]:
        return {path: [Viewer(urls, path, cuts, cursor) for _ in range(count)] for path in paths}

    from_the_start, from_now_on = viewers(FROM_THE_START, "0-0"), viewers(FROM_NOW_ON, None)
    everybody = itertools.chain(*from_the_start.values(), *from_now_on.values())
    asyncio.run(watch_all(everybody))
    return Watched({path: system.log(path) for path in paths}, from_the_start, from_now_on)


def test_streams_cut_at_random_bytes_a_hundred_times_lose_double_and_disorder_nothing(watched: Watched) -> None:
    cuts = sum(viewer.cuts for viewers in watched.from_the_start.values() for viewer in viewers)

    assert cuts >= 100
    for path, log in watched.logs.items():
        assert log[-1]["type"] == "completed"
        assert len(log) >= 6
        for viewer in watched.from_the_start[path]:
            assert events_of(viewer) == log
            assert not any(frame.type == "snapshot" for frame in viewer.seen)


def test_viewers_that_start_from_now_on_miss_nothing_after_their_snapshot(watched: Watched) -> None:
    for path, log in watched.logs.items():
        ids = [event["id"] for event in log]
        for viewer in watched.from_now_on[path]:
            snapshots = [frame for frame in viewer.seen if frame.type == "snapshot"]
            assert events_of(viewer) == log[ids.index(str(snapshots[-1].id)) + 1 :]
            # One whose very first frame was cut off asks anew, without a cursor; nobody is shown a gap.
            assert len(snapshots) == 1
            assert "gap" not in snapshots[0].data
