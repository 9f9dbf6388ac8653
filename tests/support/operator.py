"""An operator at a terminal: runs commands of our programs as processes of their own, and reads them."""

import asyncio
import json
import subprocess
import sys
from typing import Any

from tests.support.service import environment

Ended = subprocess.CompletedProcess[str]
COLUMNS = 80


class Operator:
    """Runs commands against one Redis, with no setting but its URL; their text is no wider than `columns`."""

    columns: float = COLUMNS

    def __init__(self, url: str, *, program: str = "processor") -> None:
        self._program = program
        self.environment = environment({"REDIS_URL": url})

    async def run(self, *arguments: str) -> Ended:
        """Run a command to its end; what it writes has no traceback and, as text, fits a terminal."""
        command = [sys.executable, "-m", self._program, *arguments]
        ended = await asyncio.to_thread(
            subprocess.run, command, env=self.environment, capture_output=True, text=True, timeout=60
        )
        assert "Traceback" not in ended.stderr, ended.stderr
        assert "\x1b" not in ended.stdout
        if "--json" not in arguments:
            assert [line for line in ended.stdout.splitlines() if len(line) > self.columns] == []
        return ended

    async def read(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """Run a command with --json, which must end with this exit code, and read its one object."""
        ended = await self.run(*arguments, "--json")
        assert ended.returncode == code, ended.stderr
        [line] = ended.stdout.splitlines()
        found: dict[str, Any] = json.loads(line)
        return found


def prose(text: str) -> str:
    """Undo the line breaks of a page, so that its sentences can be looked for."""
    return " ".join(text.split())
