"""A job that is followed through a network that breaks: each message once and in order, to the end."""

import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from gateway.client import AsyncWaybill, Waybill
from gateway.client.errors import JobUnsuccessful, NobodyListens, NotWaybill, ServerUnreachable, WaitedTooLong
from gateway.client.job import AsyncJob
from gateway.client.record import Message
from shared.caller_errors import Unauthenticated
from shared.errors import JobGone, JobNotFound, UnavailableError, UnknownFiles, WaybillError
from tests.support.faulty_gateway import (
    JOB_ID,
    JOB_PATH,
    FaultyGateway,
    Hang,
    Pieces,
    Request,
    answer,
    frame,
    head,
    nothing,
    problem,
    stream,
    web_page,
)

STREAM = f"GET {JOB_PATH}/stream"
EVENTS = f"GET {JOB_PATH}/events"
CREATE = "POST /v1/download/jobs"


def progress(seq: int) -> bytes:
    return frame(f"1-{seq}", {"type": "progress", "progress": seq / 10})


async def all_of(job: AsyncJob, after: str | None = None) -> list[Message]:
    return [message async for message in job.events(after)]


def ids(messages: list[Message]) -> list[str | None]:
    return [message.id for message in messages]


async def test_a_cut_stream_goes_on_after_the_last_id(gateway: FaultyGateway, job: AsyncJob) -> None:
    gateway.answers[STREAM] = [
        lambda _: stream(gateway.snapshot(), progress(3), progress(4)[:-5]),
        lambda _: nothing(),
        lambda _: stream(progress(4), gateway.completed("1-5")),
    ]

    messages = await all_of(job)

    assert ids(messages) == ["1-2", "1-3", "1-4", "1-5"]
    cursors = [request.headers.get("last-event-id") for request in gateway.asked(STREAM)]
    assert cursors == [None, "1-3", "1-3"]


async def test_what_came_before_is_not_given_again(gateway: FaultyGateway, job: AsyncJob) -> None:
    gateway.answers[STREAM] = [
        lambda _: stream(gateway.snapshot(), progress(3)),
        lambda _: stream(progress(2), progress(3), gateway.completed("1-4")),
    ]

    assert ids(await all_of(job)) == ["1-2", "1-3", "1-4"]


async def test_a_gap_replaces_what_was_there(gateway: FaultyGateway, job: AsyncJob) -> None:
    lost = gateway.snapshot(gap={"from": "1-3", "to": "1-1", "missed": None}).replace(b"1-2", b"1-1", 1)
    gateway.answers[STREAM] = [
        lambda _: stream(gateway.snapshot(), progress(3)),
        lambda _: stream(lost.replace(b"id: 1-2", b"id: 1-1"), progress(2), gateway.completed("1-3")),
    ]

    assert ids(await all_of(job)) == ["1-2", "1-3", "1-1", "1-2", "1-3"]


async def test_busy_is_no_message_and_no_end(gateway: FaultyGateway, job: AsyncJob) -> None:
    busy = frame(None, {"type": "busy", "reason": "drain"}, retry_ms=20)
    heartbeat = b'event: heartbeat\ndata: {"at": "x"}\n\n'
    gateway.answers[STREAM] = [
        lambda _: stream(gateway.snapshot(), busy),
        lambda _: stream(heartbeat, gateway.completed("1-3")),
    ]

    assert [message.type for message in await all_of(job)] == ["snapshot", "completed"]


async def test_a_job_that_waits_for_long_costs_no_patience(gateway: FaultyGateway, job: AsyncJob) -> None:
    heartbeat = b'event: heartbeat\ndata: {"at": "x"}\n\n'
    too_old = frame(None, {"type": "busy", "reason": "max_age"}, retry_ms=1)
    gateway.answers[STREAM] = [
        lambda _: stream(gateway.snapshot()),
        *[lambda _: stream(heartbeat, too_old)] * 6,
        lambda _: stream(gateway.completed("1-3")),
    ]

    assert [message.type for message in await all_of(job)] == ["snapshot", "completed"]


