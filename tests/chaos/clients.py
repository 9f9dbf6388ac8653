"""The clients of a storm: one creates jobs, and each job has one that watches its stream, and one that reads its pages.

Lines are bad: streams are cut after a random number of bytes and resumed by the last id, through all gateways in turn.
"""

import asyncio
import itertools
import random
import threading
from collections.abc import Iterator
from typing import Any, Self

import httpx

from shared.event_id import EventId
from tests.chaos.history import Answer, Event, Shown, Sighting
from tests.support import cargo
from tests.support.sse_reader import Frame, FrameReader
from tests.support.system import JOBS, TERMINAL

LOOK_EVERY_SECONDS = 1.0
PAUSE_SECONDS = 0.3
CALL_WITHIN_SECONDS = 20.0
MAX_BYTES_BEFORE_CUT = 600
CARGOES = (cargo.MIXED, cargo.MIXED[:2], cargo.LONG[:1])


class Crowd:
    """All clients, in a thread with a loop of their own; `sightings`, `answers` and `accepted` grow meanwhile."""

    def __init__(self, gateway_urls: list[str], *, seed: int, jobs_per_second: float) -> None:
        self.accepted: set[str] = set()
        self.sightings: list[Sighting] = []
        self.answers: list[Answer] = []
        self.refused_calls = 0
        self.cuts = 0
        self._gateways = itertools.cycle(gateway_urls)
        self._random = random.Random(f"{seed}/clients")
        self._pause_seconds = 1 / jobs_per_second
        self._is_enough = threading.Event()
        self._is_dismissed = threading.Event()
        self._trouble: BaseException | None = None
        self._thread = threading.Thread(target=self._live, name="clients", daemon=True)

    def __enter__(self) -> Self:
        """Let them come."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Send everybody home, whatever they still wait for."""
        self._is_dismissed.set()
        self._is_enough.set()
        self._thread.join(CALL_WITHIN_SECONDS)

    def create_no_more(self) -> None:
        """Let no further job be created."""
        self._is_enough.set()

    def wait_for_end(self, within_seconds: float) -> None:
        """Wait until everybody has seen the end of their job; fails when they do not, or broke."""
        self._thread.join(within_seconds)
        if self._trouble is not None:
            raise self._trouble
        waiting = {one.job_id for one in self.sightings if not one.saw_end}
        assert not self._thread.is_alive(), f"clients still wait for the end of {sorted(waiting)}"

    def _live(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001  # told by wait_for_end
            self._trouble = error

    async def _serve(self) -> None:
        unlimited = httpx.Limits()
        async with (
            httpx.AsyncClient(timeout=CALL_WITHIN_SECONDS, trust_env=False, verify=False, limits=unlimited) as http,
            asyncio.TaskGroup() as group,
        ):
            for number in itertools.count():
                if self._is_enough.is_set():
                    break
                if job_id := await self._create(http, number):
                    group.create_task(self._watch(http, job_id))
                    group.create_task(self._read(http, job_id))
                await asyncio.sleep(self._random.uniform(0.5, 1.5) * self._pause_seconds)

    async def _create(self, http: httpx.AsyncClient, number: int) -> str | None:
        body = {"file_ids": cargo.ids_of(*CARGOES[number % len(CARGOES)]), "archive_name": str(number)}
        answer = await self._call(http, "POST", JOBS, body)
        if answer is None or answer.status_code != 202:
            return None
        job_id: str = answer.json()["job_id"]
        self.accepted.add(job_id)
        return job_id

    # ── pages and records ─────────────────────────────────────────────────────────────────────────────────────────────

    async def _read(self, http: httpx.AsyncClient, job_id: str) -> None:
        """Read the record and the pages after the last one, until the job has ended and its last page was read."""
        sighting = self._see("reader of pages", job_id)
        after = "0-0"
        while not (sighting.saw_end or self._is_dismissed.is_set()):
            await asyncio.sleep(self._random.uniform(0.5, 1.5) * LOOK_EVERY_SECONDS)
            record = await self._call(http, "GET", f"{JOBS}/{job_id}")
            page = await self._call(http, "GET", f"{JOBS}/{job_id}/events?after={after}")
            if record is not None:
                self.answers.append(_as_answer(record.json()))
            if page is not None:
                body = page.json()
                sighting.shown.extend(_of_page(body))
                after = body["next_after"]
                is_over = record is not None and record.json()["status"] in TERMINAL
                sighting.saw_end = is_over and not body["has_more"]

    async def _call(
        self, http: httpx.AsyncClient, method: str, path: str, body: dict[str, Any] | None = None
    ) -> httpx.Response | None:
        """Make a call; None when it was refused for now, as calls may be while Redis is away."""
        answer = await http.request(method, next(self._gateways) + path, json=body)
        if answer.status_code == 503:
            self.refused_calls += 1
            return None
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer

    # ── streams ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _watch(self, http: httpx.AsyncClient, job_id: str) -> None:
        """Follow a job's stream to its end, through as many connections as it takes."""
        viewer = _Viewer(self._see("viewer of the stream", job_id))
        while not (viewer.sighting.saw_end or self._is_dismissed.is_set()):
            headers = {"Last-Event-ID": viewer.cursor, "Accept": "text/event-stream"}
            url = f"{next(self._gateways)}{JOBS}/{job_id}/stream"
            async with http.stream("GET", url, headers=headers) as response:
                if response.status_code == 204:
                    viewer.sighting.saw_end = True
                    return
                assert response.status_code == 200, response.status_code
                was_cut = await viewer.follow(response, self._random.randint(100, MAX_BYTES_BEFORE_CUT))
                self.cuts += was_cut
            await asyncio.sleep(self._random.uniform(0.1, 1.0) * PAUSE_SECONDS)

    def _see(self, client: str, job_id: str) -> Sighting:
        self.sightings.append(Sighting(client=client, job_id=job_id, shown=[]))
        return self.sightings[-1]


class _Viewer:
    """One viewer's memory over its connections."""

    def __init__(self, sighting: Sighting) -> None:
        self.sighting = sighting
        self.cursor = "0-0"

    async def follow(self, response: httpx.Response, left_bytes: int) -> bool:
        """Read one connection until it ends, or for so many bytes; True when it was cut."""
        reader = FrameReader()
        async for piece in response.aiter_raw():
            for frame in reader.feed(piece[:left_bytes]):
                self._note(frame)
            left_bytes -= len(piece)
            if left_bytes <= 0:
                return True
        return False

    def _note(self, frame: Frame) -> None:
        if frame.id is None:
            return  # busy, a heartbeat, a snapshot before the terminal message: made for this viewer
        self.cursor = frame.id
        message = frame.data
        gap = message.get("gap") is not None
        if frame.type != "snapshot" or gap:
            self.sighting.shown.append(Shown(_as_event(frame.id, message), has_gap=gap))


def _as_event(identifier: str, message: dict[str, Any]) -> Event:
    event_id = EventId.parse(identifier)
    assert event_id is not None, identifier
    return Event(event_id, message)


def _of_page(body: dict[str, Any]) -> Iterator[Shown]:
    """Give a page's events; a gap before them is told as the place where it ends."""
    if gap := body.get("gap"):
        yield Shown(_as_event(gap["to"], {"type": "gap"}), has_gap=True)
    for event in body["events"]:
        yield Shown(_as_event(event["id"], {name: text for name, text in event.items() if name != "id"}))


def _as_answer(record: dict[str, Any]) -> Answer:
    return Answer(
        job_id=record["job_id"], status=record["status"], attempt=record["attempt"], progress=record["progress"]
    )
