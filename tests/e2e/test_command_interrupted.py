"""The waybill command while gateways restart and networks are slow, and on a terminal."""

import contextlib
import json
import os
import pty
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import cargo
from tests.support.proxy import Fault, FaultProxy
from tests.support.system import System
from tests.support.waiting import until
from tests.support.waybill_command import WaybillCommand

LONG_IDS = cargo.ids_of(*cargo.LONG[:3])
SLOW = Fault(bytes_per_second=400_000)
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system of this module's own, whose gateway dies now and then."""
    with System(tmp_path_factory.mktemp("own")) as running:
        yield running


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    (directory := tmp_path / "here").mkdir()
    return directory


def restart_gateway(system: System) -> None:
    """Let the gateway die, and another one take its address."""
    old = system.gateways[0]
    old.kill()
    new = system.start("gateway", WAYBILL_PORT=old.settings["WAYBILL_PORT"])
    new.wait_until_ready()
    system.gateways[0] = new


def test_a_gateway_that_is_restarted_while_a_job_is_watched_costs_nothing(own: System, elsewhere: Path) -> None:
    command = WaybillCommand(own.url, elsewhere)
    with command.start("get", *LONG_IDS, "-o", "a.zip") as started:
        started.told("Bundling")

        restart_gateway(own)
        code, said, _ = started.end()

    assert (code, said) == (0, "a.zip\n")
    assert [path.name for path in elsewhere.iterdir()] == ["a.zip"]


def test_a_gateway_that_is_restarted_while_an_archive_comes_is_asked_for_the_rest(own: System, elsewhere: Path) -> None:
    path = own.create_job(*cargo.LONG[:3])
    own.wait_for_end(path)
    with FaultProxy(own.gateways[0].port, deal=lambda _: SLOW).in_thread() as proxy:
        command = WaybillCommand(f"http://127.0.0.1:{proxy.port}", elsewhere)
        with command.start("get", "--job", path.rpartition("/")[2], "-o", "a.zip") as started:
            part = elsewhere / "a.zip.part"
            until(lambda: part.exists() and part.stat().st_size > 300_000, "a part has come")

            restart_gateway(own)
            sizes = [part.stat().st_size]
            while started.process.poll() is None:
                with contextlib.suppress(FileNotFoundError):  # it has its name by now
                    sizes.append(part.stat().st_size)

        assert started.process.returncode == 0
        assert (elsewhere / "a.zip").read_bytes() == own.archive(path)
        assert sizes[0] > 300_000
        assert sizes == sorted(sizes)


def on_a_terminal(command: WaybillCommand, *words: object) -> tuple[int, str, str, float]:
    """Run it with stderr on a terminal; give its exit code, stdout, what the terminal was sent, and the seconds."""
    ours, theirs = pty.openpty()
    began = time.monotonic()
    with subprocess.Popen(
        command.line(*words), cwd=command.directory, env=dict(command.variables), stdout=subprocess.PIPE, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = b""
        with (
            contextlib.suppress(OSError),
            os.fdopen(ours, "rb", buffering=0) as terminal,
        ):  # EIO: nobody writes any more
            while piece := terminal.read(65_536):
                shown += piece
        assert process.stdout is not None
        said = process.stdout.read().decode()
        return process.wait(60), said, shown.decode(), time.monotonic() - began


def test_a_terminal_shows_one_line_that_lives(own: System, elsewhere: Path) -> None:
    command = WaybillCommand(own.url, elsewhere)

    code, said, shown, seconds = on_a_terminal(command, "get", *LONG_IDS[:2], "-o", "a.zip")

    plain = ESCAPE.sub("", shown)
    assert (code, said) == (0, "a.zip\n")
    assert "\x1b[" in shown
    assert re.search(r"Preparing .*% .*\d of 2 files, ", plain)
    assert "Downloading" in plain
    drawn = len(re.findall(r"Preparing|Downloading", plain))
    assert drawn <= 4 * seconds + 4


def test_a_pipe_gets_the_messages_while_a_terminal_shows_the_job(own: System, elsewhere: Path) -> None:
    command = WaybillCommand(own.url, elsewhere)
    job_id = command.run("submit", LONG_IDS[0]).stdout.strip()

    code, said, shown, _ = on_a_terminal(command, "watch", job_id, "--json")

    assert code == 0
    assert [json.loads(line)["job_id"] for line in said.splitlines()][-1] == job_id
    assert "{" not in shown
    assert "Prepared" in shown


def test_a_terminal_without_colour_is_sent_none(own: System, elsewhere: Path) -> None:
    command = WaybillCommand(own.url, elsewhere, NO_COLOR="1")

    _, _, shown, _ = on_a_terminal(command, "get", LONG_IDS[0], "-o", "a.zip")

    colours = re.findall(r"\x1b\[(?:3[0-7]|4[0-7]|9[0-7]|38|48)[;m]", shown)
    assert "Preparing" in shown
    assert colours == []


def test_without_progress_a_terminal_is_spoken_to_in_lines(own: System, elsewhere: Path) -> None:
    command = WaybillCommand(own.url, elsewhere)

    _, _, shown, _ = on_a_terminal(command, "get", LONG_IDS[0], "-o", "a.zip", "--no-progress")

    assert "\x1b" not in shown
    assert "Ready: 500 kB" in shown


def test_files_of_the_catalogue_are_listed(tmp_path: Path, elsewhere: Path) -> None:
    with System(tmp_path / "system", processors=0, settings={"WAYBILL_LIST_FILES": "true"}) as system:
        command = WaybillCommand(system.url, elsewhere)

        done, one = command.run("files", "leg"), command.run("files", "leg", "--json", "--limit", "1")

    assert done.returncode == 0
    assert done.stdout.splitlines()[0].split() == ["ID", "SIZE", "NAME"]
    assert len(done.stdout.splitlines()) == 1 + len(cargo.LONG)
    assert one.stdout.count('"file_id"') == 1
