"""Redis does not answer, or is not there: callers are told so quickly and softly, and everything recovers by itself."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from shared import limits
from tests.support import cargo
from tests.support.local_http import local_client
from tests.support.many_reader import many_stream
from tests.support.servers import frozen
from tests.support.sse_reader import read_frames
from tests.support.system import JOBS, QUICK_LEASE, System
from tests.support.viewer import BackgroundViewer
from tests.support.waiting import PATIENCE_SECONDS, until

ANSWER_WITHIN_SECONDS = 3.0  # promised are two; a busy machine gets one more


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system whose Redis may be taken away, and must be given back."""
    with System(tmp_path_factory.mktemp("fragile")) as running:
        yield running


def wait_for_recovery(system: System) -> None:
    """Wait until all processes say that they are ready."""
    for service in (*system.gateways, *system.processors):
        service.wait_until_ready()


def assert_everything_is_refused_in_time(system: System, path: str) -> None:
    """Make every call at once; each must answer 503 with a problem, EventSource a busy frame."""
    calls = [
        ("POST", JOBS, {}),
        ("POST", JOBS, {"Idempotency-Key": "k"}),
        ("GET", JOBS, {}),
        ("GET", path, {}),
        ("HEAD", path, {}),
        ("GET", f"{path}/events", {}),
        ("GET", f"{path}/file", {}),
        ("GET", f"{path}/stream", {"Accept": "*/*"}),
        ("GET", f"{path}/stream", {"Accept": "application/json"}),
        ("GET", f"{path}/stream", {"Accept": "text/event-stream"}),
        ("GET", f"{JOBS}?job={path.rpartition('/')[2]}&job=none", {}),
        ("GET", many_stream([path, "none"]), {}),
        ("GET", many_stream([path, "none"]), {"Accept": "text/event-stream"}),
        ("POST", f"{path}/retry", {}),
    ]

    def ask(call: tuple[str, str, dict[str, str]]) -> tuple[httpx.Response, float]:
        method, target, headers = call
        body = {"file_ids": cargo.ids_of(cargo.MIXED[0])} if method == "POST" else None
        began = time.monotonic()
        with local_client(within_seconds=PATIENCE_SECONDS) as client:
            response = client.request(method, system.url + target, headers=headers, json=body)
        return response, time.monotonic() - began

    with ThreadPoolExecutor(len(calls)) as pool:
        answers = list(pool.map(ask, calls))

    for call, (response, took_seconds) in zip(calls, answers, strict=True):
        assert took_seconds < ANSWER_WITHIN_SECONDS, call
        if call[2] == {"Accept": "text/event-stream"}:
            assert_busy(response)
        else:
            assert_unavailable(response)


def assert_unavailable(response: httpx.Response) -> None:
    """A problem that says when to come back."""
    assert response.status_code == 503, response.request
    assert response.headers["content-type"] == "application/problem+json"
    assert int(response.headers["retry-after"]) >= 1
    if response.request.method != "HEAD":
        assert response.json()["code"] == "REDIS_UNAVAILABLE"


def assert_busy(response: httpx.Response) -> None:
    """One frame that makes EventSource come back: any other status would stop it for ever."""
    [frame] = read_frames(response.content)
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/event-stream"
    assert (frame.type, frame.data["reason"], frame.id) == ("busy", "redis", None)
    assert frame.retry_ms is not None


def test_silent_redis_is_told_in_time_and_nobody_notices_when_it_is_back(fragile: System) -> None:
    ended = fragile.create_job(cargo.MIXED[0])
    fragile.wait_for_end(ended)
    running = fragile.create_job(*cargo.LONG[:2])
    fragile.wait_for_copying(running)

    with frozen(fragile.redis):
        assert_everything_is_refused_in_time(fragile, ended)
        until(lambda: fragile.gateways[0].ask("/readyz").status_code == 503, "the gateway notices")
        reasons = fragile.gateways[0].ask("/readyz").json()["problems"]
        livez = [service.ask("/livez").status_code for service in (*fragile.gateways, *fragile.processors)]

    assert any("Redis" in reason for reason in reasons)
    assert livez == [200, 200]
    wait_for_recovery(fragile)
    record = fragile.wait_for_end(running)
    assert (record["status"], record["attempt"]) == ("completed", 1)


class Outage(NamedTuple):
    """What was seen while Redis was not there, and the job and its viewer that were in the midst of it."""

    problems: list[list[str]]
    livez: list[int]
    dependency_up: list[float]
    running_path: str
    viewer: BackgroundViewer


