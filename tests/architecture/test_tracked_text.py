"""Nothing in the repository points to one machine or one package index, and nothing large slips in."""

import re
from collections.abc import Iterator

import pytest

from tests.architecture.source_tree import ROOT, assert_none, tracked_files

MAX_FILE_BYTES = 512 * 1024
MACHINE_PATH = re.compile(r"(?<![\w.~$}])/(?:root|(?:home|Users)/\w[\w.-]*|opt/wheels)/|\b[A-Z]:\\Users\b")
INDEX_ADDRESS = re.compile(r"--(extra-index-url|index-url|find-links|trusted-host)[ =]+\S|https?://\S*/simple\b")
LOCK_NAME = re.compile(r"lock|requirements|constraints|\.npmrc|pip\.conf")
# The checkout's own directory, unless it is a name that any text may hold.
CHECKOUT = f"{ROOT}/" if len(ROOT.parts) > 2 else None


def machine_bound(name: str, text: str) -> Iterator[str]:
    """Lines that hold only on one machine or with one package index; in a lock that is any address."""
    for number, line in enumerate(text.splitlines(), start=1):
        if (
            MACHINE_PATH.search(line)
            or INDEX_ADDRESS.search(line)
            or (CHECKOUT and CHECKOUT in line)
            or (LOCK_NAME.search(name) and re.search(r"https?://", line))
        ):
            yield f"{name}:{number} {line.strip()[:100]}"


def test_files_hold_on_every_machine() -> None:
    found: list[str] = []
    for path in tracked_files():
        if path.name == "LICENSE":
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += machine_bound(path.relative_to(ROOT).as_posix(), text)

    assert_none(found)


def test_files_are_small() -> None:
    large = [path.relative_to(ROOT).as_posix() for path in tracked_files() if path.stat().st_size > MAX_FILE_BYTES]

    assert large == []


@pytest.mark.parametrize(
    ("name", "line"),
    [
        # Built from halves, or this file would be its own finding.
        ("README.md", "cd /" + "home/ada/waybill"),
        ("Makefile", "PYTHON = /" + "root/.pyenv/bin/python"),
        ("deploy/local/bootstrap.py", f"'{ROOT}/" + ".venv'"),
        ("requirements.lock", "--index-url" + " https" + "://pypi.example/simple"),
        ("requirements.lock", "# from https" + "://pypi.example"),
        (".ci/run", "pip install --find-links" + "=wheels"),
    ],
)
def test_a_machine_bound_line_is_seen(name: str, line: str) -> None:
    assert list(machine_bound(name, line))