async def test_a_server_that_is_always_busy_is_given_up(gateway: FaultyGateway, job: AsyncJob) -> None:
    gateway.answers[STREAM] = [lambda _: stream(frame(None, {"type": "busy", "reason": "overload"}, retry_ms=1))]

    with pytest.raises(UnavailableError, match="overload"):
        await all_of(job)

    assert len(gateway.asked(STREAM)) == 4


async def test_a_cursor_at_the_end_gives_nothing(gateway: FaultyGateway, job: AsyncJob) -> None:
    gateway.answers[STREAM] = [lambda _: head(204)]

    assert await all_of(job, "1-9") == []
    assert gateway.asked(STREAM)[0].headers["last-event-id"] == "1-9"


async def test_a_silent_stream_is_left_and_opened_again(gateway: FaultyGateway, job: AsyncJob) -> None:
    gateway.answers[STREAM] = [
        lambda _: stream(gateway.snapshot(), Hang()),
        lambda _: stream(gateway.completed("1-3")),
    ]

    assert ids(await all_of(job)) == ["1-2", "1-3"]


# ── mute streams ──────────────────────────────────────────────────────────────────────────────────────────────────────


def page(*seqs: int, after: str) -> Any:
    events = [{"id": f"1-{seq}", "type": "completed" if seq == 9 else "progress"} for seq in seqs]
    return {"events": events, "next_after": f"1-{seqs[-1]}" if seqs else after, "has_more": False}


async def test_two_mute_streams_are_replaced_by_asking(gateway: FaultyGateway, job: AsyncJob) -> None:
    modes: list[str] = []
    gateway.answers[STREAM] = [lambda _: stream(Hang())]
    gateway.answers[EVENTS] = [
        lambda _: answer(page(1, 2, after="0-0")),
        lambda _: answer(page(3, after="1-2")),
        lambda _: answer(page(9, after="1-3")),
    ]

    messages = [message async for message in job.events(on_connection=lambda mode, _: modes.append(mode))]

    assert [message.type for message in messages] == ["snapshot", "progress", "completed"]
    assert ids(messages)[1:] == ["1-3", "1-9"]
    assert "polling" in modes
    assert len(gateway.asked(STREAM)) == 2
    assert gateway.asked(EVENTS)[-1].headers["prefer"] == "wait=20"


async def test_while_asking_streams_are_tried_again(gateway: FaultyGateway, job: AsyncJob) -> None:
    modes: list[str] = []
    gateway.answers[STREAM] = [
        *[lambda _: stream(Hang())] * 2,
        lambda _: stream(gateway.completed("1-9")),
    ]
    gateway.answers[EVENTS] = [lambda _: answer(page(1, 2, after="0-0")), lambda _: answer(page(after="1-2"))]

    messages = [message async for message in job.events(on_connection=lambda mode, _: modes.append(mode))]

    assert [message.type for message in messages] == ["snapshot", "completed"]
    assert modes[-1] == "live"
    assert gateway.asked(STREAM)[-1].headers["last-event-id"] == "1-2"


async def test_asking_for_a_job_that_has_ended_gives_its_end(gateway: FaultyGateway, job: AsyncJob) -> None:
    gateway.answers[STREAM] = [lambda _: stream(Hang())]
    gateway.answers[EVENTS] = [lambda _: answer(page(1, 9, after="0-0"))]

    assert [message.type for message in await all_of(job)] == ["snapshot", "completed"]


# ── refusals ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        (web_page, NotWaybill),
        (lambda: problem(401, "UNAUTHENTICATED", "No."), Unauthenticated),
        (lambda: problem(404, "NOT_FOUND", "No."), JobNotFound),
        (lambda: problem(410, "GONE", "No."), JobGone),
    ],
    ids=["a web page", "401", "404", "410"],
)
async def test_what_is_refused_for_good_ends_it(
    gateway: FaultyGateway, job: AsyncJob, refusal: object, error: type[WaybillError]
) -> None:
    assert callable(refusal)
    gateway.answers[STREAM] = [lambda _: refusal()]

    with pytest.raises(error):
        await all_of(job)

    assert len(gateway.asked(STREAM)) == 1


async def test_a_server_that_stays_away_is_given_up(gateway: FaultyGateway, job: AsyncJob) -> None:
    gateway.answers[STREAM] = [lambda _: nothing()]
    gateway.answers[EVENTS] = [lambda _: nothing()]

    with pytest.raises(ServerUnreachable):
        await all_of(job)


