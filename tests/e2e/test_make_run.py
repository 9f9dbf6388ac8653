"""The one command of the README, as a new user runs it: it comes up, its curl lines work, Ctrl-C leaves nothing."""

import contextlib
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deploy.local.samples import SAMPLES
from shared import limits
from tests.support.local_http import local_client
from tests.support.ports import free_ports
from tests.support.service import environment
from tests.support.tools import require_tool
from tests.support.waiting import PATIENCE_SECONDS, until


class LocalRun:
    """`python -m deploy.local`, which is all that `make run` adds to its environment."""

    def __init__(self, home: Path, output_path: Path, **variables: str) -> None:
        self.port, admin_port = _ports_in_a_row()
        self.url = f"http://127.0.0.1:{self.port}"
        self._output_path = output_path
        settings = {"WAYBILL_HOME": str(home), "PORT": str(self.port), "ADMIN_PORT": str(admin_port), **variables}
        with output_path.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "deploy.local"],
                env=environment({}) | settings,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_for_welcome(self) -> str:
        """Wait for the lines that it prints once everything is up, and give those to be pasted."""

        def pasted() -> list[str]:
            assert self.process.poll() is None, self._output()
            return re.findall(r"^  (export WAYBILL_URL=.*?\n)$", self._output(), re.MULTILINE | re.DOTALL)

        [lines] = until(pasted, "it says that it is up")
        return lines

    def interrupt(self) -> int:
        """Press Ctrl-C; give the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE_SECONDS)

    def _output(self) -> str:
        return self._output_path.read_text(encoding="utf-8")


def _ports_in_a_row() -> tuple[int, int]:
    """Give a port, and another one whose neighbour is free too."""
    while True:
        port, admin_port = free_ports(2)
        with contextlib.suppress(OSError):
            socket.create_server(("127.0.0.1", admin_port + 1)).close()
            if port != admin_port + 1:
                return port, admin_port


@contextlib.contextmanager
def local_run(home: Path, output_path: Path, **variables: str) -> Iterator[LocalRun]:
    """Start a run, and make sure that all of it is gone afterwards."""
    running = LocalRun(home, output_path, **variables)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.interrupt()
        for pid in processes_of(home):
            os.kill(pid, signal.SIGKILL)


def processes_of(home: Path) -> list[int]:
    """Find the processes that know this home from their environment, or work in it (Valkey overwrites the former)."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                is_inside = (entry / "cwd").resolve().is_relative_to(home)
                if is_inside or os.fsencode(home) in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for what is left over in /proc")
def test_first_start_paste_interrupt_and_second_start_with_the_data_of_the_first(tmp_path: Path) -> None:
    home, shell_dir = tmp_path / "home", tmp_path / "shell"
    shell_dir.mkdir()
    # The lines are for the directory of the tree.
    shell_dir.joinpath(".venv").symlink_to(sys.prefix)

    with local_run(home, tmp_path / "first.log") as first:
        lines = first.wait_for_welcome()
        pasted = subprocess.run(
            [require_tool("bash"), "-eu"],
            input=f'{lines}\necho "JOB IS $JOB"\n',
            cwd=shell_dir,
            env=environment({"no_proxy": "*"}),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )
        listed = as_operator(home, "dead-letters", "list", REDIS_URL="redis://127.0.0.1:1/0")
        examined = as_operator(home, "doctor", "--json")
        key = as_operator(home, "keys", "create", "--owner", "anna")
        running = processes_of(home)
        exit_code = first.interrupt()
        left_over = processes_of(home)

    assert pasted.returncode == 0, pasted.stderr
    assert "curl:" not in pasted.stderr  # its progress meter may be there
    assert '"type":"completed"' in pasted.stdout
    assert_bundle_of_the_first_samples(shell_dir / "bundle.zip")
    assert len(list(shell_dir.glob("*.zip"))) == 2  # one by the command
    assert listed.returncode == 0, listed
    which, counted = listed.stderr.splitlines()
    assert re.fullmatch(
        r"waybill: on redis://\S+\. It is that of the make run in \S+\. REDIS_URL is passed over; .*", which
    )
    assert counted == "0 dead letters"
    assert re.fullmatch(r"wb_\w+\n", key.stdout), key
    standing = {check["name"]: check["standing"] for check in json.loads(examined.stdout)["checks"]}
    assert (examined.returncode, standing.pop("memory"), set(standing.values())) == (0, "note", {"ok"}), examined
    assert len(running) >= 4  # itself, Valkey, the gateway, the processor
    assert exit_code == 0
    assert left_over == []

    [job_id] = re.findall(r"JOB IS (\S+)", pasted.stdout)
    with local_run(home, tmp_path / "second.log") as second:
        second.wait_for_welcome()
        path = f"{second.url}/v1/download/jobs/{job_id}"
        with local_client() as client:
            record = client.get(path).json()
            archive = client.get(f"{path}/file").content
        exit_code = second.interrupt()

    assert record["status"] == "completed"
    assert archive == (shell_dir / "bundle.zip").read_bytes()
    assert exit_code == 0
    assert processes_of(home) == []
    too_late = as_operator(home, "dead-letters", "list")
    assert too_late.returncode == 2
    assert too_late.stderr.startswith(f"waybill: No make run is up in {home}. ")
    elsewhere = as_operator(home, "dead-letters", "discard", "--all", "--yes", REDIS_URL="redis://127.0.0.1:1/0")
    assert elsewhere.returncode == 2
    assert "changes something: it is not done on redis://127.0.0.1:1/0" in elsewhere.stderr


