"""What a program logs on a terminal: errors with their traceback, and nothing of what their functions had in hand."""

import os
import pty
import subprocess
import sys

PROGRAM = """
import structlog
from shared.telemetry.logging import configure_logging
configure_logging("gateway", level="info")
def answer(authorization):
    1 / 0
try:
    answer("Bearer " + "hunter" + str(2))
except ZeroDivisionError as error:
    structlog.get_logger().error("request failed", exc_info=error)
"""


def test_a_traceback_on_a_terminal_shows_no_local_variables() -> None:
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", PROGRAM], stderr=theirs, check=True, timeout=60)
    os.close(theirs)

    shown = os.read(ours, 65_536).decode()
    os.close(ours)

    assert "ZeroDivisionError" in shown
    assert "hunter2" not in shown
