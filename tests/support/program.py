"""One of our programs as a process, for tests that look at it through its API and its log."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from deploy.local.tether import tethered

Logged = dict[str, Any]


@contextlib.contextmanager
def running_program(program: str, *, until_event: str, **settings: str) -> Iterator[Logged]:
    """Run `python -m program` on free ports with these settings alone; give the log line that says that it is up."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("WAYBILL_", "REDIS_"))}
    ports = {"WAYBILL_PORT": "0", "WAYBILL_ADMIN_PORT": "0"}
    process = subprocess.Popen(
        tethered([sys.executable, "-m", program]),
        env=inherited | ports | settings,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        yield _wait_for(process, until_event)
    finally:
        process.terminate()
        # Reads to the end: a full pipe would keep it from ending.
        process.communicate()


def _wait_for(process: "subprocess.Popen[bytes]", event: str) -> Logged:
    assert process.stderr is not None
    seen: list[bytes] = []
    for line in process.stderr:
        seen.append(line)
        with contextlib.suppress(json.JSONDecodeError):
            logged: Logged = json.loads(line)
            if logged.get("event") == event:
                return logged
    raise AssertionError(b"it ended without saying so:\n" + b"".join(seen))