def test_a_run_that_asks_who_calls_gives_tickets_which_open_after_the_next_start(tmp_path: Path) -> None:
    home, jobs = tmp_path / "home", "/v1/download/jobs"
    with local_run(home, tmp_path / "first.log", WAYBILL_AUTH="keys") as first, local_client() as client:
        lines = first.wait_for_welcome()
        key = as_operator(home, "keys", "create", "--owner", "anna").stdout.strip()
        body = {"file_ids": [SAMPLES[0].file_id], "ticket": True}
        answer = client.post(f"{first.url}{jobs}", json=body, headers={"authorization": f"Bearer {key}"})
        link = answer.json()["status_url"]
        refused, shown = client.get(f"{first.url}{jobs}"), client.get(first.url + link)
        first.interrupt()

    with local_run(home, tmp_path / "second.log", WAYBILL_AUTH="keys") as second, local_client() as client:
        second.wait_for_welcome()
        later = client.get(second.url + link)

    assert "export WAYBILL_API_KEY=$(make" in lines
    assert "ticket=" in link
    assert (refused.status_code, shown.status_code, later.status_code) == (401, 200, 200)
    assert (home / "ticket-secret").stat().st_mode & 0o077 == 0


def test_ctrl_c_is_not_kept_waiting_by_a_job_that_runs(tmp_path: Path) -> None:
    slow = "0.1"  # megabytes a second: the job takes longer than anybody waits
    with local_run(tmp_path / "home", tmp_path / "run.log", RATE=slow) as running, local_client() as client:
        running.wait_for_welcome()
        files = [sample.file_id for sample in SAMPLES]
        job = client.post(f"{running.url}/v1/download/jobs", json={"file_ids": files}).json()["job_id"]
        url = f"{running.url}/v1/download/jobs/{job}"
        until(lambda: client.get(url).json()["bytes_processed"] > 0, "the job runs")

        began = time.monotonic()
        exit_code = running.interrupt()
        took_seconds = time.monotonic() - began

    assert exit_code == 0
    assert took_seconds < limits.STOP_MARGIN_SECONDS / 2, "it waits for the job, or for handing it back"
    assert "job released" in (tmp_path / "run.log").read_text(encoding="utf-8")


def test_the_page_is_built_on_the_side_and_shown_without_a_restart(tmp_path: Path) -> None:
    require_tool("npm")

    with local_run(tmp_path / "home", tmp_path / "run.log") as running, local_client() as client:
        running.wait_for_welcome()
        page = until(lambda: shown_page(client, running.url), "the page is built")
        [script] = re.findall(r'src="(/assets/[^"]+)"', page)
        answer = client.get(running.url + script)

    assert answer.headers["content-type"].startswith("text/javascript")
    assert "immutable" in answer.headers["cache-control"]


def shown_page(client: httpx.Client, url: str) -> str:
    """Give the page; "" while the plain one stands for it."""
    text = client.get(url).text
    return text if 'id="root"' in text else ""


def as_operator(home: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Do what `make operate ARGS='…'` and `make dead-letters ARGS=list` do."""
    return subprocess.run(
        [sys.executable, "-m", "deploy.local", *arguments],
        env=environment({}) | {"WAYBILL_HOME": str(home), **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )


def assert_bundle_of_the_first_samples(path: Path) -> None:
    """Compare names and sizes; the bytes are checked by their CRC."""
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as bundle:
        assert bundle.testzip() is None
        assert [(entry.filename, entry.file_size) for entry in bundle.infolist()] == [
            (sample.name, sample.size_bytes) for sample in SAMPLES[:3]
        ]
