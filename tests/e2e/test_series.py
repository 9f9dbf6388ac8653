"""How many time series the processes have: a number that neither jobs nor anything that callers send can raise."""

import re
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.support import cargo
from tests.support.system import JOBS, System
from tests.support.viewer import BackgroundViewer
from tests.support.waiting import until

MANY = 1_000
METHODS = ("GET", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND", "HOSTILE")
PATHS = (
    "/", "/nothing", f"{JOBS}/", f"{JOBS}/x", f"{JOBS}/../../etc/passwd", f"{JOBS}/%2e%2e%2f", f"{JOBS}/\u00e9\u00e9",
    f"{JOBS}/' OR 1=1 --", f"{JOBS}?owner=mallory", "/v1/download/files?query=x", "/metrics", "/docs",
)  # fmt: skip

FIRST_WITH_A_VALUE = (
    "download_job_duration_seconds_count", "download_job_queue_wait_seconds_count", "sse_event_age_seconds_count",
    "download_estimate_error_ratio_count",
)  # fmt: skip


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system that has room for many jobs."""
    settings = {"WAYBILL_SLOTS": "64", "WAYBILL_COPY_RATE_BYTES_PER_SECOND": "0"}
    with System(tmp_path_factory.mktemp("busy"), settings=settings) as running:
        yield running


def series(system: System) -> set[str]:
    """Name the series of all processes, without those of Python's own collector."""
    lines = "\n".join(service.ask("/metrics").text for service in system.services).splitlines()
    return {line.rpartition(" ")[0] for line in lines if line and not line.startswith("#")}


def do_everything(system: System, salt: str) -> None:
    """Take a job through its life, and ask for whatever nobody offers; `salt` makes ids and paths of it."""
    path = system.create_job(*cargo.MIXED[:1], headers={"Idempotency-Key": f"key-{salt}", "X-Request-Id": salt})
    BackgroundViewer(f"{system.url}{path}/stream").wait_for_end()
    with httpx.Client(base_url=system.url) as http:
        for gone in ("", "/events", "/file", "/cancel", "/retry"):
            http.get(f"{path}{gone}")
            http.post(f"{path}{gone}")
        http.delete(path)
        for method in METHODS:
            for hostile in PATHS:
                http.request(method, hostile.replace("x", salt), headers={"User-Agent": salt, "traceparent": salt})


def warmed_up(system: System) -> set[str]:
    """Name the series once those are there that appear with their first value: what they measure takes some jobs."""
    salts = iter(range(MANY))

    def look() -> bool:
        do_everything(system, f"first-{next(salts)}")
        return set(FIRST_WITH_A_VALUE) <= series(system)

    until(look, "every histogram has a value")
    return series(system)


def test_a_thousand_jobs_and_hostile_paths_add_no_series(busy: System) -> None:
    before = warmed_up(busy)

    paths = busy.create_jobs(MANY, *cargo.MIXED[:1])
    for number in range(20):
        do_everything(busy, f"salt-{number}")
    until(lambda: busy.count_in_redis()[0] == 0, "all have ended")

    added = series(busy) - before
    assert added == set()
    assert len(paths) == MANY
    gateway = busy.gateways[0]
    assert gateway.metric("download_jobs_created_total") >= MANY
    assert gateway.metric("http_request_duration_seconds_count", call="create_job", status="2xx") >= MANY


def test_request_durations_are_by_call_and_without_streams_and_long_polls(busy: System) -> None:
    gateway = busy.gateways[0]
    path = busy.create_job(*cargo.MIXED[:1])
    BackgroundViewer(f"{busy.url}{path}/stream").wait_for_end()
    busy.get(path)
    before = gateway.metric("http_request_duration_seconds_count", call="read_job")
    text = gateway.ask("/metrics").text

    waited = busy.post_job(*cargo.MIXED[:1], headers={"Prefer": "wait=20"})
    busy.get(path)

    assert waited.headers["preference-applied"] == "wait=20"
    assert gateway.metric("http_request_duration_seconds_count", call="read_job") == before + 1
    assert not re.search(r'http_request_duration_seconds\w*\{[^}]*call="stream_job"', text)
    assert gateway.metric("http_answers_total", call="stream_job", status="2xx") >= 1
    created = gateway.metric("http_request_duration_seconds_count", call="create_job", status="2xx")
    assert created == gateway.metric("download_jobs_created_total") - 1, "the one that waited is left out"
    assert gateway.metric("sse_sent_bytes_total") > 0


def test_the_time_for_which_a_caller_uploads_a_body_is_in_no_duration(busy: System) -> None:
    gateway = busy.gateways[0]
    busy.create_job(*cargo.MIXED[:1])
    before = gateway.metric("http_request_duration_seconds_sum", call="create_job")

    def slowly() -> Iterator[bytes]:
        yield b'{"file_ids": '
        time.sleep(2)
        yield b"[%d]}" % cargo.MIXED[0].file_id

    created = httpx.post(f"{busy.url}{JOBS}", content=slowly(), headers={"Content-Type": "application/json"})

    assert created.status_code == 202
    assert gateway.metric("http_request_duration_seconds_sum", call="create_job") - before < 1.5


def test_bytes_of_archives_are_counted_where_they_go(busy: System) -> None:
    gateway, processor = busy.gateways[0], busy.processors[0]
    before = gateway.metric("download_archive_sent_bytes_total"), processor.metric("download_archive_bytes_total")

    path = busy.create_job(*cargo.MIXED)
    size_bytes = busy.wait_for_end(path)["archive_bytes"]
    archive = busy.archive(path)

    assert len(archive) == size_bytes
    until(lambda: processor.metric("download_archive_bytes_total") == before[1] + size_bytes, "the archive is counted")
    assert gateway.metric("download_archive_sent_bytes_total") == before[0] + size_bytes
