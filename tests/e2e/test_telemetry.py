"""What operators see: one log line for each change of a job, and metrics that keep the names they were promised."""

from collections.abc import Iterator

import pytest

from tests.support import cargo
from tests.support.service import Service
from tests.support.system import System
from tests.support.viewer import BackgroundViewer
from tests.support.waiting import until

WAITING = 3
GAUGES = (
    "download_queue_depth", "download_queue_oldest_age_seconds", "download_jobs_in_progress", "download_dead_letters",
    "dependency_up",
)  # fmt: skip
COUNTED_BY_GATEWAYS = (
    "download_jobs_created_total", 'sse_resumes_total{outcome="exact"}', "sse_event_age_seconds_count",
)  # fmt: skip
COUNTED_BY_PROCESSORS = (
    "download_jobs_completed_total", "download_job_duration_seconds_count", "download_job_duration_seconds_sum",
    "download_job_queue_wait_seconds_count",
)  # fmt: skip
ONE_FOR_EACH_JOB = (
    "download_jobs_created_total", 'sse_resumes_total{outcome="exact"}', "download_jobs_completed_total",
    "download_job_duration_seconds_count", "download_job_queue_wait_seconds_count",
)  # fmt: skip
STILL = ("download_jobs_failed_total", "download_reclaimed_total", "download_orphaned_uploads_aborted_total")


