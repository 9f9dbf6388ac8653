"""One trace for one job, as a collector sees it: real processes, real OTLP."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support import cargo
from tests.support.api_keys import new_api_key
from tests.support.collector import CollectedSpan, Collector
from tests.support.ports import free_ports
from tests.support.receiver import Receiver
from tests.support.system import CALLBACKS_TO_LOOPBACK, JOBS, System
from tests.support.waiting import until

SOON = {"OTEL_BSP_SCHEDULE_DELAY": "50"}
NOT_BY_ITSELF = {"OTEL_BSP_SCHEDULE_DELAY": "3600000"}
CALLERS = "0af7651916cd43dd8448eb211c80319c"
CALLERS_SPAN = "b7ad6b7169203331"

FAILS = """
async def handle(job, context):
    if job.attempt == 1:
        raise ValueError("hunter2")
    raise LookupError("hunter2, and for good")
"""


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector that listens."""
    with Collector() as listening:
        yield listening


def exporting_to(url: str, **settings: str) -> dict[str, str]:
    """Give the settings of processes whose spans go there."""
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": url} | SOON | settings


def job_id_of(path: str) -> str:
    """Give the id at the end of a job's path."""
    return path.rpartition("/")[2]


def test_one_job_is_one_trace_from_the_post_to_its_end(tmp_path: Path, collector: Collector) -> None:
    with System(tmp_path / "system", settings=exporting_to(collector.url)) as system:
        path = system.create_job(*cargo.MIXED)
        system.wait_for_end(path)
        (run,) = collector.wait_for("run", 1, job_id=job_id_of(path))
        lines = [line for line in system.processors[0].log_lines() if line.get("job_id") == job_id_of(path)]
        until(lambda: len(spans_of(collector, run.trace_id)) == 6, "the gateway's spans are there too")
    spans = {span.name: span for span in spans_of(collector, run.trace_id)}

    post, create = spans["POST /v1/download/jobs"], spans["create"]
    assert (post.service, post.kind, post.parent) == ("waybill-gateway", "SERVER", "")
    assert (create.service, create.kind, create.parent) == ("waybill-gateway", "PRODUCER", post.span_id)
    assert (run.service, run.kind, run.parent) == ("waybill-processor", "CONSUMER", create.span_id)
    assert run.links == (create.span_id,)
    assert {name: spans[name].parent for name in ("plan", "copy", "settle")} == dict.fromkeys(
        ("plan", "copy", "settle"), run.span_id
    )
    assert (run.attributes["attempt"], run.attributes["epoch"], run.attributes["outcome"]) == (1, 1, "finished")
    assert spans["copy"].attributes["files"] == len(cargo.MIXED)
    assert not any(span.has_failed for span in spans.values())
    assert {(line["trace_id"], line["event"]) for line in lines} == {
        (run.trace_id, "job started"),
        (run.trace_id, "job completed"),
    }
    assert lines[0]["span_id"] == run.span_id
    assert lines[1]["span_id"] == spans["settle"].span_id


def test_callback_is_in_the_trace_and_linked_to_the_run_that_ended_the_job(
    tmp_path: Path, collector: Collector
) -> None:
    with (
        Receiver() as receiver,
        System(tmp_path / "system", settings=exporting_to(collector.url) | CALLBACKS_TO_LOOPBACK) as system,
    ):
        path = system.create_job(*cargo.MIXED, callback_url=receiver.url)
        (received,) = receiver.wait_for(1)
        (callback,) = collector.wait_for("callback", 1, job_id=job_id_of(path))
        (run,) = collector.wait_for("run", 1, job_id=job_id_of(path))
        (create,) = until(lambda: collector.named("create", trace_id=run.trace_id), "the gateway's span is there")

    assert (callback.trace_id, callback.parent, callback.kind) == (run.trace_id, create.span_id, "CLIENT")
    assert callback.links == (create.span_id, run.span_id)
    assert (callback.attributes["attempt"], callback.attributes["outcome"]) == (1, "delivered")
    assert received.headers["traceparent"].startswith(f"00-{run.trace_id}-{callback.span_id}-")


def test_no_span_says_who_asked_for_what_and_those_who_may_not_make_none(tmp_path: Path, collector: Collector) -> None:
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "WAYBILL_AUTH": "keys"} | NOT_BY_ITSELF
    with (
        Receiver() as receiver,
        System(tmp_path / "system", settings=settings | CALLBACKS_TO_LOOPBACK) as system,
    ):
        api_key = new_api_key(system.redis.url, "acme-owner")
        refused = [system.post_job(*cargo.MIXED) for _ in range(3)]
        headers = {"Authorization": f"Bearer {api_key}"}
        said = {"callback_url": f"{receiver.url}/told-here", "archive_name": "closing-figures"}
        body = {"file_ids": cargo.ids_of(*cargo.MIXED), **said}
        created = httpx.post(system.url + JOBS, json=body, headers=headers)
        assert created.status_code == 202, created.text
        receiver.wait_for(1)
        stop_in_order(system)

    assert [one.status_code for one in refused] == [401] * 3
    assert len(collector.named("POST /v1/download/jobs")) == 1
    assert collector.named("callback")
    secrets = [api_key, "acme-owner", "closing-figures", "told-here", cargo.MIXED[0].name]
    assert [one for one in secrets for text in collector.texts if one.encode() in text] == []


def spans_of(collector: Collector, trace_id: str) -> list[CollectedSpan]:
    """Give the spans of a trace that have arrived."""
    return [span for span in list(collector.spans) if span.trace_id == trace_id]


