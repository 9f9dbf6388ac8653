"""Runs an image's command as a container would: its environment alone, its user, a read-only root, and no rights.

The root is read-only in a mount namespace of its own, which needs root; who is not root runs the same without it.
"""

import functools
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import pytest

from deploy.local import tether
from tests.architecture.source_tree import ROOT
from tests.deploy.dockerfile import Dockerfile
from tests.deploy.image_build import python_for_everybody
from tests.support.waiting import PATIENCE_SECONDS, until

HEALTHCHECK = "/opt/healthcheck.py"
NOWHERE = "/nonexistent"
READ_ONLY = ("unshare", "--mount", "sh", "-c", 'mount -o remount,bind,ro / && exec "$@"', "sh")
WITHOUT_RIGHTS = ("setpriv", "--clear-groups", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all")


class Image(NamedTuple):
    """A program with its environment, and the directory in which it starts."""

    program: str
    dockerfile: Dockerfile
    environment: Path
    directory: Path

    def command(self, *arguments: str) -> list[str]:
        """Give what is started with these arguments."""
        entry = self.dockerfile.last(self.program, "ENTRYPOINT")
        assert entry is not None
        return [*entry.words, *arguments]

    def variables(self, given: Mapping[str, str]) -> dict[str, str]:
        """Give all that it finds in its environment."""
        path = f"{self.environment}/bin:/usr/bin:/bin"
        return {**self.dockerfile.environment_of(self.program), **given, "PATH": path, "TMPDIR": NOWHERE}

    def confined(self, command: Sequence[str]) -> list[str]:
        """Give what runs a command as the image's user, who may write nowhere; the command itself without root."""
        user = self.dockerfile.last(self.program, "USER")
        assert user is not None
        return [*confinement(user.text), *command]


@functools.cache
def confinement(user: str) -> tuple[str, ...]:
    """Give the words before a command that take its rights; none where this process may not, which fails in CI."""
    user_id, _, group_id = user.partition(":")
    words = (*READ_ONLY, *WITHOUT_RIGHTS, f"--reuid={user_id}", f"--regid={group_id}", "--")
    if os.geteuid() == 0 and subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0:
        return words
    if os.environ.get("WAYBILL_REQUIRE_TOOLS") == "1":
        pytest.fail("only root, with unshare, mount and setpriv, can run a program on a read-only root")
    return ()


def run_once(image: Image, given: Mapping[str, str], command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a command in a container of its own to its end."""
    return subprocess.run(
        image.confined(_resolved(image, command)),
        cwd=image.directory,
        env=image.variables(given),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


class Container:
    """A context manager: a program that serves, which ends with the test process."""

    def __init__(self, image: Image, given: Mapping[str, str], log_path: Path) -> None:
        self.image = image
        self.given = dict(given)
        self.log_path = log_path
        # A copy: the repository may be where this user does not get.
        tied = str(shutil.copy(tether.__file__, image.directory.parent))
        command = [python_for_everybody(), "-I", "-S", tied, str(os.getpid()), *_resolved(image, image.command())]
        with log_path.open("wb") as log:
            self._process = subprocess.Popen(
                image.confined(command),  # who takes rights stands first: a change of the user unties
                cwd=image.directory,
                env=image.variables(given),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def __enter__(self) -> Self:
        """Give it as it is: it may not serve yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait()

    def is_healthy(self, test: Sequence[str]) -> bool:
        """Run a healthcheck's command, as an engine would beside the program; fails when the program has ended."""
        assert self._process.poll() is None, self.log_path.read_text(errors="replace")
        command = [str(ROOT / "deploy/docker/healthcheck.py") if word == HEALTHCHECK else word for word in test]
        done = subprocess.run(
            _resolved(self.image, command), env=self.image.variables(self.given), capture_output=True, check=False
        )
        return done.returncode == 0

    def wait_until_healthy(self, test: Sequence[str]) -> None:
        """Return once a healthcheck's command ends well."""
        until(lambda: self.is_healthy(test), f"{self.image.program} is healthy")

    def stop(self) -> int:
        """Send SIGTERM, and give the exit code."""
        self._process.terminate()
        return self._process.wait(PATIENCE_SECONDS)


def _resolved(image: Image, command: Sequence[str]) -> list[str]:
    """Name the program of a command by its whole path, as PATH has it inside."""
    program = shutil.which(command[0], path=image.variables({})["PATH"])
    assert program is not None, f"{command[0]} is not in the image"
    return [program, *command[1:]]
