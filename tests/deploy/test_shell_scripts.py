"""Every shell script of the repository is free of what shellcheck finds."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.source_tree import ROOT, assert_none, tracked_files

SHELLCHECK = Path(sys.executable).parent / "shellcheck"
SHEBANG = re.compile(r"#!\s*/\S*\b(?:env )?(?:ba|da|k)?sh\b")


def findings(name: str, text: str) -> Iterator[str]:
    """What shellcheck says of a script."""
    checked = subprocess.run(
        [SHELLCHECK, "--format", "gcc", "-"], input=text, capture_output=True, text=True, check=False
    )
    assert checked.returncode in (0, 1), checked.stderr
    yield from (f"{name}{line.removeprefix('-')}" for line in checked.stdout.splitlines())


def is_script(path: Path) -> bool:
    """Tell by its first line, or by its name."""
    with path.open("rb") as file:
        first = file.readline(200).decode(errors="replace")
    return path.suffix == ".sh" or SHEBANG.match(first) is not None


SCRIPTS = [path.relative_to(ROOT).as_posix() for path in tracked_files() if is_script(path)]


def test_scripts_are_found() -> None:
    assert {".ci/run", "docs/examples/fetch.sh"} <= set(SCRIPTS)


@pytest.mark.parametrize("name", SCRIPTS)
def test_shellcheck_has_nothing_to_say(name: str) -> None:
    assert_none(findings(name, (ROOT / name).read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "line", ["rm -r $directory/*", "for each in $(ls); do echo $each; done", "cd /somewhere; make"]
)
def test_a_script_with_a_trap_is_seen(line: str) -> None:
    assert list(findings("broken.sh", f"#!/usr/bin/env bash\n{line}\n"))
