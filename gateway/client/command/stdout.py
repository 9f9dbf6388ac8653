"""Standard output whose reader has left, as in `waybill list | head -1`."""

import os
import sys

from gateway.client.command.exit_codes import READER_LEFT


def reader_left() -> int:
    """Let the program end without a word; give its exit code."""
    # What is still buffered must not be flushed into the closed pipe when Python ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return READER_LEFT