async def test_a_server_that_has_answered_is_not_taken_for_a_wrong_address_while_it_restarts() -> None:
    with FaultyGateway() as gateway:
        waybill = AsyncWaybill(gateway.url, tries=1)
        await waybill.job(JOB_ID).record()

    async with waybill:
        with pytest.raises(ServerUnreachable) as before:
            await waybill.job(JOB_ID).record()
    async with AsyncWaybill(gateway.url, tries=1) as another:
        with pytest.raises(NobodyListens):
            await another.job(JOB_ID).record()

    assert not isinstance(before.value, NobodyListens)


# ── the job itself ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_lost_answer_is_asked_for_with_the_same_key(gateway: FaultyGateway, waybill: AsyncWaybill) -> None:
    gateway.answers[CREATE] = [lambda _: nothing(), *gateway.answers[CREATE]]

    job = await waybill.submit([70000], archive_name="a")

    first, second = gateway.asked(CREATE)
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"] == f'"{job.idempotency_key}"'
    assert first.body == second.body


async def test_a_job_that_the_server_lost_is_created_anew_once(gateway: FaultyGateway, waybill: AsyncWaybill) -> None:
    other = JOB_ID.replace("cafe", "beef")
    gateway.answers[CREATE] = [*gateway.answers[CREATE], lambda _: answer({"job_id": other}, status=202)]
    gateway.answers[STREAM] = [lambda _: problem(404, "NOT_FOUND", "No.")]
    gateway.answers[STREAM.replace(JOB_ID, other)] = [
        lambda _: stream(gateway.snapshot()),
        lambda _: problem(404, "NOT_FOUND", "No."),
    ]
    job = await waybill.submit([70000])

    with pytest.raises(JobNotFound):
        await all_of(job)

    assert job.job_id == other
    first, second = gateway.asked(CREATE)
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]


async def test_a_servers_refusal_has_its_own_class(gateway: FaultyGateway, waybill: AsyncWaybill) -> None:
    def refuse(_: Request) -> Any:
        body = {"code": "UNKNOWN_FILES", "detail": "1 is not known.", "file_ids": [1]}
        return answer(body, status=422, kind="application/problem+json")

    gateway.answers[CREATE] = [refuse]

    with pytest.raises(UnknownFiles, match="1 is not known") as caught:
        await waybill.submit([1])

    assert caught.value.file_ids == (1,)


async def test_waiting_ends_with_the_time_that_was_given(gateway: FaultyGateway, job: AsyncJob) -> None:
    gateway.answers[STREAM] = [lambda _: stream(gateway.snapshot(), Hang())]

    with pytest.raises(WaitedTooLong):
        await job.wait(timeout_seconds=0.2)


async def test_waiting_for_a_job_that_fails_says_why(gateway: FaultyGateway, job: AsyncJob) -> None:
    error = {"code": "SOURCE_MISSING", "message": "File 1 is gone."}
    gateway.answers[STREAM] = [lambda _: stream(frame("1-3", {"type": "error", "error": error, "can_retry": False}))]
    gateway.answers[f"GET {JOB_PATH}"] = [lambda _: answer(gateway.record(status="failed", error=error))]

    with pytest.raises(JobUnsuccessful, match="File 1 is gone") as caught:
        await job.wait()

    assert (caught.value.state, caught.value.reason_code) == ("failed", "SOURCE_MISSING")


async def test_a_deletion_whose_answer_was_lost_is_no_error(gateway: FaultyGateway, job: AsyncJob) -> None:
    gateway.answers[f"DELETE {JOB_PATH}"] = [lambda _: nothing(), lambda _: problem(410, "GONE", "Deleted.")]

    await job.delete()

    assert len(gateway.asked(f"DELETE {JOB_PATH}")) == 2


# ── many at once, and without a loop ──────────────────────────────────────────────────────────────────────────────────


