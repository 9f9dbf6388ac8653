"""Readiness and the end of children, with a real socket and real processes; and the printed lines."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from deploy.local.errors import LocalSetupError
from deploy.local.options import Options
from deploy.local.supervise import refuse_ended, why_not_ready
from deploy.local.valkey import free_port
from deploy.local.welcome import welcome

OPTIONS = Options(Path("/data/w"), 8000, 9000, redis_url=None, copy_rate_bytes_per_second=None)


@contextmanager
def admin_port_answering(status: int, body: bytes) -> Iterator[int]:
    """A port on which every GET is answered so."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_process_that_says_so_is_ready() -> None:
    with admin_port_answering(200, b"{}") as port:
        assert why_not_ready(port) is None


def test_process_that_is_not_ready_gives_its_own_reason() -> None:
    with admin_port_answering(503, b'{"redis":"down"}') as port:
        assert why_not_ready(port) == '/readyz answers 503 {"redis":"down"}'


def test_process_that_does_not_listen_is_not_ready() -> None:
    assert "does not answer" in (why_not_ready(free_port()) or "")


def test_ended_child_is_named_with_its_exit_code() -> None:
    ended = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
    ended.wait()

    with pytest.raises(LocalSetupError, match=r"^The processor ended by itself \(exit code 3\)"):
        refuse_ended({"processor": ended})


def test_killed_child_is_named_with_the_signal_and_a_running_one_is_not() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    refuse_ended({"gateway": child})

    child.kill()
    child.communicate()

    with pytest.raises(LocalSetupError, match="SIGKILL"):
        refuse_ended({"gateway": child})


def pasted_lines(options: Options) -> str:
    """What is printed to be pasted."""
    return welcome(options, "redis://127.0.0.1:6379/0").partition("in this directory:\n")[2]


def test_the_command_is_told_the_address_where_it_is_not_the_default_one() -> None:
    assert "\n  export WAYBILL_URL=http://127.0.0.1:8000\n" in pasted_lines(OPTIONS)
    assert "WAYBILL_URL" not in pasted_lines(OPTIONS._replace(port=8080))


def test_printed_lines_have_a_key_where_one_is_asked_for(tmp_path: Path) -> None:
    for name, script in {"make": "echo wb_made", "curl": 'echo "$*" >> "$CALLS"'}.items():
        tmp_path.joinpath(name).write_text(f"#!/bin/sh\n{script}\n")
        tmp_path.joinpath(name).chmod(0o755)
    calls = tmp_path / "calls"

    subprocess.run(
        ["bash", "-c", pasted_lines(OPTIONS._replace(auth="keys,jwt"))],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "CALLS": str(calls)},
        cwd=tmp_path,
        check=False,
        capture_output=True,
    )

    made = calls.read_text().splitlines()
    assert len(made) == 5
    assert all(" -H Authorization: Bearer wb_made " in f"{line} " for line in made)
    assert "Authorization" not in pasted_lines(OPTIONS)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (
            OPTIONS._replace(auth="keys", home_given="o t"),
            "$(make WAYBILL_HOME='o t' -s keys ARGS='create --owner anna')",
        ),
        (
            OPTIONS._replace(auth="keys", redis_url="redis://a"),
            "$(.venv/bin/python -m gateway keys create --owner anna)",
        ),
        (OPTIONS._replace(auth="jwt"), "…   # a token of your issuer"),
    ],
    ids=["another home", "another Redis", "tokens alone"],
)
def test_it_is_said_where_the_key_comes_from(options: Options, line: str) -> None:
    assert f"\n  export WAYBILL_API_KEY={line}" in pasted_lines(options)


def test_printed_lines_are_a_shell_script_that_takes_the_job_id_out(tmp_path: Path) -> None:
    script = pasted_lines(OPTIONS)
    curl = tmp_path / "curl"
    curl.write_text(
        '#!/bin/sh\necho "curl $*" >> "$CALLS"\necho \'{"status": "queued","job_id": "0199-ab","x":"y"}\'\n'
    )
    curl.chmod(0o755)
    calls = tmp_path / "calls"

    subprocess.run(
        ["bash", "-eu", "-c", script],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "CALLS": str(calls)},
        cwd=tmp_path,
        check=False,
        capture_output=True,
    )

    made = calls.read_text().splitlines()
    jobs = "http://127.0.0.1:8000/v1/download/jobs"
    assert made[0] == f'curl -s {jobs} -H Content-Type: application/json -d {{"file_ids":[70000,70001,70002]}}'
    assert made[1] == f"curl -N {jobs}/0199-ab/stream"
    assert made[2] == f"curl -s {jobs}/0199-ab"
    assert made[3] == f"curl -N {jobs}/0199-ab/stream?last_event_id=0-0"
    assert made[4].endswith(f"{jobs}/0199-ab/file")