@pytest.fixture(scope="module")
def outage(fragile: System) -> Outage:
    """Take Redis away while a job runs and is watched, make all calls, and give Redis back."""
    services = (*fragile.gateways, *fragile.processors)
    ended = fragile.create_job(cargo.MIXED[0])
    fragile.wait_for_end(ended)
    running = fragile.create_job(*cargo.LONG[:2])
    viewer = BackgroundViewer(f"{fragile.url}{running}/stream")
    fragile.wait_for_copying(running)
    fragile.redis.stop()
    try:
        until(lambda: not any(service.is_ready() for service in services), "all notice")
        assert_everything_is_refused_in_time(fragile, ended)
        return Outage(
            problems=[service.ask("/readyz").json()["problems"] for service in services],
            livez=[service.ask("/livez").status_code for service in services],
            dependency_up=[service.metric('dependency_up{dependency="redis"}') for service in services],
            running_path=running,
            viewer=viewer,
        )
    finally:
        fragile.redis.start()


def test_absent_redis_is_told_by_all_calls_in_time_and_readiness_says_why(outage: Outage) -> None:
    assert all(any("Redis does not answer" in sentence for sentence in told) for told in outage.problems)
    assert outage.livez == [200, 200]
    assert outage.dependency_up == [0, 0]


def test_open_stream_and_running_job_go_on_after_an_outage_as_if_nothing_had_been(
    fragile: System, outage: Outage
) -> None:
    frames = outage.viewer.wait_for_end()
    record = fragile.wait_for_end(outage.running_path)

    events = [{"id": frame.id, **frame.data} for frame in frames if frame.type != "heartbeat"]
    assert (record["status"], record["attempt"]) == ("completed", 1)
    assert events == fragile.log(outage.running_path)


def test_new_jobs_are_run_after_an_outage(fragile: System, outage: Outage) -> None:
    wait_for_recovery(fragile)

    assert fragile.wait_for_end(fragile.create_job(*cargo.MIXED))["status"] == "completed"
    assert all(
        service.metric('dependency_up{dependency="redis"}') == 1 for service in (*fragile.gateways, *fragile.processors)
    )


def test_run_that_ends_while_redis_is_away_becomes_visible_only_when_it_is_back(fragile: System) -> None:
    wait_for_recovery(fragile)
    path = fragile.create_job(*cargo.LONG[:1])
    directory = fragile.objects_dir / "bundles" / path.rpartition("/")[2]
    fragile.wait_for_copying(path)

    fragile.redis.stop()
    try:
        size_bytes = len(cargo.LONG[0].content)
        until(
            lambda: [file for file in directory.iterdir() if file.stat().st_size > size_bytes],
            "the whole archive is written",
        )
        visible = [file.name for file in directory.iterdir() if file.suffix == ".zip"]
    finally:
        fragile.redis.start()

    assert visible == []
    assert fragile.wait_for_end(path)["status"] == "completed"
    assert fragile.types(path).count("completed") == 1
    assert fragile.get(f"{path}/file").status_code == 200


def test_processes_that_start_without_redis_wait_for_it(fragile: System) -> None:
    fragile.redis.stop()
    try:
        late = {kind: fragile.start(kind) for kind in ("gateway", "processor")}
        for service in late.values():
            until(service.is_alive_and_unready, "it says that it is not ready")
    finally:
        fragile.redis.start()

    for kind, service in late.items():
        service.wait_until_ready()
        service.terminate()
        assert service.exit_code() == 0
        assert service.log_lines()[-1]["event"] == f"{kind} stopped"


def test_processor_that_is_stopped_while_redis_is_silent_ends_and_its_job_is_finished_by_another(
    tmp_path: Path,
) -> None:
    no_drain = {"WAYBILL_STOP_GRACE_SECONDS": str(limits.STOP_MARGIN_SECONDS)}
    with System(tmp_path, gateways=1, processors=1, settings=QUICK_LEASE | no_drain) as system:
        path = system.create_job(*cargo.LONG[:1])
        system.wait_for_copying(path)

        with frozen(system.redis):
            system.processors[0].terminate()
            exit_code = system.processors[0].exit_code()
        system.start("processor")

        assert exit_code == 0
        assert system.wait_for_end(path)["status"] == "completed"
        assert system.types(path).count("completed") == 1
