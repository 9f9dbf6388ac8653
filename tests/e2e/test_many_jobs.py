"""Many jobs on one stream keep the promise of one: of each job every event, through cuts, restarts and outages."""

import asyncio
import functools
import itertools
import random
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.support import cargo, jobs
from tests.support.crowd import crowd
from tests.support.local_http import strict_client
from tests.support.many_reader import MADE, ManyReader, many_stream
from tests.support.servers import frozen
from tests.support.service import Service
from tests.support.sse_reader import FrameReader, read_frames
from tests.support.stores import running_store
from tests.support.system import JOBS, System
from tests.support.viewer import BackgroundViewer
from tests.support.waiting import PATIENCE_SECONDS, until, until_so

MANY = 6
READERS = 8
MAX_BYTES_BEFORE_CUT = 1_500
STRANGER = "00000000-0000-8000-8000-000000000000"
SSE = {"Accept": "text/event-stream"}


class BadLine:
    """A reader that is cut after a random number of bytes, and comes back with the vector that it has."""

    def __init__(self, urls: Callable[[], str], paths: list[str], cuts: random.Random) -> None:
        self.reader = ManyReader(paths, ".".join(["0-0"] * len(paths)))
        self.cuts = 0
        self._urls = urls
        self._target = many_stream(paths)
        self._random = cuts

    async def watch(self) -> None:
        """Follow all jobs to their ends, which 204 confirms."""
        async with httpx.AsyncClient(timeout=PATIENCE_SECONDS, trust_env=False) as http:
            while True:
                try:
                    if await self._connect(http):
                        return
                except httpx.TransportError:
                    await asyncio.sleep(random.uniform(0.05, 0.2))  # its gateway is being restarted

    async def _connect(self, http: httpx.AsyncClient) -> bool:
        left_bytes = self._random.randint(1, MAX_BYTES_BEFORE_CUT)
        frames = FrameReader()
        headers = SSE | {"Last-Event-ID": str(self.reader.cursor)}
        async with http.stream("GET", self._urls() + self._target, headers=headers) as response:
            if response.status_code == 204:
                return True
            assert response.status_code == 200
            async for piece in response.aiter_raw():
                for frame in frames.feed(piece[:left_bytes]):
                    self.reader.take(frame)
                left_bytes -= len(piece)
                if left_bytes <= 0:
                    self.cuts += 1
                    break
        return False