def test_retry_is_in_the_same_trace_and_linked_to_the_first_attempt(tmp_path: Path, collector: Collector) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "failing.py").write_text(FAILS, encoding="utf-8")
    settings = exporting_to(collector.url, WAYBILL_RETRY_BASE_MS="1", WAYBILL_MAX_FAILURES="2")
    with System(tmp_path / "system", processors=0, settings=settings) as system:
        system.start("processor", WAYBILL_HANDLER="failing:handle", PYTHONPATH=str(code))
        path = system.create_job(*cargo.MIXED)
        system.wait_for_end(path)
        runs = collector.wait_for("run", 2, job_id=job_id_of(path))
        first, second = sorted(runs, key=lambda run: str(run.attributes["attempt"]))
        until(lambda: len(collector.named("settle", trace_id=first.trace_id)) == 2, "both ends are told")

    settlements = collector.named("settle", trace_id=first.trace_id)
    (create,) = collector.named("create", trace_id=first.trace_id)
    assert first.trace_id == second.trace_id == create.trace_id
    assert first.parent == second.parent == create.span_id
    assert first.links == (create.span_id,)
    assert second.links == (create.span_id, first.span_id)
    assert (first.attributes["attempt"], second.attributes["attempt"]) == (1, 2)
    assert {span.parent: span.attributes["run.error"] for span in settlements} == {
        first.span_id: "ValueError",
        second.span_id: "LookupError",
    }
    assert not any(b"hunter2" in text for text in collector.texts), "texts of errors may hold what callers sent"


@pytest.mark.parametrize("flag", ["00", "01"])
def test_caller_gives_the_trace_and_not_the_decision_to_record_it(
    tmp_path: Path, collector: Collector, flag: str
) -> None:
    headers = {"traceparent": f"00-{CALLERS}-{CALLERS_SPAN}-{flag}"}
    for ratio, wanted in (("1", 1), ("0", 0)):
        home = tmp_path / f"ratio-{ratio}"
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "WAYBILL_TRACE_RATIO": ratio} | NOT_BY_ITSELF
        with System(home, settings=settings) as system:
            system.wait_for_end(system.create_job(*cargo.MIXED, headers=headers))
            stop_in_order(system)

        assert len(collector.named("POST /v1/download/jobs")) == wanted
        assert len(collector.named("run")) == wanted
        assert {span.trace_id for span in collector.spans} <= {CALLERS}
        assert {span.parent for span in collector.named("POST /v1/download/jobs")} <= {CALLERS_SPAN}
        collector.spans.clear()


def stop_in_order(system: System) -> None:
    """Ask every process to end, and wait for it: what they have left to tell they tell now."""
    for service in system.services:
        service.terminate()
    assert [service.exit_code() for service in system.services] == [0] * len(system.services)


@pytest.mark.parametrize(
    "headers",
    [
        [("traceparent", f"00-{CALLERS}-{CALLERS_SPAN}")],
        [("traceparent", f"00-{'0' * 32}-{CALLERS_SPAN}-01")],
        [("traceparent", f"00-{CALLERS}-{CALLERS_SPAN}-01"), ("traceparent", f"00-{CALLERS}-{CALLERS_SPAN}-01")],
        [("traceparent", "ff-" + "x" * 4_000)],
    ],
    ids=["short", "no trace", "twice", "nonsense"],
)
def test_traceparent_that_counts_as_none_leaves_the_job_a_trace_of_its_own(
    system: System, headers: list[tuple[str, str]]
) -> None:
    response = httpx.post(system.url + JOBS, json={"file_ids": [cargo.MIXED[0].file_id]}, headers=headers)
    path = response.headers["location"]

    created = next(line for line in system.gateways[0].log_lines() if line.get("job_id") == job_id_of(path))

    assert len(created["trace_id"]) == 32
    assert created["trace_id"] != CALLERS


def test_collector_that_is_away_costs_one_log_line(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    settings = exporting_to(f"http://user:hunter2@127.0.0.1:{port}", OTEL_EXPORTER_OTLP_TIMEOUT="1")
    with System(tmp_path / "system", settings=settings) as system:
        gateway = system.gateways[0]
        for _ in range(2):
            system.wait_for_end(system.create_job(*cargo.MIXED[:1]))
            until(lambda: logged(system).count("traces cannot be exported") == 2, "both miss the collector")
        with Collector(port=port) as collector:
            path = system.create_job(*cargo.MIXED[:1])
            collector.wait_for("run", 1, job_id=job_id_of(path))
            until(lambda: logged(system).count("traces are exported again") == 2, "both have it back")
        lost = gateway.metric("trace_spans_lost_total", reason="not_taken")
        stop_in_order(system)

        events = logged(system)
        text = "".join(service.log_path.read_text(encoding="utf-8") for service in system.services)
    lines = [line for line in gateway.log_lines() if line["event"] == "traces cannot be exported"]
    assert 1 <= len(lines) <= 2, "once for each time that it was away"
    assert lines[0]["endpoint"] == f"http://user:***@127.0.0.1:{port}"
    assert lines[0]["trouble"]
    assert lost > 0
    assert "hunter2" not in text
    assert [event for event in events if event.startswith("Failed") or "urllib3" in event] == []


def test_stop_does_not_wait_for_a_collector_that_never_answers(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{silent.getsockname()[1]}"} | NOT_BY_ITSELF
        with System(tmp_path / "system", settings=settings) as system:
            system.wait_for_end(system.create_job(*cargo.MIXED[:1]))
            stopping_since = time.monotonic()
            stop_in_order(system)
            took_seconds = time.monotonic() - stopping_since

    assert took_seconds < 8, "the exporter itself would wait for ten seconds, and the SDK for thirty"


def logged(system: System) -> list[str]:
    """Give the events of all processes' log lines."""
    return [line["event"] for service in system.services for line in service.log_lines()]
