"""Ends the process when its event loop stands still: a handler that never yields would hold all slots for ever.

By then every lease of this process has run out, and others do its work. What keeps even this thread from running (code
that never lets go of the interpreter) is for /livez, and for whoever asks there.
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
        self._is_over = threading.Event()

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
                self._end_process()

    def _end_process(self) -> None:
        # First of all: the loop may stand still because the reader of the log does, and then logging stands still too.
        threading.Thread(target=_end_soon, name="watchdog-end", daemon=True).start()
        log.critical("event loop stands still: this process ends itself", jobs=self._jobs_in_hand())
        faulthandler.dump_traceback(sys.stderr)
        sys.stderr.flush()
        os._exit(STALLED)


def _end_soon() -> None:
    time.sleep(limits.WATCHDOG_LAST_WORDS_SECONDS)
    os._exit(STALLED)