async def watch_all(readers: list[BadLine], *meanwhile: Callable[[], object]) -> None:
    """Let all readers watch while something is done to what they watch."""
    async with asyncio.timeout(2 * PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        for reader in readers:
            group.create_task(reader.watch())
        for act in meanwhile:
            await asyncio.to_thread(act)


def assert_each_log_was_told_once(system: System, paths: list[str], readers: list[BadLine]) -> None:
    for path in paths:
        log = system.log(path)
        assert log[-1]["type"] == "completed"
        for reader in readers:
            assert reader.reader.events_of(path) == log
    for reader in readers:
        assert "snapshot" not in reader.reader.types


def test_streams_cut_at_random_bytes_lose_double_and_disorder_nothing_of_any_job(system: System) -> None:
    cuts = random.Random(20_261_127)
    paths = system.create_jobs(MANY, *cargo.LONG[:2])
    urls = itertools.cycle(gateway.url for gateway in system.gateways)
    readers = [BadLine(lambda: next(urls), cuts.sample(paths, len(paths)), cuts) for _ in range(READERS)]

    asyncio.run(watch_all(readers))

    assert sum(reader.cuts for reader in readers) >= 100
    assert_each_log_was_told_once(system, paths, readers)


@pytest.fixture
def fragile(tmp_path: Path) -> Iterator[System]:
    """A system that may be broken."""
    with System(tmp_path, settings={"WAYBILL_SLOTS": "32"}) as running:
        yield running


def test_a_gateway_that_dies_and_one_that_stops_and_redis_away_lose_and_double_nothing(fragile: System) -> None:
    # Started here: a program ends with the thread that has started it.
    others = [fragile.start("gateway") for _ in range(2)]
    for other in others:
        other.wait_until_ready()
    paths = fragile.create_jobs(MANY, *cargo.LONG[:4])
    cuts = random.Random(20_261_128)
    readers = [BadLine(lambda: fragile.gateways[0].url, paths, cuts) for _ in range(READERS)]

    def replace_gateway(end: Callable[[Service], None]) -> None:
        leaving, fragile.gateways[0] = fragile.gateways[0], others.pop()
        end(leaving)

    def take_redis_away() -> None:
        viewer = BackgroundViewer(fragile.url + many_stream(paths))
        with frozen(fragile.redis):
            # As long as it takes until somebody who comes is told.
            until(lambda: "redis" in opened(fragile, many_stream(paths)), "a new stream is told that Redis is away")
        fragile.gateways[0].wait_until_ready()
        assert all(frame.type != "busy" for frame in viewer.frames)

    asyncio.run(
        watch_all(
            readers,
            lambda: replace_gateway(Service.kill),
            take_redis_away,
            lambda: replace_gateway(Service.terminate),
        )
    )

    assert_each_log_was_told_once(fragile, paths, readers)


def opened(system: System, target: str, **headers: str) -> str:
    """Open a stream and give what it says until its first frame has come, or its end."""
    with (
        strict_client(within_seconds=PATIENCE_SECONDS) as client,
        client.stream("GET", system.url + target, headers=SSE | headers) as response,
    ):
        text = b""
        for piece in response.iter_raw():
            text += piece
            if text.endswith(b"\n\n"):
                break
    return text.decode()


# ── opening ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def whole(system: System, paths: list[str], cursor: str | None = None, *, accept: str = "*/*") -> ManyReader:
    """Read a stream that ends by itself, of jobs that have ended."""
    headers = {"Accept": accept} | ({} if cursor is None else {"Last-Event-ID": cursor})
    response = httpx.get(system.url + many_stream(paths), headers=headers, trust_env=False)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/event-stream"
    reader = ManyReader(paths, cursor)
    for frame in read_frames(response.content):
        reader.take(frame)
    return reader


@pytest.fixture(scope="module")
def ended(system: System) -> list[str]:
    """Three jobs that have ended."""
    paths = system.create_jobs(3, *cargo.MIXED[:2])
    for path in paths:
        system.wait_for_end(path)
    return paths


def end_of(system: System, paths: list[str]) -> str:
    """Give the vector of the ends of these jobs."""
    return ".".join(system.log(path)[-1]["id"] for path in paths)


def test_ended_jobs_are_each_shown_with_their_last_event_and_the_stream_ends(system: System, ended: list[str]) -> None:
    reader = whole(system, ended)

    for path in ended:
        assert [frame.type for frame in reader.of_job(path)] == ["snapshot", "completed"]
        assert reader.events_of(path) == system.log(path)[-1:]
    assert reader.cursor == end_of(system, ended)
    assert reader.frames[0].retry_ms is not None


def test_who_has_the_ends_of_all_jobs_is_sent_away_for_good(system: System, ended: list[str]) -> None:
    end = end_of(system, ended)

    answers = [
        system.get(many_stream(ended), last_event_id=end),
        system.get(many_stream(ended, last_event_id=end)),
    ]

    assert [(answer.status_code, answer.content) for answer in answers] == [(204, b"")] * 2


def test_who_lacks_the_end_of_one_job_is_told_of_that_one_alone(system: System, ended: list[str]) -> None:
    first, second, third = end_of(system, ended).split(".")

    reader = whole(system, ended, f"{first}.{system.log(ended[1])[-2]['id']}.{third}")

    assert [(frame.type, frame.id) for frame in reader.frames] == [("completed", f"{first}.{second}.{third}")]
    assert reader.frames[0].data["job_id"] == ended[1].rpartition("/")[2]


@pytest.mark.parametrize(
    "vector",
    ["0-0", "0-0.0-0", "0-0.0-0.0-0.0-0", "0-0.0-0.zzz", "0-0..0-0", "0-0.0-0.00-1", "..", "x" * 3_000, "ä.-.-"],
)
def test_a_vector_of_another_length_or_form_shows_every_job_with_a_gap(
    system: System, ended: list[str], vector: str
) -> None:
    response = httpx.get(system.url + many_stream(ended), headers={b"Last-Event-ID": vector.encode()}, trust_env=False)

    frames = read_frames(response.content)
    assert [frame.type for frame in frames].count("snapshot") == len(ended)
    assert all(frame.data["gap"]["from"] is None for frame in frames if frame.type == "snapshot")


def test_a_job_that_cannot_be_had_is_one_error_and_not_repeated_to_who_comes_back(
    system: System, ended: list[str]
) -> None:
    [deleted] = system.create_jobs(1, *cargo.MIXED)
    system.call("DELETE", deleted)
    paths = [STRANGER, ended[0], deleted, "no id at all"]

    reader = whole(system, paths)

    end = end_of(system, ended[:1])
    errors = {frame.data["job_id"]: frame for frame in reader.frames if frame.type == "error"}
    assert {job_id: frame.data["error"]["code"] for job_id, frame in errors.items()} == {
        STRANGER: "NOT_FOUND",
        deleted.rpartition("/")[2]: "GONE",
        "no id at all": "NOT_FOUND",
    }
    assert not any(frame.data["can_retry"] for frame in errors.values())
    assert reader.cursor == f"x.{end}.x.x"
    assert system.get(many_stream(paths), last_event_id=reader.cursor).status_code == 204
    again = whole(system, paths, "x.0-0.x.-")
    assert [frame.type for frame in again.frames if frame.type not in ("queued", "started", "progress")] == [
        "error",
        "completed",
    ]


def test_a_job_that_was_refused_and_is_there_after_all_is_shown(system: System, ended: list[str]) -> None:
    reader = whole(system, ended[:1], "x")

    assert reader.types == ["snapshot", "completed"]


# ── requests that are none ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("jobs", "code"),
    [([], "INVALID_QUERY"), ([STRANGER, STRANGER], "INVALID_QUERY"), ([str(n) for n in range(51)], "INVALID_QUERY")],
)
def test_a_query_that_names_no_jobs_or_too_many_is_refused_with_a_sentence(
    system: System, jobs: list[str], code: str
) -> None:
    answer = system.get(many_stream(jobs))

    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_an_event_source_that_asks_for_too_many_jobs_is_refused_for_good(system: System) -> None:
    before = system.gateways[0].metric("sse_refusals_total", reason="limit")

    response = system.get(many_stream(map(str, range(51))), accept="text/event-stream")

    # WHATWG HTML §9.2.2: any status but 200 ends an EventSource; the same address would never be answered otherwise.
    assert (response.status_code, response.json()["code"]) == (400, "INVALID_QUERY")
    assert "51 jobs; one call takes 50" in response.json()["detail"]
    assert system.gateways[0].metric("sse_refusals_total", reason="limit") == before