@pytest.fixture
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A gateway; a processor comes when it is wanted."""
    with System(tmp_path_factory.mktemp("watched"), processors=0) as running:
        yield running


def until_metric(service: Service, name: str, wanted: float) -> None:
    """Wait until a metric has a value; those about Redis are read every few seconds."""

    def is_reached() -> bool:
        service.wait_until_ready()
        return f"\n{name}" in service.ask("/metrics").text and service.metric(name) == wanted

    until(is_reached, f"{name} is {wanted:g}")


def watch_one_to_its_counted_end(system: System) -> None:
    """Run a job, watched, until its processor has counted it."""
    path = system.create_job(*cargo.LONG[:1])
    BackgroundViewer(f"{system.url}{path}/stream").wait_for_end()
    job_id = path.rpartition("/")[2]
    until(lambda: "job completed" in system.processors[0].events_logged_about(job_id), "the end is counted")


def test_backlog_is_measured_as_jobs_wait_and_run(watched: System) -> None:
    paths = [watched.create_job(*cargo.MIXED) for _ in range(WAITING)]
    while_waiting = watched.start("gateway")  # measures when it starts, and then every few seconds

    until_metric(while_waiting, "download_queue_depth", WAITING)
    assert while_waiting.metric("download_queue_oldest_age_seconds") > 0
    assert while_waiting.metric("download_jobs_in_progress") == 0

    watched.start("processor", WAYBILL_COPY_RATE_BYTES_PER_SECOND="1")
    for path in paths:
        watched.wait_for_status(path, "processing")
    while_running = watched.start("gateway")

    until_metric(while_running, "download_jobs_in_progress", WAITING)
    assert while_running.metric("download_queue_depth") == 0
    assert while_running.metric("download_queue_oldest_age_seconds") == 0


def test_metrics_have_their_promised_names_and_count_jobs_and_streams(system: System) -> None:
    gateway, processor = system.gateways[0], system.processors[0]
    counters = [(gateway, name) for name in COUNTED_BY_GATEWAYS] + [(processor, name) for name in COUNTED_BY_PROCESSORS]
    watch_one_to_its_counted_end(system)  # a histogram appears with its first value
    before = {name: service.metric(name) for service, name in counters}
    still_before = {name: processor.metric(name) for name in STILL}

    path = system.create_job(*cargo.LONG[:1])
    viewer = BackgroundViewer(f"{system.url}{path}/stream")
    assert gateway.metric("sse_connections_active") >= 1
    viewer.wait_for_end()

    for service, name in counters:
        until(lambda service=service, name=name: service.metric(name) > before[name], f"{name} counts")  # type: ignore[misc]
    until_metric(gateway, "sse_connections_active", 0)
    for name in ONE_FOR_EACH_JOB:
        service = gateway if name in COUNTED_BY_GATEWAYS else processor
        assert service.metric(name) == before[name] + 1, name
    assert {name: processor.metric(name) for name in STILL} == still_before
    for name in GAUGES:
        assert gateway.metric(name) >= 0
        assert processor.metric(name) >= 0


def test_each_change_of_a_job_is_one_line_with_its_id_and_one_trace_runs_through_them(system: System) -> None:
    gateway, processor = system.gateways[0], system.processors[0]
    path = system.create_job(*cargo.MIXED)
    job_id = path.rpartition("/")[2]
    system.wait_for_end(path)
    until(lambda: "job completed" in processor.events_logged_about(job_id), "the end is logged")

    lines = [line for service in (gateway, processor) for line in service.log_lines() if line.get("job_id") == job_id]

    assert [line["event"] for line in lines] == ["job created", "job started", "job completed"]
    assert [line["service"] for line in lines] == ["gateway", "processor", "processor"]
    assert {line["level"] for line in lines} == {"info"}
    assert all(line["timestamp"].endswith("Z") for line in lines)
    assert len({line["trace_id"] for line in lines}) == 1


def test_trace_of_the_caller_goes_on_in_the_processor(system: System) -> None:
    trace_id = "0af7651916cd43dd8448eb211c80319c"

    path = system.create_job(*cargo.MIXED, headers={"traceparent": f"00-{trace_id}-b7ad6b7169203331-01"})

    job_id = path.rpartition("/")[2]
    processor = system.processors[0]
    until(lambda: "job completed" in processor.events_logged_about(job_id), "the end is logged")
    lines = [line for line in processor.log_lines() if line.get("job_id") == job_id]
    assert {line["trace_id"] for line in lines} == {trace_id}


def test_admin_port_has_nothing_else(system: System) -> None:
    for service in (system.gateways[0], system.processors[0]):
        assert service.ask("/livez").json() == {"status": "alive"}
        assert service.ask("/readyz").json() == {"status": "ready", "problems": []}
        assert service.ask("/v1/download/jobs").status_code == 404
    assert system.get("/metrics").status_code == 404


def test_every_end_of_a_job_is_counted_once_by_whether_it_came_in_time(watched: System) -> None:
    gateway = watched.gateways[0]
    waiting = [watched.create_job(*cargo.MIXED[:1]) for _ in range(2)]
    watched.call("POST", f"{waiting[0]}/cancel")
    watched.call("DELETE", waiting[1])

    assert gateway.metric("download_jobs_ended_total", outcome="in_time") == 2

    lost, running, done = cargo.LONG[5], watched.create_job(*cargo.LONG[:4]), watched.create_job(*cargo.MIXED)
    failing = watched.create_job(lost)
    (watched.sources_dir / lost.key).unlink()
    processor = watched.start("processor")
    watched.wait_for_status(running, "processing")
    watched.call("POST", f"{running}/cancel")
    ended = [watched.wait_for_end(path)["status"] for path in (running, done, failing)]

    assert ended == ["cancelled", "completed", "failed"]
    until(lambda: processor.metric("download_jobs_ended_total") == 3, "each end is counted")
    assert processor.metric("download_jobs_ended_total", outcome="late") == 0
    assert processor.metric("download_jobs_failed_total", reason="permanent") == 1
    assert processor.metric("download_jobs_failed_total") == 1
    assert gateway.metric("download_jobs_ended_total") == 2
    assert gateway.metric("download_deadline_seconds") == processor.metric("download_deadline_seconds") == 3_600


def test_oldest_unfinished_job_and_the_fleet_are_measured(watched: System) -> None:
    watched.create_job(*cargo.LONG[:2])
    alone = watched.start("gateway")
    until_metric(alone, "download_processors", 0)
    assert alone.metric("download_slots_ready") == 0
    assert alone.metric("download_unfinished_oldest_age_seconds") > 0

    watched.start("processor", WAYBILL_COPY_RATE_BYTES_PER_SECOND="1")
    until_metric(watched.gateways[0], "download_queue_oldest_age_seconds", 0)
    until_metric(watched.gateways[0], "download_slots_ready", 4)

    assert watched.gateways[0].metric("download_slots") == 4
    assert watched.gateways[0].metric("download_processors") == 1
    assert watched.gateways[0].metric("download_unfinished_oldest_age_seconds") > 0, "it runs, and has not ended"
