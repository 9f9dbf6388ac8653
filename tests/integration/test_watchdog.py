"""A process that was told to end and does not: it ends itself, and says what it was waiting for."""

import subprocess
import sys

from processor.watchdog import STALLED
from tests.support.waiting import PATIENCE_SECONDS

LEAVES_A_THREAD_BEHIND = """
import asyncio, threading
from processor.watchdog import Watchdog

async def main():
    watchdog = Watchdog(lease_ms=60_000, jobs_in_hand=lambda: ["job-1"])
    watching = asyncio.create_task(watchdog.run())
    await asyncio.sleep(0)
    threading.Thread(target=threading.Event().wait, name="left behind").start()
    watchdog.insist_on_end(within_seconds=1.0)
    watching.cancel()

asyncio.run(main())
print("the loop is over", flush=True)
"""


def test_a_thread_that_was_left_behind_keeps_no_process_from_ending() -> None:

    ended = subprocess.run(
        [sys.executable, "-c", LEAVES_A_THREAD_BEHIND],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )

    assert "the loop is over" in ended.stdout
    assert "does not end in time" in ended.stdout
    assert ended.returncode == STALLED
    assert "most recent call first" in ended.stderr