def test_fifty_jobs_with_the_longest_cursors_are_one_stream(system: System, ended: list[str]) -> None:
    paths = [*ended, *(str(number) * 36 for number in range(47))]
    vector = ".".join(["9999999999-999999999999999"] * 50)

    reader = whole(system, paths, vector)

    assert len([frame for frame in reader.frames if frame.type == "error"]) == 47
    assert all(reader.of_job(path)[0].data["gap"] for path in ended)


def test_a_stream_may_not_be_asked_for_its_head_alone(system: System, ended: list[str]) -> None:
    assert system.call("HEAD", many_stream(ended)).status_code == 405


# ── what it costs ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_job_of_a_stream_counts_as_one_against_the_bound_and_leaves_with_it(system: System) -> None:
    gateway = system.start("gateway", WAYBILL_MAX_STREAMS="4")
    gateway.wait_until_ready()
    paths = system.create_jobs(3, *cargo.LONG)

    viewer = BackgroundViewer(gateway.url + many_stream(paths))
    until(lambda: gateway.metric("sse_places_active") == 3, "three jobs are followed")
    refused = httpx.get(gateway.url + many_stream(paths[:2]), headers=SSE, trust_env=False)

    assert read_frames(refused.content)[0].data["reason"] == "overload"
    assert gateway.metric("sse_connections_active") == 1
    for path in paths[:2]:
        system.call("POST", f"{path}/cancel")
    until(lambda: gateway.metric("sse_places_active") == 1, "two of them have ended")
    system.call("POST", f"{paths[2]}/cancel")
    ends = [frame for frame in viewer.wait_for_end() if frame.type not in (*MADE, "queued", "started", "progress")]
    assert {frame.type for frame in ends} == {"cancelled"}
    assert len(ends) == 3
    until(lambda: gateway.metric("sse_jobs_followed") == 0, "nobody is followed any more")
    assert gateway.metric("sse_places_active") == 0
    gateway.close()


