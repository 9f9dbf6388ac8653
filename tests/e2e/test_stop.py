"""How processes end: told to, or because they cannot run like this. Viewers come back elsewhere, nobody waits."""

import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deploy.local.resp import ask
from shared.jobstore import keys
from tests.support import cargo
from tests.support.local_http import local_client
from tests.support.service import Service, environment
from tests.support.system import System
from tests.support.viewer import BackgroundViewer
from tests.support.waiting import PATIENCE_SECONDS

VIEWERS = 10
SMALL_BUFFER_BYTES = 4_096


@pytest.fixture
def leaver(system: System) -> Service:
    """One more gateway of the shared system, to be stopped."""
    started = system.start("gateway")
    started.wait_until_ready()
    return started


# ── told to ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_streams_of_a_gateway_that_stops_end_with_busy_and_go_on_at_another_one(
    system: System, leaver: Service
) -> None:
    path = system.create_job(*cargo.LONG[:2])
    with ThreadPoolExecutor(VIEWERS) as pool:
        viewers = list(pool.map(lambda _: BackgroundViewer(f"{leaver.url}{path}/stream"), range(VIEWERS)))
    system.wait_for_copying(path)

    leaver.terminate()
    before = [viewer.wait_for_end() for viewer in viewers]
    exit_code = leaver.exit_code()

    goodbyes = [frames[-1] for frames in before]
    assert exit_code == 0
    assert {(goodbye.type, goodbye.data["reason"], goodbye.id) for goodbye in goodbyes} == {("busy", "drain", None)}
    # Each is told another time, so that they do not come back as one.
    assert len({goodbye.retry_ms for goodbye in goodbyes}) > 1
    for seen in before:
        events = [frame for frame in seen if frame.id]
        later = BackgroundViewer(f"{system.url}{path}/stream", last_event_id=str(events[-1].id))
        events += [frame for frame in later.wait_for_end() if frame.id]
        assert [{"id": frame.id, **frame.data} for frame in events] == system.log(path)


def test_idle_and_stalled_connections_do_not_keep_a_gateway_from_stopping(system: System, leaver: Service) -> None:
    path = system.create_job(cargo.LONG[0])
    system.wait_for_end(path)
    with socket.socket() as stalled, socket.socket() as idle, local_client() as kept_alive:
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER_BYTES)
        for connection in (stalled, idle):
            connection.settimeout(PATIENCE_SECONDS)
            connection.connect(("127.0.0.1", int(leaver.settings["WAYBILL_PORT"])))
        stalled.sendall(f"GET {path}/file HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        head = stalled.recv(12)
        kept_alive.get(leaver.url + path)

        leaver.terminate()
        exit_code = leaver.exit_code()

    assert head == b"HTTP/1.1 200"
    assert exit_code == 0


# ── cannot run like this ──────────────────────────────────────────────────────────────────────────────────────────────


def refusal(system: System, module: str, **settings: str) -> list[str]:
    """Start a process that must refuse to run, with exit code 2; give its lines."""
    ended = subprocess.run(
        [sys.executable, "-m", module],
        env=environment(system.settings_of_a_service(**settings)),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    assert ended.stdout == ""
    assert ended.returncode == 2, ended.stderr
    return [line for line in ended.stderr.splitlines() if not line.startswith("{")]


@pytest.mark.parametrize(
    ("module", "wrong"),
    [
        ("gateway", {"WAYBILL_PORT": "http", "WAYBILL_PARTITIONS": "0", "REDIS_URL": "localhost:6379"}),
        ("gateway", {"WAYBILL_HOST": "0.0.0.0"}),
        ("gateway", {"WAYBILL_HOST": "a host", "WAYBILL_DRAIN_SECONDS": "-1", "WAYBILL_LOG_LEVEL": "loud"}),
        ("processor", {"WAYBILL_SLOTS": "0", "WAYBILL_LEASE_MS": "15s", "WAYBILL_ADMIN_PORT": "70000"}),
        ("processor", {"WAYBILL_LEASE_MS": "1000", "WAYBILL_RENEW_EVERY_MS": "900"}),
    ],
)
def test_wrong_settings_are_told_in_one_line_for_each_variable(
    system: System, module: str, wrong: dict[str, str]
) -> None:
    lines = refusal(system, module, **wrong)

    if "WAYBILL_RENEW_EVERY_MS" in wrong or wrong == {"WAYBILL_HOST": "0.0.0.0"}:
        [line] = lines
        assert all(f"{variable}={text}" in line for variable, text in wrong.items())
    else:
        assert len(lines) == len(wrong)
        for variable, text in wrong.items():
            [line] = [line for line in lines if variable in line]
            assert line.startswith(f"{module}: {variable}={text!r}: ")
            assert f"Example: {variable}=" in line


@pytest.mark.parametrize("module", ["gateway", "processor"])
def test_catalogue_that_is_not_there_is_told_in_one_line(system: System, module: str) -> None:
    [line] = refusal(system, module, WAYBILL_CATALOGUE="/nowhere/catalogue.jsonl")

    assert "/nowhere/catalogue.jsonl" in line


def test_port_in_use_is_told_in_one_line(system: System) -> None:
    [line] = refusal(system, "gateway", WAYBILL_PORT=system.gateways[0].settings["WAYBILL_PORT"])

    assert "WAYBILL_PORT" in line


@pytest.mark.parametrize("module", ["gateway", "processor"])
def test_admin_port_in_use_is_told_in_one_line(system: System, module: str) -> None:
    [line] = refusal(system, module, WAYBILL_ADMIN_PORT=system.gateways[0].settings["WAYBILL_ADMIN_PORT"])

    assert "WAYBILL_ADMIN_PORT" in line


def test_fewer_partitions_than_redis_holds_are_told_in_one_line(tmp_path: Path) -> None:
    with System(tmp_path, gateways=0, processors=0) as system:
        ask(system.redis.port, "SET", keys.PARTITIONS, "4")
        for module in ("gateway", "processor"):
            [line] = refusal(system, module, WAYBILL_PARTITIONS="2")
            assert "WAYBILL_PARTITIONS=2" in line
