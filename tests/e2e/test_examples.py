"""The examples of docs/examples, run as their readers run them."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import cargo
from tests.support.api_keys import new_api_key
from tests.support.service import environment
from tests.support.system import System

EXAMPLES = Path(__file__).parents[2] / "docs/examples"
IDS = [str(file_id) for file_id in cargo.ids_of(*cargo.MIXED[:2])]
SHELL = ("sh", "fetch.sh")
PYTHON = (sys.executable, "fetch.py")
ASYNCHRONOUS = (sys.executable, "fetch_async.py")


def run(
    url: str, directory: Path, example: tuple[str, str], *words: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    if example is SHELL and shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    program, name = example
    return subprocess.run(
        [program, str(EXAMPLES / name), *words],
        cwd=directory,
        env=environment({"WAYBILL_URL": url, **variables}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("example", "words", "files"),
    [(SHELL, [",".join(IDS)], 1), (PYTHON, IDS, 1), (ASYNCHRONOUS, IDS, 2)],
    ids=["curl", "Python", "asyncio"],
)
def test_an_example_fetches_an_archive(
    system: System, tmp_path: Path, example: tuple[str, str], words: list[str], files: int
) -> None:
    done = run(system.url, tmp_path, example, *words)

    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("*.zip"))) == files


@pytest.mark.parametrize(
    ("example", "words"), [(SHELL, ["1"]), (PYTHON, ["1"]), (ASYNCHRONOUS, ["1"])], ids=["curl", "Python", "asyncio"]
)
def test_an_example_that_gets_no_archive_says_so_by_its_exit_code(
    system: System, tmp_path: Path, example: tuple[str, str], words: list[str]
) -> None:
    done = run(system.url, tmp_path, example, *words)

    assert done.returncode != 0
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system that asks who calls."""
    with System(tmp_path_factory.mktemp("guarded"), settings={"WAYBILL_AUTH": "keys"}) as running:
        yield running


@pytest.mark.parametrize("example", [SHELL, PYTHON, ASYNCHRONOUS], ids=["curl", "Python", "asyncio"])
def test_an_example_shows_the_key_of_its_environment(guarded: System, tmp_path: Path, example: tuple[str, str]) -> None:
    api_key = new_api_key(guarded.redis.url, "anna")

    refused = run(guarded.url, tmp_path, example, IDS[0])
    done = run(guarded.url, tmp_path, example, IDS[0], WAYBILL_API_KEY=api_key)

    assert (refused.returncode != 0, done.returncode) == (True, 0), done.stderr
    assert len(list(tmp_path.glob("*.zip"))) == 1
    assert api_key not in done.stdout + done.stderr


@pytest.mark.parametrize("example", [SHELL, PYTHON, ASYNCHRONOUS], ids=["curl", "Python", "asyncio"])
def test_an_example_without_a_file_says_how_it_is_called(tmp_path: Path, example: tuple[str, str]) -> None:
    done = run("http://127.0.0.1:1", tmp_path, example)

    assert done.returncode != 0
    assert done.stderr.startswith(f"Usage: {'sh' if example is SHELL else 'python'} {example[1]} 70000")
    assert "WAYBILL_URL" in done.stderr
    assert "WAYBILL_API_KEY" in done.stderr


def test_the_key_is_no_argument_of_curl(tmp_path: Path) -> None:
    told = tmp_path / "told"
    (tmp_path / "curl").write_text(f'#!/bin/sh\n{{ cat; printf "\\n%s " "$0" "$@"; }} >> {told}; exit 22\n')
    (tmp_path / "curl").chmod(0o755)

    run("http://127.0.0.1:1", tmp_path, SHELL, "1", WAYBILL_API_KEY="wb_1_k", PATH=f"{tmp_path}:{os.environ['PATH']}")

    configuration, *arguments = told.read_text().splitlines()
    assert configuration == 'header = "Authorization: Bearer wb_1_k"'
    assert arguments
    assert not any("wb_1_k" in argument for argument in arguments)


def test_the_curl_line_fails_when_the_job_does(tmp_path: Path) -> None:
    with System(tmp_path / "system") as system:
        (system.sources_dir / cargo.LONG[0].key).unlink()

        done = run(system.url, tmp_path, SHELL, str(cargo.LONG[0].file_id))

    assert done.returncode != 0
    assert list(tmp_path.glob("*.zip")) == []
