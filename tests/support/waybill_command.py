"""The `waybill` command as a process of its own, as people run it."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.support.service import environment
from tests.support.waiting import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]
PROGRAM = Path(sys.executable).with_name("waybill")


class Started:
    """One that runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def told(self, word: str) -> str:
        """Wait for a line on stderr with this in it, and give the line."""
        assert self.process.stderr is not None
        return next(line for line in self.process.stderr if word in line)

    def printed(self) -> str:
        """Wait for a line on stdout."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def end(self) -> tuple[int, str, str]:
        """Wait for its end; give its exit code, and what it had still to say on both streams."""
        said, told = self.process.communicate(timeout=PATIENCE_SECONDS)
        return self.process.returncode, said, told


class WaybillCommand:
    """Runs it against one server, in one directory, whose name is nobody's business but the test's."""

    def __init__(self, url: str, directory: Path, **variables: str) -> None:
        self.directory = directory
        self.variables: Mapping[str, str] = environment(
            {
                "WAYBILL_URL": url,
                # Of this tree, which a mutant's is too; the script alone would take the one that was installed.
                "PYTHONPATH": str(ROOT),
                "TERM": "xterm",
                "COLUMNS": "100",
                "LINES": "40",
                **variables,
            }
        )

    def run(self, *words: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return subprocess.run(
            self.line(*words),
            input=stdin,
            cwd=self.directory,
            env=dict(self.variables),
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )

    @contextlib.contextmanager
    def start(self, *words: object) -> Iterator[Started]:
        """Start it for the block; it is gone after it."""
        with subprocess.Popen(
            self.line(*words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.directory,
            env=dict(self.variables),
            text=True,
        ) as process:
            try:
                yield Started(process)
            finally:
                process.kill()

    def line(self, *words: object) -> list[str]:
        """Give its command line."""
        return [str(PROGRAM), *map(str, words)]
