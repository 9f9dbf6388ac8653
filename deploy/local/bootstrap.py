"""Installs the locked dependencies and the project into .venv, so that every make target can rely on it.

Run by the Makefile with whatever Python the machine has. It uses the standard library alone and keeps to what an old
Python 3.6 can read (hence the quoted types): that one must get as far as finding a newer one, or telling its owner what
is missing. It never touches anything outside .venv and its lock file.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

OLDEST_VERSION = (3, 11)
CANDIDATE_NAMES = ("python3", "python3.14", "python3.13", "python3.12", "python3.11")
LOCK_FILE = "requirements.lock"
STAMP_FILE = "waybill-stamp.json"
# A user's own pip index settings are wanted here; these settings would install somewhere else than into .venv.
MISLEADING_VARIABLES = ("PIP_PREFIX", "PIP_ROOT", "PIP_TARGET", "PIP_USER", "PYTHONHOME", "PYTHONPATH")
# Debian's venv module imports without its ensurepip, so both are asked for.
PROBE = """
import sys
try:
    import ensurepip, venv
    can_make_venv = True
except ImportError:
    can_make_venv = False
print("%d %d %d" % (sys.version_info[0], sys.version_info[1], can_make_venv))
"""


class Interpreter(NamedTuple):
    """A Python found on this machine; `can_make_venv` is false when venv or ensurepip is missing."""

    command: str
    version: "tuple[int, int]"
    can_make_venv: bool


class BootstrapError(Exception):
    """The environment cannot be made; the message says what to install or to do."""


def choose(found: "list[Interpreter]", has_apt: bool) -> Interpreter:
    """The first interpreter that is new enough and can make an environment.

    Raises BootstrapError with the package to install when there is none.
    """
    new_enough = [interpreter for interpreter in found if interpreter.version >= OLDEST_VERSION]
    for interpreter in new_enough:
        if interpreter.can_make_venv:
            return interpreter
    if new_enough:
        name = "python{}.{}".format(*new_enough[0].version)
        remedy = (
            f"Install it: apt install {name}-venv"
            if has_apt
            else f"Install the package that brings venv and ensurepip for {name}"
        )
        raise BootstrapError(f"{name} is here, but its venv or ensurepip module is missing. {remedy}")
    seen = ", ".join("{} is {}.{}".format(i.command, *i.version) for i in found) or "none was found"
    remedy = "apt install python3 python3-venv" if has_apt else "install it with your package manager"
    raise BootstrapError(
        f"Waybill needs Python 3.11 or newer ({seen}). Install one, for example: {remedy}. "
        "Then run make again; PYTHON=/path/to/python3 chooses one by hand."
    )


def probe(command: str) -> "Interpreter | None":
    """What `command` is, or None when it cannot be run (a version manager's shim often cannot)."""
    try:
        answer = subprocess.run(
            [command, "-c", PROBE], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=20, check=True
        )
        major, minor, can_make_venv = (int(word) for word in answer.stdout.split())
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return Interpreter(command, (major, minor), bool(can_make_venv))


def find_interpreter() -> Interpreter:
    """A usable Python, the one that runs this file first. Raises BootstrapError when there is none."""
    found = []
    for command in (sys.executable, *CANDIDATE_NAMES):
        interpreter = probe(command)
        if interpreter is None:
            continue
        if interpreter.version >= OLDEST_VERSION and interpreter.can_make_venv:
            return interpreter
        found.append(interpreter)
    return choose(found, has_apt=shutil.which("apt-get") is not None)


def wanted_stamp(root: Path) -> "dict[str, str]":
    """What an environment must have been made from to be used as it is.

    The place is part of it: scripts and the editable install point to the tree they were made in, so a copied tree
    needs its own environment.
    """
    return {
        "place": str(root),
        "lock": hashlib.sha256((root / LOCK_FILE).read_bytes()).hexdigest(),
        "project": hashlib.sha256((root / "pyproject.toml").read_bytes()).hexdigest(),
    }


def state_of(root: Path) -> str:
    """What .venv is: "ready", "outdated" (only the project is to be installed again), or "unusable".

    Unusable is what is incomplete, made from another lock or in another place, or has lost the Python it was made with.
    """
    venv_dir = root / ".venv"
    python = venv_dir / "bin" / "python"
    try:
        stamp = json.loads((venv_dir / STAMP_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        stamp = None
    wanted = {**wanted_stamp(root), "python": os.path.realpath(str(python))}
    if python.exists() and isinstance(stamp, dict):
        if stamp == wanted:
            return "ready"
        # A changed tool setting in pyproject.toml must not cost a new environment.
        if {**stamp, "project": wanted["project"]} == wanted:
            return "outdated"
    return "unusable"


def install(root: Path, interpreter: "Interpreter | None") -> None:
    """Makes .venv anew with `interpreter`, or with None installs only the project again.

    The stamp is written last, so that an interrupted run is never taken for a complete one. Raises BootstrapError when
    a step fails; its own output stands above the message.
    """
    venv_dir = root / ".venv"
    python = venv_dir / "bin" / "python"
    pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-input"]
    pip += ["--progress-bar=off", "--root-user-action=ignore"]
    if interpreter is not None:
        if venv_dir.is_symlink():
            venv_dir.unlink()
        elif venv_dir.exists():
            shutil.rmtree(str(venv_dir))
        _step("making .venv", [interpreter.command, "-m", "venv", str(venv_dir)], root)
        _step("installing the dependencies", [*pip, "--require-hashes", "-r", LOCK_FILE], root)
    # The build backend is in the lock: without isolation nothing is fetched that the lock does not name.
    _step("installing the project", [*pip, "--no-deps", "--no-build-isolation", "--editable", "."], root)
    stamp = {**wanted_stamp(root), "python": os.path.realpath(str(python))}
    unfinished = venv_dir / (STAMP_FILE + ".part")
    unfinished.write_text(json.dumps(stamp), encoding="utf-8")
    os.replace(str(unfinished), str(venv_dir / STAMP_FILE))


def _step(what: str, command: "list[str]", root: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in MISLEADING_VARIABLES}
    exit_code = subprocess.run(command, cwd=str(root), env=environment, check=False).returncode
    if exit_code != 0:
        raise BootstrapError(f"Failed while {what} (see above). Once that is mended, the next make starts over.")


def main() -> int:
    """Makes .venv ready, or says in one line what is missing. Returns the exit code."""
    root = Path(__file__).resolve().parents[2]
    try:
        if state_of(root) == "ready":
            return 0
        # Two make targets started at once must not install into the same directory.
        with (root / ".venv.lock").open("w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            state = state_of(root)
            if state == "unusable":
                interpreter = find_interpreter()
                first = not (root / ".venv").exists()
                why = "first run, about a minute" if first else "again: what is there is incomplete or out of date"
                print(f"Installing into .venv ({why}) …", file=sys.stderr, flush=True)
                install(root, interpreter)
            elif state == "outdated":
                install(root, None)
    except BootstrapError as problem:
        print(f"waybill: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("waybill: stopped; the next make starts over.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