def test_a_gateway_that_stops_ends_a_stream_of_many_jobs_once_and_softly(system: System) -> None:
    gateway = system.start("gateway")
    gateway.wait_until_ready()
    paths = system.create_jobs(3, *cargo.LONG)
    viewer = BackgroundViewer(gateway.url + many_stream(paths))

    gateway.terminate()
    frames = viewer.wait_for_end()

    assert [(frame.type, frame.data["reason"]) for frame in frames if frame.type == "busy"] == [("busy", "drain")]
    assert frames[-1].type == "busy"
    assert gateway.exit_code() == 0
    for path in paths:
        system.call("DELETE", path)
    gateway.close()


def test_a_job_that_is_deleted_while_it_is_followed_ends_and_the_others_go_on(system: System) -> None:
    paths = system.create_jobs(2, *cargo.LONG[:2])
    viewer = BackgroundViewer(system.url + many_stream(paths), last_event_id="-.-")

    system.call("DELETE", paths[0])
    frames = viewer.wait_for_end()

    reader = ManyReader(paths)
    for frame in frames:
        reader.take(frame)
    assert reader.of_job(paths[0])[-1].type == "cancelled"
    assert reader.of_job(paths[1])[-1].type == "completed"


def test_the_path_of_a_job_is_not_taken_for_the_stream_of_many(system: System) -> None:
    assert system.get(f"{JOBS}/stream").json()["code"] == "NOT_FOUND"


# ── one job does not hold up the others ───────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def idle(tmp_path: Path) -> Iterator[System]:
    """A gateway that looks at logs often, without a processor: the test itself writes the events."""
    with System(tmp_path, gateways=0, processors=0) as running:
        running.gateways.append(
            running.start("gateway", {"LOOK_AT_LOG_EVERY_SECONDS": 0.3, "STREAM_SEND_WITHIN_SECONDS": 1})
        )
        running.gateways[0].wait_until_ready()
        yield running


