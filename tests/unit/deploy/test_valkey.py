"""The embedded server, for real: it starts in both modes, keeps what it promises, and leaves nothing running."""

import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from deploy.local.errors import LocalSetupError
from deploy.local.resp import ServerRefusedError, ask
from deploy.local.valkey import SHIPPED_SETTINGS, EmbeddedValkey


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    """A server that keeps nothing."""
    with EmbeddedValkey(tmp_path / "a directory") as server:
        yield server


def wait_until_silent(port: int) -> None:
    """Returns once nobody answers on the port; fails after five seconds."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            ask(port, "PING")
        except ConnectionError:
            return
        time.sleep(0.01)
    pytest.fail(f"the server on port {port} still runs")


def test_server_answers_on_its_url_with_the_shipped_settings(valkey: EmbeddedValkey) -> None:
    assert valkey.url == f"redis://127.0.0.1:{valkey.port}/0"
    assert ask(valkey.port, "SET", "name", "zwölf") == "OK"
    assert ask(valkey.port, "GET", "name") == "zwölf"
    assert ask(valkey.port, "GET", "nobody") == ""
    with Redis.from_url(valkey.url, protocol=3, decode_responses=True) as client:
        assert client.config_get(*SHIPPED_SETTINGS, "appendonly") == {**SHIPPED_SETTINGS, "appendonly": "no"}


def test_server_without_durability_forgets_and_keeps_its_port(valkey: EmbeddedValkey) -> None:
    port = valkey.port
    ask(port, "SET", "name", "value")

    valkey.stop()
    wait_until_silent(port)
    valkey.start()

    assert valkey.port == port
    assert ask(port, "GET", "name") == ""


def test_durable_server_keeps_its_data_over_a_stop(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path, durable=True) as valkey:
        ask(valkey.port, "SET", "name", "value")

    with EmbeddedValkey(tmp_path, durable=True) as valkey:
        assert ask(valkey.port, "GET", "name") == "value"


def test_cluster_serves_every_slot_and_again_after_a_restart(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path, cluster=range(16_384)) as valkey:
        assert ask(valkey.port, "SET", "{1}a", "value") == "OK"
        assert ask(valkey.port, "SET", "{2}a", "value") == "OK"
        with pytest.raises(ServerRefusedError, match="CROSSSLOT"):
            ask(valkey.port, "EVAL", "return 1", "2", "{1}a", "{2}a")

        valkey.stop()
        valkey.start()

        assert "cluster_state:ok" in ask(valkey.port, "CLUSTER", "INFO")


def test_two_servers_run_side_by_side(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path / "one") as one, EmbeddedValkey(tmp_path / "two") as two:
        assert one.port != two.port


def test_killed_server_can_be_started_again(valkey: EmbeddedValkey) -> None:
    valkey.kill()
    wait_until_silent(valkey.port)
    valkey.start()

    assert ask(valkey.port, "PING") == "PONG"


def test_failed_start_says_the_end_of_the_log_and_leaves_nothing_running(tmp_path: Path) -> None:
    valkey = EmbeddedValkey(tmp_path, settings={"maxmemory": "a lot"})

    with pytest.raises(LocalSetupError, match=r"(?s)ended at its start.*maxmemory"):
        valkey.start()

    with pytest.raises(AssertionError, match="not running"):
        _ = valkey.process


def test_port_of_somebody_else_is_not_taken_for_ours(tmp_path: Path, valkey: EmbeddedValkey) -> None:
    with pytest.raises(LocalSetupError, match="Address already in use"):
        EmbeddedValkey(tmp_path / "other", port=valkey.port).start()


def test_paused_server_is_killed_by_stop(valkey: EmbeddedValkey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.local.valkey.STOP_DEADLINE_SECONDS", 0.1)
    valkey.process.send_signal(signal.SIGSTOP)

    valkey.stop()

    wait_until_silent(valkey.port)


@pytest.mark.skipif(sys.platform != "linux", reason="the death signal is Linux's own")
def test_server_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    parent = textwrap.dedent(f"""
        import sys, time
        from pathlib import Path
        from deploy.local.valkey import EmbeddedValkey
        print(EmbeddedValkey(Path({str(tmp_path)!r})).start().port, flush=True)
        time.sleep(60)
    """)
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        process.kill()

    wait_until_silent(port)


def test_silence_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.local.resp.CONNECT_AND_REPLY_TIMEOUT_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(OSError, match="timed out"):
            ask(port, "PING")
