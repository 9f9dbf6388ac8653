"""The choice of a Python, and what makes an environment ready."""

import json
import os
import sys
from pathlib import Path

import pytest

from deploy.local.bootstrap import STAMP_FILE, BootstrapError, Interpreter, choose, probe, state_of, wanted_stamp

OLD = Interpreter("python3", (3, 9), can_make_venv=True)
BARE = Interpreter("python3.11", (3, 11), can_make_venv=False)
GOOD = Interpreter("python3.12", (3, 12), can_make_venv=True)


def test_first_usable_interpreter_is_chosen() -> None:
    assert choose([OLD, BARE, GOOD], has_apt=True) == GOOD


def test_missing_venv_is_told_with_the_package_to_install() -> None:
    with pytest.raises(BootstrapError, match=r"apt install python3\.11-venv$"):
        choose([OLD, BARE], has_apt=True)


def test_missing_venv_without_apt_names_no_apt_package() -> None:
    with pytest.raises(BootstrapError, match=r"venv and ensurepip for python3\.11$"):
        choose([BARE], has_apt=False)


def test_too_old_pythons_are_told_with_their_versions() -> None:
    with pytest.raises(BootstrapError, match=r"3\.11 or newer \(python3 is 3\.9\)"):
        choose([OLD], has_apt=True)


def test_messages_are_one_line() -> None:
    for found in ([], [OLD], [BARE]):
        with pytest.raises(BootstrapError) as caught:
            choose(found, has_apt=True)

        assert "\n" not in str(caught.value)


def test_probe_knows_this_python() -> None:
    found = probe(sys.executable)

    assert found is not None
    assert found.version == sys.version_info[:2]


def test_command_that_cannot_run_is_no_interpreter(tmp_path: Path) -> None:
    assert probe(str(tmp_path / "python3")) is None
    assert probe("false") is None


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A tree with a complete environment."""
    (tmp_path / "requirements.lock").write_text("redis==8.1.0\n")
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    bin_dir = tmp_path / ".venv" / "bin"
    bin_dir.mkdir(parents=True)
    (bin_dir / "python").symlink_to(sys.executable)
    stamp = {**wanted_stamp(tmp_path), "python": os.path.realpath(sys.executable)}
    (tmp_path / ".venv" / STAMP_FILE).write_text(json.dumps(stamp))
    return tmp_path


def test_complete_environment_is_ready(root: Path) -> None:
    assert state_of(root) == "ready"


def test_changed_lock_needs_another_environment(root: Path) -> None:
    (root / "requirements.lock").write_text("changed\n")

    assert state_of(root) == "unusable"


def test_changed_project_file_costs_no_new_environment(root: Path) -> None:
    (root / "pyproject.toml").write_text("changed\n")

    assert state_of(root) == "outdated"


@pytest.mark.parametrize("stamp", ["", "[1, 2", '{"lock": "x"}'])
def test_half_written_stamp_is_not_ready(root: Path, stamp: str) -> None:
    (root / ".venv" / STAMP_FILE).write_text(stamp)

    assert state_of(root) == "unusable"


def test_environment_whose_python_is_gone_is_not_ready(root: Path) -> None:
    python = root / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to(root / "uninstalled")

    assert state_of(root) == "unusable"


def test_copied_tree_does_not_use_the_environment_of_its_original(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    copy = tmp_path_factory.mktemp("elsewhere") / "tree"
    root.rename(copy)

    assert state_of(copy) == "unusable"
