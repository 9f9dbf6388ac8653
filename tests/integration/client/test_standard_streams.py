"""The command whose streams are not what they should be: full, closed, without a reader, or of another encoding."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.faulty_gateway import JOB_ID, FaultyGateway, answer
from tests.support.waybill_command import WaybillCommand

ARCHIVE = b"archive" * 1_000
FILES = {"files": [{"file_id": 1, "name": "航海…é", "size_bytes": 5}], "next_cursor": None}
ASCII = {"PYTHONIOENCODING": "ascii"}


@pytest.fixture
def faulty() -> Iterator[FaultyGateway]:
    with FaultyGateway(ARCHIVE) as running:
        running.answers["GET /v1/download/files"] = [lambda _: answer(FILES)]
        yield running


@pytest.fixture
def command(faulty: FaultyGateway, tmp_path: Path) -> WaybillCommand:
    return WaybillCommand(faulty.url, tmp_path)


def in_shell(command: WaybillCommand, redirected: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run it in a shell that redirects what it says."""
    return subprocess.run(
        ["/bin/sh", "-c", f'"$@" {redirected}', "sh", *command.line(*words)],
        cwd=command.directory,
        env=dict(command.variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_names_that_the_encoding_lacks_are_written_plainer(faulty: FaultyGateway, tmp_path: Path) -> None:
    command = WaybillCommand(faulty.url, tmp_path, **ASCII)

    table, shown = command.run("files"), command.run("files", "--json")

    assert (table.returncode, table.stderr) == (0, "")
    assert table.stdout.splitlines()[1].split() == ["1", "5", "B", "??...?"]
    assert json.loads(shown.stdout) == FILES["files"]


def test_what_is_said_meanwhile_is_written_plainer_too(faulty: FaultyGateway, tmp_path: Path) -> None:
    command = WaybillCommand(faulty.url, tmp_path, **ASCII)
    faulty.answers["GET /v1/download/jobs"] = [lambda _: answer({"jobs": [], "next_cursor": None})]

    done = command.run("doctor", "--job", JOB_ID, "--seconds", "1")

    assert "for 1 seconds ..." in done.stderr
    assert "\\u" not in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="names that are no text are refused elsewhere")
def test_a_path_that_is_no_text_is_printed_as_its_bytes(command: WaybillCommand) -> None:
    (command.directory / os.fsdecode(b"in\xff")).mkdir()

    got = subprocess.run(
        command.line("get", "--job", JOB_ID, "-o", os.fsdecode(b"in\xff/a.zip"), "-q"),
        cwd=command.directory,
        env=dict(command.variables),
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert (got.returncode, got.stdout, got.stderr) == (0, b"in\xff/a.zip\n", b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
@pytest.mark.parametrize("words", [["files"], ["files", "--json"], ["version"], ["get", "--job", JOB_ID, "-o", "-"]])
def test_a_full_disk_behind_stdout_exits_with_7(command: WaybillCommand, words: list[str]) -> None:
    done = in_shell(command, ">/dev/full", *words)

    assert done.returncode == 7
    assert "waybill: Standard output cannot be written: No space left on device." in done.stderr
    assert "Traceback" not in done.stderr


def test_without_stderr_nothing_is_said_on_stdout(command: WaybillCommand) -> None:
    done = in_shell(command, "2>&-", "get", "--job", JOB_ID, "-o", "a.zip")

    assert (done.returncode, done.stdout) == (0, "a.zip\n")


def test_without_stdout_the_work_is_done_all_the_same(command: WaybillCommand) -> None:
    done = in_shell(command, ">&-", "get", "--job", JOB_ID, "-o", "a.zip")

    assert done.returncode == 0
    assert (command.directory / "a.zip").read_bytes() == ARCHIVE


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
def test_a_full_log_does_not_end_a_download(command: WaybillCommand) -> None:
    done = in_shell(command, "2>/dev/full", "get", "--job", JOB_ID, "-o", "a.zip")

    assert (done.returncode, done.stdout) == (0, "a.zip\n")


def test_a_reader_of_the_talk_that_leaves_does_not_end_a_download(command: WaybillCommand) -> None:
    ours, theirs = os.pipe()
    os.close(ours)

    with os.fdopen(theirs, "wb", buffering=0) as unread:
        done = subprocess.run(
            command.line("get", "--job", JOB_ID, "-o", "a.zip"),
            cwd=command.directory,
            env=dict(command.variables),
            stdout=subprocess.PIPE,
            stderr=unread,
            timeout=60,
            check=False,
        )

    assert (done.returncode, done.stdout) == (0, b"a.zip\n")