async def test_many_jobs_go_on_after_the_vector_that_was_given(gateway: FaultyGateway, waybill: AsyncWaybill) -> None:
    def of(job_id: str, kind: str) -> dict[str, Any]:
        return {"type": kind, "job_id": job_id}

    gateway.answers["GET /v1/download/stream"] = [
        lambda _: stream(frame("1-9.-", of("a", "completed")), frame("1-9.1-1", of("b", "progress"))),
        lambda _: stream(frame("1-9.1-2", of("b", "cancelled"))),
    ]

    found = [(job_id, message.type) async for job_id, message in waybill.follow(["a", "b"])]

    assert found == [("a", "completed"), ("b", "progress"), ("b", "cancelled")]
    first, second = gateway.asked("GET /v1/download/stream")
    assert first.path.endswith("?job=a&job=b")
    assert second.headers["last-event-id"] == "1-9.1-1"


async def test_many_mute_jobs_are_asked_for_in_one_batch(gateway: FaultyGateway, waybill: AsyncWaybill) -> None:
    missing = {"job_id": "b", "code": "GONE", "message": "Deleted."}
    gateway.answers["GET /v1/download/stream"] = [lambda _: stream(Hang())]
    gateway.answers[CREATE.replace("POST", "GET")] = [
        lambda _: answer({"jobs": [gateway.record(job_id="a")], "missing": [missing]})
    ]

    found = [(job_id, message.type) async for job_id, message in waybill.follow(["a", "b"])]

    assert found == [("a", "snapshot"), ("b", "error")]


def test_the_blocking_library_is_the_same(gateway: FaultyGateway, tmp_path: Any) -> None:
    with Waybill(gateway.url) as waybill:
        job = waybill.submit([70000])

        types = [message.type for message in job.events()]
        first = next(job.events())
        record = job.wait()
        saved = job.save(tmp_path / "a.zip")

    assert types == ["snapshot", "completed"]
    assert first.type == "snapshot"
    assert (record.status, saved.read_bytes()) == ("completed", gateway.archive)


def test_the_blocking_library_raises_the_same(gateway: FaultyGateway) -> None:
    gateway.answers[f"GET {JOB_PATH}"] = [lambda _: problem(410, "GONE", "No.")]

    with Waybill(gateway.url) as waybill, pytest.raises(JobGone):
        waybill.job(JOB_ID).record()


def test_an_interrupted_reader_without_a_loop_lets_go_of_all(gateway: FaultyGateway) -> None:
    is_read = threading.Event()

    def interrupting(_: Request) -> Pieces:
        yield from stream(gateway.snapshot())
        is_read.wait()
        os.kill(os.getpid(), signal.SIGINT)
        yield Hang()

    gateway.answers[STREAM] = [interrupting]

    def read(waybill: Waybill) -> None:
        for _ in waybill.job(JOB_ID).events():
            is_read.set()

    with Waybill(gateway.url) as waybill, pytest.raises(KeyboardInterrupt) as caught:
        read(waybill)

    assert caught.value.__context__ is None  # no generator was closed while it still ran


def test_an_interrupted_save_can_be_repeated_at_once(gateway: FaultyGateway, tmp_path: Path) -> None:
    def interrupting(_: Request) -> Pieces:
        yield from head(200, content_length=len(gateway.archive))
        os.kill(os.getpid(), signal.SIGINT)
        yield Hang()

    gateway.answers[f"GET {JOB_PATH}/file"] = [interrupting, gateway.send_file]
    with Waybill(gateway.url) as waybill:
        with pytest.raises(KeyboardInterrupt):
            waybill.job(JOB_ID).save(tmp_path / "a.zip")

        saved = waybill.job(JOB_ID).save(tmp_path / "a.zip")

    assert saved.read_bytes() == gateway.archive


def test_closing_twice_is_closing(gateway: FaultyGateway) -> None:
    with Waybill(gateway.url) as waybill:
        waybill.close()


def test_many_jobs_are_followed_without_a_loop_too(gateway: FaultyGateway) -> None:
    ended = frame("1-9.1-2", {"type": "completed", "job_id": "a"})
    gateway.answers["GET /v1/download/stream"] = [lambda _: stream(ended)]

    with Waybill(gateway.url) as waybill:
        assert [(job_id, message.type) for job_id, message in waybill.follow(["a"])] == [("a", "completed")]
