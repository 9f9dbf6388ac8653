"""Renders deploy/k8s as an operator would, and says with what.

    python -m tests.support.kustomize      builds kustomize where it is missing, and says which one there is

The machine's own kubectl is taken when the kustomize in it is 5 or newer (Debian's is too old for components); else a
kustomize on the PATH or in .tools/. Nothing is built in the midst of a test run: that takes a minute.
"""

import functools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.support.tools import missing

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".tools"
MODULE = "sigs.k8s.io/kustomize/kustomize/v5@v5.7.1"
OLDEST = 5
ADVICE = "make kustomize builds it with Go"


class Found(NamedTuple):
    """A command line that renders the directory named behind it."""

    command: tuple[str, ...]
    version: str

    def __str__(self) -> str:
        return f"{' '.join(self.command)} (kustomize {self.version})"


@functools.cache
def find() -> Found | None:
    """Look for a program, without building anything."""
    if (kubectl := shutil.which("kubectl")) and _is_new_enough(version := _version_in(kubectl)):
        return Found((kubectl, "kustomize"), version)
    path = os.pathsep.join([os.environ.get("PATH", ""), str(TOOLS / "bin")])
    if (kustomize := shutil.which("kustomize", path=path)) and _is_new_enough(version := _output(kustomize, "version")):
        return Found((kustomize, "build"), version)
    return None


def render(directory: Path) -> str:
    """Give the manifests of a kustomization as YAML; fails with what kustomize says.

    Without kustomize the test is skipped, or fails where WAYBILL_REQUIRE_TOOLS=1.
    """
    found = find()
    if found is None:
        missing(f"there is no kustomize from {OLDEST} on ({ADVICE})")
    done = subprocess.run([*found.command, str(directory)], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr  # what is deprecated is said there
    return done.stdout


def _version_in(kubectl: str) -> str:
    told = _output(kubectl, "version", "--client", "--output=json")
    try:
        return str(json.loads(told).get("kustomizeVersion", ""))
    except ValueError:
        return ""


def _is_new_enough(version: str) -> bool:
    major = version.removeprefix("v").partition(".")[0]
    return major.isdigit() and int(major) >= OLDEST


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=20).stdout.strip()


def main() -> int:
    """Build kustomize where there is none; the exit code is 0 when there is one in the end."""
    if find() is None and (go := shutil.which("go")):
        print(f"building {MODULE}, which takes about a minute …", flush=True)
        environment = {**os.environ, "GOBIN": str(TOOLS / "bin"), "GOPATH": str(TOOLS / "go"), "GOFLAGS": "-modcacherw"}
        subprocess.run([go, "install", "-ldflags=-s -w", MODULE], check=True, env=environment, cwd=TOOLS.parent)
        find.cache_clear()
    found = find()
    print(f"kustomize: {found or f'none, its tests are skipped ({ADVICE})'}")
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
