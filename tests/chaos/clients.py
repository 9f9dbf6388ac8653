"""The clients of a storm: each job has a caller who creates it, and may cancel or delete it, one who watches its
stream, and one who reads its pages; owners retry, and an operator redrives, what failed.

Lines are bad: streams are cut after a random number of bytes and resumed by the last id, through all gateways in turn.
"""

import asyncio
import itertools
import random
import threading
from collections.abc import Iterator
from typing import Any, Self

import httpx

from shared.clock import now_ms
from shared.event_id import EventId
from tests.chaos.caller import CUT_OFF, Caller
from tests.chaos.history import Answer, Asked, Call, Event, Shown, Sighting
from tests.chaos.life import TERMINAL as TERMINAL_TYPES
from tests.chaos.moods import is_to_be_told
from tests.chaos.redriver import Redriver
from tests.chaos.wishes import Will, Wish, will_of
from tests.support import cargo
from tests.support.sse_reader import Frame, FrameReader
from tests.support.system import JOBS, TERMINAL

LOOK_EVERY_SECONDS = 1.0
PAUSE_SECONDS = 0.3
CALL_WITHIN_SECONDS = 20.0
MAX_BYTES_BEFORE_CUT = 600
CARGOES = (cargo.MIXED, cargo.MIXED[:2], cargo.LONG[:1])


