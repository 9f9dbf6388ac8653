"""A store that cannot be used is told by real processes within seconds of their start, and seen when it is mended."""

import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import cargo
from tests.support.s3_server import ACCESS_KEY, SECRET_KEY, S3Server, require_s3_server, running_server
from tests.support.service import Service
from tests.support.system import System
from tests.support.waiting import until

TOLD_WITHIN_SECONDS = 15.0  # a start under load takes some itself
STOPPED_WITHIN_SECONDS = 5.0  # less than any look at a store may take
UP = 'dependency_up{dependency="objects"}'


@pytest.fixture(scope="module")
def bucket_server() -> Iterator[S3Server]:
    """A real server that may be taken away."""
    with running_server(require_s3_server()) as server:
        yield server


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, bucket_server: S3Server) -> Iterator[System]:
    """A gateway whose bucket is not there yet, and processors when they are wanted."""
    settings = {
        "WAYBILL_OBJECTS_URL": f"s3://not-there-yet?endpoint={bucket_server.url}&style=path",
        "WAYBILL_OBJECTS_ACCESS_KEY_ID": ACCESS_KEY,
        "WAYBILL_OBJECTS_SECRET_ACCESS_KEY": SECRET_KEY,
    }
    with System(tmp_path_factory.mktemp("store-health"), processors=0, settings=settings) as running:
        yield running


def told_by(processor: Service) -> list[str]:
    """Wait for what /readyz says of the stores."""

    def problems() -> list[str]:
        if not processor.is_alive_and_unready():
            return []
        told: list[str] = processor.ask("/readyz").json()["problems"]
        return [problem for problem in told if "cannot be used" in problem]

    return until(problems, "/readyz tells of a store", within_seconds=TOLD_WITHIN_SECONDS)


def lines_about_stores(service: Service) -> list[dict[str, Any]]:
    """Give the log lines that say whether a store can be used."""
    return [line for line in service.log_lines() if line["event"].startswith("store can")]


def stop_in_time(service: Service) -> None:
    """End it by SIGTERM; no store may hold it up."""
    began = time.monotonic()
    service.terminate()
    assert service.exit_code() == 0
    assert time.monotonic() - began < STOPPED_WITHIN_SECONDS


def test_a_wrong_secret_is_told_by_its_variable_in_one_line_and_by_readiness(system: System) -> None:
    processor = system.start("processor", WAYBILL_OBJECTS_SECRET_ACCESS_KEY="a-wrong-one")

    [problem] = told_by(processor)

    assert problem.startswith("The store of objects cannot be used: The store does not accept the signature")
    assert "Check WAYBILL_OBJECTS_SECRET_ACCESS_KEY." in problem
    until(lambda: len(lines_about_stores(processor)) >= 2, "both stores were looked at")
    assert {line["store"]: line["event"] for line in lines_about_stores(processor)} == {
        "sources": "store can be used",
        "objects": "store cannot be used",
    }
    assert (processor.metric(UP), processor.metric('dependency_up{dependency="sources"}')) == (0, 1)
    text = processor.log_path.read_text()
    assert SECRET_KEY not in text
    assert "a-wrong-one" not in text
    stop_in_time(processor)


def test_a_missing_bucket_is_told_until_it_is_there_and_no_gateway_is_unready(
    system: System, bucket_server: S3Server
) -> None:
    gateway, processor = system.gateways[0], system.start("processor")
    [problem] = told_by(processor)
    until(lambda: f"{UP} 0.0" in gateway.ask("/metrics").text, "the gateway has noticed")

    assert "The bucket not-there-yet does not exist at http://127.0.0.1:" in problem
    assert gateway.is_ready()
    [line] = lines_about_stores(gateway)
    assert (line["level"], line["store"]) == ("error", "objects")
    bucket_server.client.create_bucket(Bucket="not-there-yet")
    processor.wait_until_ready()
    assert system.wait_for_end(system.create_job(cargo.MIXED[0]))["status"] == "completed"
    assert processor.metric(UP) == 1
    until(lambda: gateway.metric(UP) == 1, "the gateway has noticed that too")


def test_a_store_that_is_away_at_the_start_stops_nothing_and_is_waited_for(
    system: System, bucket_server: S3Server
) -> None:
    bucket_server.stop()
    try:
        processor = system.start("processor")
        [problem] = told_by(processor)
        unlucky = system.start("processor")
        told_by(unlucky)
        stop_in_time(unlucky)
    finally:
        bucket_server.start()

    assert f"The store at {bucket_server.url} could not look at the bucket not-there-yet" in problem
    processor.wait_until_ready()
    assert [line["event"] for line in lines_about_stores(processor) if line["store"] == "objects"] == [
        "store cannot be used",
        "store can be used",
    ]


def test_a_directory_of_sources_that_is_not_there_is_told(system: System, tmp_path: Path) -> None:
    processor = system.start("processor", WAYBILL_SOURCES_DIR=str(tmp_path / "nothing"))

    problems = told_by(processor)

    assert any(f"The directory {tmp_path}/nothing cannot be read" in problem for problem in problems)


def test_a_store_that_never_answers_delays_no_stop(system: System) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts in the kernel, and nobody reads
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        processor = system.start("processor", WAYBILL_OBJECTS_URL=f"s3://bucket?endpoint={address}&style=path")
        until(lambda: processor.is_alive_and_unready() and is_asked(silent), "it waits for the store's answer")

        stop_in_time(processor)


def is_asked(listener: socket.socket) -> bool:
    """Tell whether somebody has connected, without taking the connection."""
    return bool(select.select([listener], [], [], 0)[0])


def test_a_gateway_looks_at_the_sources_when_its_catalogue_asks_them(system: System) -> None:
    sources = 'dependency_up{dependency="sources"}'
    gateway = system.start("gateway", WAYBILL_CATALOGUE="template:files/{file_id}")

    gateway.wait_until_ready()
    until(lambda: f"{sources} 1.0" in gateway.ask("/metrics").text, "it has looked at the sources")
    assert sources not in system.gateways[0].ask("/metrics").text