async def test_a_job_that_is_damaged_or_forgotten_while_it_is_followed_is_an_error_and_the_others_go_on(
    idle: System,
) -> None:
    async with running_store(idle.redis.url, partitions=1) as store:
        runs = [await jobs.start(store) for _ in range(3)]
        damaged, forgotten, healthy = [f"{JOBS}/{run.job_id}" for run in runs]
        paths = [damaged, forgotten, healthy]
        async with crowd([idle.url + many_stream(paths)]) as [viewer]:
            await store.append_progress(runs[2], seq=3, message=jobs.progress(0.2))
            await until_so(lambda: str(viewer.ids[-1]).endswith("1-3"), "it is live")
            record = "waybill:{{0}}:job:{}"
            await store.connection.execute("HSET", record.format(runs[0].job_id), "seq", "9", "file_ids", "none")
            await store.connection.execute("DEL", record.format(runs[1].job_id))
            await until_so(lambda: viewer.ids[-1] == "x.x.1-3", "both are told")
            await store.finish(runs[2], jobs.completion())
            await until_so(lambda: viewer.has_ended, "the last one ends the stream")

    reader = ManyReader(paths)
    for frame in viewer.frames:
        reader.take(frame)
    assert [reader.of_job(path)[-1].data["error"]["code"] for path in (damaged, forgotten)] == [
        "RECORD_UNREADABLE",
        "NOT_FOUND",
    ]
    assert reader.of_job(healthy)[-1].type == "completed"


async def test_a_reader_that_takes_nothing_is_cut_and_leaves_all_its_jobs(idle: System) -> None:
    gateway = idle.gateways[0]
    async with running_store(idle.redis.url, partitions=1) as store:
        runs = [await jobs.start(store) for _ in range(3)]
        target = many_stream(run.job_id for run in runs)
        with socket.socket() as mute:
            mute.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
            mute.connect(("127.0.0.1", gateway.port))
            mute.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            await until_so(lambda: gateway.metric("sse_places_active") == 3, "it follows three jobs")
            for number in range(60):
                for run in runs:
                    message = jobs.progress((number + 1) / 61, "a" * 4_000)
                    await jobs.insist(
                        functools.partial(store.append_progress, run, seq=run.record.seq + 1 + number, message=message)
                    )
            await until_so(lambda: gateway.metric("sse_streams_ended_total", reason="slow") == 1, "it is cut")

        assert gateway.metric("sse_places_active") == 0
        assert gateway.metric("sse_jobs_followed") == 0


async def test_events_that_the_live_channel_lost_are_shown_at_the_next_look(idle: System) -> None:
    async with running_store(idle.redis.url, partitions=1) as store:
        runs = [await jobs.start(store) for _ in range(2)]
        async with crowd([idle.url + many_stream(run.job_id for run in runs)] * 10) as viewers:
            for run in runs:
                record = f"waybill:{{0}}:job:{run.job_id}"
                await store.connection.execute("XADD", store.live_channel(run.job_id), "1-3", "e", jobs.progress(0.5))
                await store.connection.execute("HSET", record, "seq", 3)
            await until_so(lambda: all(viewer.ids[-1] == "1-3.1-3" for viewer in viewers), "everybody is shown them")

    for viewer in viewers:
        assert len(viewer.ids) == len(set(viewer.ids)) == 4


async def test_a_stream_of_many_jobs_ends_at_its_age_and_is_resumed_by_its_vector(idle: System) -> None:
    gateway = idle.start("gateway", {"STREAM_MAX_AGE_SECONDS": 0.5, "HEARTBEAT_EVERY_SECONDS": 0.2})
    await asyncio.to_thread(gateway.wait_until_ready)
    async with running_store(idle.redis.url, partitions=1) as store:
        runs = [await jobs.start(store) for _ in range(2)]
        url = gateway.url + many_stream(run.job_id for run in runs)
        async with crowd([url]) as [first]:
            await until_so(lambda: first.has_ended, "it reaches its age")
        await store.append_progress(runs[1], seq=3, message=jobs.progress(0.5))
        async with crowd([url], last_event_id=first.ids[-1]) as [second]:
            await until_so(lambda: second.has_ended, "so does the next")

    assert [frame.type for frame in first.frames if frame.type != "heartbeat"] == ["snapshot", "snapshot", "busy"]
    assert "heartbeat" in {frame.type for frame in first.frames}
    assert first.frames[-1].data["reason"] == "max_age"
    assert [(frame.type, frame.id) for frame in second.frames if frame.type != "heartbeat"] == [
        ("progress", "1-2.1-3"),
        ("busy", None),
    ]
