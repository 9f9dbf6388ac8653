"""Many viewers who follow jobs to their end through whatever happens to their streams, as an EventSource does.

Nobody cuts these viewers' lines: what ends their streams early is done to the gateways, or to the proxy between.
"""

import asyncio
import random
import ssl
import threading
from collections.abc import Sequence
from typing import Any, Self

import httpx

from tests.support.sse_reader import Frame, FrameReader
from tests.support.waiting import PATIENCE_SECONDS

PAUSE_SECONDS = 0.4
"""A viewer comes back after this ± 80 %. It is told a longer time; to come sooner is the harder case."""


class ReturningViewer:
    """One viewer of one job, from its first event, over as many streams as it takes."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.events: list[dict[str, Any]] = []
        self.snapshots: list[Frame] = []
        self.goodbyes: list[str] = []
        self.breaks = 0
        self.statuses: set[int] = set()
        self._cursor = "0-0"

    async def follow(self, http: httpx.AsyncClient) -> None:
        """Come back until the end of the job is confirmed: 204 for the last id."""
        while 204 not in self.statuses:
            try:
                await self._connect(http)
            except httpx.TransportError:
                self.breaks += 1
            await asyncio.sleep(random.uniform(0.2, 1.8) * PAUSE_SECONDS)

    async def _connect(self, http: httpx.AsyncClient) -> None:
        headers = {"Accept": "text/event-stream", "Last-Event-ID": self._cursor}
        reader = FrameReader()
        async with http.stream("GET", f"{self.path}/stream", headers=headers) as response:
            self.statuses.add(response.status_code)
            async for piece in response.aiter_raw():
                for frame in reader.feed(piece):
                    self._note(frame)

    def _note(self, frame: Frame) -> None:
        self._cursor = frame.id or self._cursor
        match frame.type:
            case "busy":
                self.goodbyes.append(frame.data["reason"])
            case "snapshot":
                self.snapshots.append(frame)
            case "heartbeat":
                pass
            case _:
                self.events.append({"id": frame.id, **frame.data})


class ReturningViewers:
    """A context manager: all followers at once, in a thread with a loop of their own."""

    def __init__(self, url: str, paths: Sequence[str], *, trust: ssl.SSLContext) -> None:
        self.followers = [ReturningViewer(path) for path in paths]
        self._url = url
        self._trust = trust
        self._is_dismissed = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._watch()), name="audience", daemon=True)

    def __enter__(self) -> Self:
        """Let them come."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Send everybody home, whatever they still wait for."""
        self._is_dismissed.set()
        self._thread.join(PATIENCE_SECONDS)

    def wait_for_end(self) -> None:
        """Wait until everybody has seen the end of their job."""
        self._thread.join(PATIENCE_SECONDS)
        waiting = sum(204 not in follower.statuses for follower in self.followers)
        assert not waiting, f"{waiting} viewers still wait for the end of their jobs"

    async def _watch(self) -> None:
        following = asyncio.create_task(self._follow(), name="following")
        dismissed = asyncio.create_task(asyncio.to_thread(self._is_dismissed.wait), name="dismissed")
        both: list[asyncio.Task[Any]] = [following, dismissed]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        self._is_dismissed.set()
        following.cancel()
        await asyncio.wait(both)
        if not following.cancelled():
            following.result()

    async def _follow(self) -> None:
        async with (
            httpx.AsyncClient(
                base_url=self._url, timeout=PATIENCE_SECONDS, trust_env=False, verify=self._trust, limits=httpx.Limits()
            ) as http,
            asyncio.TaskGroup() as group,
        ):
            for follower in self.followers:
                group.create_task(follower.follow(http))
