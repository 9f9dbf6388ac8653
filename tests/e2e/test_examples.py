"""The examples of docs/examples, run as their readers run them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import cargo
from tests.support.service import environment
from tests.support.system import System

EXAMPLES = Path(__file__).parents[2] / "docs/examples"
IDS = [str(file_id) for file_id in cargo.ids_of(*cargo.MIXED[:2])]
SHELL = ("sh", "fetch.sh")
PYTHON = (sys.executable, "fetch.py")
ASYNCHRONOUS = (sys.executable, "fetch_async.py")


def run(system: System, directory: Path, example: tuple[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    if example is SHELL and shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    program, name = example
    return subprocess.run(
        [program, str(EXAMPLES / name), *words],
        cwd=directory,
        env=environment({"WAYBILL_URL": system.url}),
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
    done = run(system, tmp_path, example, *words)

    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("*.zip"))) == files


@pytest.mark.parametrize(
    ("example", "words"), [(SHELL, ["1"]), (PYTHON, ["1"]), (ASYNCHRONOUS, ["1"])], ids=["curl", "Python", "asyncio"]
)
def test_an_example_that_gets_no_archive_says_so_by_its_exit_code(
    system: System, tmp_path: Path, example: tuple[str, str], words: list[str]
) -> None:
    done = run(system, tmp_path, example, *words)

    assert done.returncode != 0
    assert list(tmp_path.iterdir()) == []


def test_the_curl_line_fails_when_the_job_does(tmp_path: Path) -> None:
    with System(tmp_path / "system") as system:
        (system.sources_dir / cargo.LONG[0].key).unlink()

        done = run(system, tmp_path, SHELL, str(cargo.LONG[0].file_id))

    assert done.returncode != 0
    assert list(tmp_path.glob("*.zip")) == []
