"""Ends the process when its event loop stands still: a handler that never yields would hold all slots for ever.

By then every lease of this process has run out, and others do its work. The same when the process was told to stop and
does not end in time: whoever told it would kill it, and nobody would learn what it was waiting for. What keeps even
this thread from running (code that never lets go of the interpreter) is for /livez, and for whoever asks there.
"""

import asyncio
import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable

import structlog

from shared import limits

STALLED = 70  # EX_SOFTWARE of sysexits.h

log = structlog.get_logger(__name__)


class Watchdog:
    """Watches the loop that run() runs in; `jobs_in_hand` names the jobs that a stalled process takes down with it."""

    def __init__(self, *, lease_ms: int, jobs_in_hand: Callable[[], list[str]]) -> None:
        self._patience_looks = max(2, round(lease_ms / 1000 / limits.WATCHDOG_LOOK_EVERY_SECONDS))
        self._jobs_in_hand = jobs_in_hand
        self._beats = 0
        self._looks_left: int | None = None
        self._is_over = threading.Event()

    def insist_on_end(self, within_seconds: float) -> None:
        """End the process if it is still there after so long; said again, it changes nothing.

        Safe in a signal handler.
        """
        if self._looks_left is None:
            self._looks_left = round(within_seconds / limits.WATCHDOG_LOOK_EVERY_SECONDS)

    async def run(self) -> None:
        """Watch until cancelled."""
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()
        try:
            while True:
                self._beats += 1
                await asyncio.sleep(limits.WATCHDOG_LOOK_EVERY_SECONDS / 2)
        finally:
            self._is_over.set()

    def _watch(self) -> None:
        """Count looks, not seconds: a process that was stopped for a while (SIGSTOP) is no suspect."""
        seen, silent_looks = -1, 0
        while not self._is_over.wait(limits.WATCHDOG_LOOK_EVERY_SECONDS):
            silent_looks = silent_looks + 1 if self._beats == seen else 0
            seen = self._beats
            if silent_looks >= self._patience_looks:
                self._end_process("event loop stands still: this process ends itself")
            self._look_for_the_end()
        # The loop is over, the process is not yet: a thread that a handler left behind keeps it from ending.
        while self._looks_left is not None:
            time.sleep(limits.WATCHDOG_LOOK_EVERY_SECONDS)
            self._look_for_the_end()

    def _look_for_the_end(self) -> None:
        if self._looks_left is not None:
            self._looks_left -= 1
            if self._looks_left <= 0:
                self._end_process("this process was told to stop and does not end in time: it ends itself")

    def _end_process(self, why: str) -> None:
        # First of all: the loop may stand still because the reader of the log does, and then logging stands still too.
        threading.Thread(target=_end_soon, name="watchdog-end", daemon=True).start()
        log.critical(why, jobs=self._jobs_in_hand())
        faulthandler.dump_traceback(sys.stderr)
        sys.stderr.flush()
        os._exit(STALLED)


def _end_soon() -> None:
    time.sleep(limits.WATCHDOG_LAST_WORDS_SECONDS)
    os._exit(STALLED)
