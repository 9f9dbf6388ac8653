"""The built client in Node.js: how it is found, and a program of ours that downloads with it."""

import contextlib
import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deploy.local.tether import tethered
from tests.support.tools import missing, require_tool
from tests.support.waiting import until

WEB_DIR = Path(__file__).parents[2] / "gateway" / "web"
CORE = WEB_DIR / "dist" / "client.js"
PROGRAM = Path(__file__).parent / "node" / "download.mjs"


def require_core() -> str:
    """Give the path of Node.js; skips, or fails where tools are required, when it or the built client is missing."""
    node = require_tool("node")
    if not CORE.is_file():
        missing("the TypeScript client is not built: make web")
    return node


class Download:
    """What the program has told so far."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.told: list[dict[str, Any]] = []
        self._process = process

    def take(self, line: str) -> None:
        """Take one line of its output."""
        self.told.append(json.loads(line))

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Each snapshot of the job's row, oldest first."""
        return [told["job"] for told in self.told if told.get("job")]

    @property
    def modes(self) -> list[str]:
        """The modes of the connection that were published, oldest first."""
        return [told["connection"]["mode"] for told in self.told if "connection" in told]

    def wait_for_progress(self, ratio: float) -> dict[str, Any]:
        """Wait until so much of the job is shown as done; give its row."""

        def look() -> dict[str, Any] | None:
            return next(
                (row for row in self.rows if row["state"] == "processing" and (row["progress"] or 0) > ratio), None
            )

        row = until(look, f"more than {ratio} of the job is shown as done; told: {self.told[-3:]}")
        assert row is not None
        return row

    def wait_for_mode(self, *modes: str) -> None:
        """Wait until the connection is as wanted now."""
        until(lambda: self.modes[-1:] and self.modes[-1] in modes, f"the connection is {modes}; told: {self.modes}")

    def wait_for_end(self) -> dict[str, Any]:
        """Wait until the program has ended by itself; give what it told last."""
        until(lambda: self.told and "ended" in self.told[-1], f"the job has ended; told: {self.told[-3:]}")
        # A timer or a connection that is left would keep Node.js for 40 seconds or longer.
        until(lambda: self._process.poll() is not None, "the program ends by itself", within_seconds=15)
        assert self._process.returncode == 0
        return self.told[-1]


@contextlib.contextmanager
def downloading(url: str, file_ids: list[int], *, clock_off_ms: int = 0) -> Iterator[Download]:
    """Download with the built client, on a computer whose clock is so far off, until the end of the block."""
    command = [require_core(), str(PROGRAM), CORE.as_uri(), url, json.dumps(file_ids), str(clock_off_ms)]
    process = subprocess.Popen(tethered(command), stdout=subprocess.PIPE, text=True, encoding="utf-8")
    download = Download(process)

    def listen() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            download.take(line)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        yield download
    finally:
        process.kill()
        process.wait()
        listener.join()
        assert process.stdout is not None
        process.stdout.close()
