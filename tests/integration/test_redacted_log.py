"""Whatever a program logs, and whoever does it there: no ticket, key or token of a caller is in the line."""

import json
import os
import pty
import subprocess
import sys

SECRET = "hunter2" * 5
PROGRAM = f"""
import logging
import structlog
from shared.telemetry.logging import configure_logging
configure_logging("gateway", level="debug")
log = structlog.get_logger("ours")
url = "/v1/download/jobs/x?after=0-0&ticket=" + {SECRET!r}
log.info("by an argument", path=url, nested=[{{"headers": [(b"authorization", b"Bearer " + {SECRET.encode()!r})]}}])
log.info("in the event: " + url)
logging.getLogger("uvicorn.error").error("of a library: %s, wt1_%s", url, {SECRET!r})
logging.getLogger("any").warning("as arguments: %s", {{"key": "wb_0123456789abcdef_" + {SECRET!r}}})
try:
    raise ValueError("in an exception: " + url)
except ValueError:
    log.exception("crashed", url=url)
    logging.getLogger("any").exception("crashed")
"""
WORDS = ("by an argument", "in the event", "of a library", "as arguments", "in an exception")


def test_no_secret_is_in_any_line_of_json() -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60)

    lines = run.stderr.splitlines()

    assert len([json.loads(line) for line in lines]) == 6
    assert all(word in run.stderr for word in WORDS)
    assert "hunter2" not in run.stderr
    assert "wb_0123456789abcdef_***" in run.stderr


def test_no_secret_is_on_a_terminal() -> None:
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", PROGRAM], stderr=theirs, check=True, timeout=60)
    os.close(theirs)

    shown = os.read(ours, 65_536).decode()
    os.close(ours)

    assert "in an exception" in shown
    assert "hunter2" not in shown
