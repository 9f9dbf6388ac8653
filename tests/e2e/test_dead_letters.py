"""A job that fails for good, until it is done after all: admins are told, whatever dies meanwhile, and redrive it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import cargo
from tests.support.receiver import Receiver
from tests.support.service import environment
from tests.support.sse_reader import read_frames
from tests.support.system import JOBS, QUICK_LEASE, System
from tests.support.viewer import BackgroundViewer
from tests.support.waiting import until

LOST = cargo.MIXED[0]


@pytest.fixture
def endpoint() -> Iterator[Receiver]:
    """Where admins want to be told; at first it refuses."""
    with Receiver(lambda _: 500) as listening:
        yield listening


@pytest.fixture
def told(tmp_path: Path, endpoint: Receiver) -> Iterator[System]:
    """A system that tells it."""
    with System(tmp_path, settings=QUICK_LEASE | {"WAYBILL_ADMIN_CALLBACK_URL": endpoint.admin_url}) as running:
        yield running


def dead_letters(system: System, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the operators' command."""
    return subprocess.run(
        [sys.executable, "-m", "processor", "dead-letters", *arguments],
        env=environment({"REDIS_URL": system.redis.url}),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )


def fail(system: System) -> str:
    """Let a job fail for good, because a source is gone; give its path."""
    (system.sources_dir / LOST.key).unlink()
    path = system.create_job(LOST)
    assert system.wait_for_end(path)["status"] == "failed"
    return path


def mend(system: System) -> None:
    """Bring the source back."""
    (system.sources_dir / LOST.key).write_bytes(LOST.content)


def test_admins_are_told_although_the_endpoint_refuses_and_the_processor_is_killed(
    told: System, endpoint: Receiver
) -> None:
    path = fail(told)
    [*_, refused] = endpoint.wait_for(1)
    first = told.processors[0]

    first.kill()
    endpoint.answer = lambda _: 200
    second = told.start("processor")
    second.wait_until_ready()

    until(
        lambda: second.metric("callback_deliveries_total", outcome="delivered") >= 1, "the second processor has told it"
    )
    letter = endpoint.received[-1]
    record = told.record(path)
    assert letter.webhook_id == refused.webhook_id
    assert (letter.body["type"], letter.body["data"]["job_id"]) == ("dead_letter", record["job_id"])
    assert letter.body["data"]["error"] == record["error"]
    assert [event["type"] for event in letter.body["data"]["events"]][-1] == "error"
    logs = [first.log_path.read_text(), second.log_path.read_text()]
    assert "hunter2" not in "".join(logs)
    [failed] = [line for line in first.log_lines() if line["event"] == "job failed"]
    assert {"job_id", "reason", "code", "attempts", "processor"} <= failed.keys()


def test_a_failed_job_is_begun_anew_by_its_owner_once_however_often_it_is_asked_for(told: System) -> None:
    path = fail(told)
    failed_id = told.log(path)[-1]["id"]
    mend(told)
    [first, *_] = told.processors
    first.terminate()  # so that the job waits while it is asked for again
    assert first.exit_code() == 0

    answers = [told.call("POST", f"{path}/retry") for _ in range(3)]
    told.start("processor").wait_until_ready()
    viewer = BackgroundViewer(f"{told.url}{path}/stream", last_event_id=failed_id)
    record = told.wait_for_end(path)
    late = told.call("POST", f"{path}/retry")

    assert [answer.status_code for answer in answers] == [202] * 3
    assert {answer.headers["location"] for answer in answers} == {path}
    assert answers[0].json()["stream_url"] == f"{path}/stream"
    assert (record["status"], record["attempt"], record["error"]) == ("completed", 1, None)
    assert [frame.type for frame in viewer.wait_for_end() if frame.type not in ("progress", "heartbeat")] == [
        *("queued", "started", "completed")
    ]
    assert (late.status_code, late.json()["code"]) == (409, "NOT_FAILED")
    assert "completed" in late.json()["detail"]
    assert told.gateways[0].metric("download_jobs_retried_total") == 1
    [audit] = [line for line in told.gateways[0].log_lines() if line["event"] == "job begun anew"]
    assert (audit["job_id"], audit["owner"]) == (path.rpartition("/")[2], "local")


def test_a_job_that_has_not_failed_or_is_gone_or_is_none_is_not_begun_anew(told: System) -> None:
    waiting, deleted = told.create_jobs(2, *cargo.LONG)
    told.call("DELETE", deleted)

    answers = [told.call("POST", f"{path}/retry") for path in (waiting, deleted, f"{JOBS}/none")]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (409, "NOT_FAILED"),
        (410, "GONE"),
        (404, "NOT_FOUND"),
    ]


def test_a_failed_job_is_redriven_by_the_command_and_completes_once_its_source_is_mended(told: System) -> None:
    path = fail(told)
    job_id = path.rpartition("/")[2]
    [error] = [frame for frame in read_frames(told.get(f"{path}/stream").content) if frame.type == "error"]

    mend(told)
    [shown] = [json.loads(line) for line in dead_letters(told, "show", job_id, "--json").stdout.splitlines()]
    redriven = dead_letters(told, "redrive", job_id)
    record = told.wait_for_end(path)

    # Whoever had seen the error comes back to exactly what follows it.
    after = BackgroundViewer(f"{told.url}{path}/stream", last_event_id=str(error.id)).wait_for_end()
    fresh = read_frames(told.get(f"{path}/stream").content)
    assert (shown["reason"], shown["error"]["code"]) == ("permanent", "SOURCE_MISSING")
    assert redriven.stderr == "1 redriven\n"
    assert (record["status"], record["attempt"], record["error"]) == ("completed", 1, None)
    assert told.get(f"{path}/file").status_code == 200
    assert [kind for kind in told.types(path) if kind != "progress"] == [
        *("queued", "started", "error", "queued", "started", "completed")
    ]
    assert [frame.type for frame in after if frame.type not in ("progress", "heartbeat")] == [
        *("queued", "started", "completed")
    ]
    assert [frame.type for frame in fresh] == ["snapshot", "completed"]
    assert dead_letters(told, "list").stdout == ""