class Crowd:
    """All clients, in a thread with a loop of their own; `sightings`, `answers`, `calls` and `accepted` grow meanwhile.

    Without `redis_url` there is no operator, and callers want nothing but archives. Some want the end to be told at
    `callback_url`, if there is one.
    """

    def __init__(
        self,
        gateway_urls: list[str],
        *,
        seed: int,
        jobs_per_second: float,
        redis_url: str = "",
        partitions: int = 1,
        callback_url: str = "",
    ) -> None:
        self.accepted: set[str] = set()
        self.sightings: list[Sighting] = []
        self.answers: list[Answer] = []
        self.calls: list[Call] = []
        self.wills: dict[str, Will] = {}
        self.refused_calls = 0
        self.cut_calls: list[str] = []
        self.cuts = 0
        self._gateway_urls = gateway_urls
        self._redis_url = redis_url
        self._callback_url = callback_url
        self._partitions = partitions
        self._seed = seed
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

    def insist_on_sound(self) -> None:
        """Raise what broke it, if anything did: a storm without callers proves nothing."""
        if self._trouble is not None:
            raise self._trouble

    def wait_for_end(self, within_seconds: float) -> None:
        """Wait until everybody has seen the end of their job; fails when they do not, or broke."""
        self._thread.join(within_seconds)
        self.insist_on_sound()
        waiting = {one.job_id for one in self.sightings if not (one.saw_end or one.saw_gone)}
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
            caller = Caller(http, self._gateway_urls, self.calls)
            if self._redis_url:
                redriver = Redriver(self._redis_url, self._partitions, caller, self._may_be_redriven)
                group.create_task(redriver.work(self._is_enough.is_set))
            for number in itertools.count():
                if self._is_enough.is_set():
                    break
                group.create_task(self._accompany(caller, number))
                await asyncio.sleep(self._random.uniform(0.5, 1.5) * self._pause_seconds)
        self.refused_calls, self.cut_calls = caller.refused_calls, caller.cut_calls

    # ── a caller ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _accompany(self, caller: Caller, number: int) -> None:
        """Create a job, see it to its end, and do with it what its caller wants."""
        will = will_of(self._seed, number) if self._redis_url else Will(Wish.ARCHIVE, is_keyed=False, pause_seconds=0.0)
        body = {"file_ids": cargo.ids_of(*CARGOES[number % len(CARGOES)]), "archive_name": str(number)}
        if self._callback_url and is_to_be_told(self._seed, number):
            body["callback_url"] = self._callback_url
        job_id = await self._create(caller, body, key=str(number) if will.is_keyed else "")
        if job_id is None:
            return
        async with asyncio.TaskGroup() as group:
            viewer = group.create_task(self._watch(caller, job_id))
            group.create_task(self._read(caller, job_id))
            if will.wish is Wish.DELETE_ENDED:
                await viewer
            if will.wish is not Wish.ARCHIVE:
                await asyncio.sleep(will.pause_seconds)
                await self._fulfil(caller, job_id, will.wish)
            if will.retries:
                await viewer
                await self._retry(caller, job_id)
        if will.is_keyed:
            await self._create(caller, body, key=str(number))

    async def _create(self, caller: Caller, body: dict[str, Any], *, key: str) -> str | None:
        """Create a job: once, or under a key again and again until it is accepted, by two requests at the same time."""
        created = list(await asyncio.gather(*(caller.create(body, key=key) for _ in range(2 if key else 1))))
        while key and not (any(created) or self._is_dismissed.is_set()):
            await asyncio.sleep(self._random.uniform(0.5, 1.5) * PAUSE_SECONDS)
            created = list(await asyncio.gather(caller.create(body, key=key), caller.create(body, key=key)))
        job_id = next(filter(None, created), None)
        if job_id is not None:
            self.accepted.add(job_id)
            self.wills[job_id] = will_of(self._seed, int(body["archive_name"]))
        return job_id

    async def _fulfil(self, caller: Caller, job_id: str, wish: Wish) -> None:
        """Cancel or delete a job, again and again until that is answered."""
        asked, method, path = (Asked.CANCEL, "POST", "/cancel") if wish is Wish.CANCEL else (Asked.DELETE, "DELETE", "")
        answer = None
        while answer is None and not self._is_dismissed.is_set():
            answer = await caller.ask(asked, method, job_id, path)
            await asyncio.sleep(self._random.uniform(0.5, 1.5) * PAUSE_SECONDS)

    async def _retry(self, caller: Caller, job_id: str) -> None:
        """Ask for a retry of a job that has ended, by two requests at the same time, and see it to its next end."""
        while not self._is_dismissed.is_set():
            answers = await asyncio.gather(*(caller.ask(Asked.RETRY, "POST", job_id, "/retry") for _ in range(2)))
            if any(answers):
                await self._watch(caller, job_id)
                return
            await asyncio.sleep(self._random.uniform(0.5, 1.5) * PAUSE_SECONDS)

    def _may_be_redriven(self, job_id: str) -> bool:
        return job_id in self.wills and self.wills[job_id].may_be_redriven

    # ── pages and records ─────────────────────────────────────────────────────────────────────────────────────────────

    async def _read(self, caller: Caller, job_id: str) -> None:
        """Read the record and the pages after the last one, to the last page of a job that has ended, or is gone."""
        sighting = self._see("reader of pages", job_id)
        after = "0-0"
        while not (sighting.saw_end or self._is_dismissed.is_set()):
            await asyncio.sleep(self._random.uniform(0.5, 1.5) * LOOK_EVERY_SECONDS)
            record = await caller.ask(Asked.LOOK, "GET", job_id)
            page = await caller.ask(Asked.LOOK, "GET", job_id, f"/events?after={after}")
            if any(answer is not None and answer.status_code == 410 for answer in (record, page)):
                sighting.saw_gone = True
                return
            if record is not None:
                self.answers.append(_as_answer(record.json()))
            if page is not None:
                body = page.json()
                sighting.shown.extend(_of_page(body))
                after = body["next_after"]
                is_over = record is not None and record.json()["status"] in TERMINAL
                # A job that was redriven between the two shows the beginning of its next life.
                is_over = is_over and sighting.shown[-1].event.type in TERMINAL_TYPES
                sighting.saw_end = is_over and not body["has_more"]

    # ── streams ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _watch(self, caller: Caller, job_id: str) -> None:
        """Follow a job's stream to its end, through as many connections as it takes, or until the job is gone."""
        viewer = _Viewer(self._see("viewer of the stream", job_id))
        while not (viewer.sighting.saw_end or viewer.sighting.saw_gone or self._is_dismissed.is_set()):
            headers = {"Last-Event-ID": viewer.cursor, "Accept": "text/event-stream"}
            url, sent_at_ms = caller.next_url(f"{JOBS}/{job_id}/stream"), now_ms()
            try:
                async with caller.http.stream("GET", url, headers=headers) as response:
                    if response.status_code == 410:
                        caller.note(Asked.LOOK, job_id, sent_at_ms, status=410)
                        viewer.sighting.saw_gone = True
                    elif response.status_code == 204:
                        viewer.sighting.saw_end = True
                    else:
                        assert response.status_code == 200, response.status_code
                        self.cuts += await viewer.follow(response, self._random.randint(100, MAX_BYTES_BEFORE_CUT))
            except CUT_OFF as error:
                caller.note_cut("GET", f"{job_id}/stream", error)
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
