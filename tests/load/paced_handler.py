"""A handler of jobs that only tell how far they are: PACED_REPORTS times, every PACED_EVERY_SECONDS.

Each message holds the moment at which it was told (`@<nanoseconds of the monotonic clock>`), so that whoever reads it
in another process of this machine knows its age.
"""

import asyncio
import os
import random
import time

from processor.context import Result, RunContext
from processor.progress import Phase, Report
from shared.jobs import JobRecord
from tests.load.idle_handler import NOTHING

REPORTS = "PACED_REPORTS"
EVERY_SECONDS = "PACED_EVERY_SECONDS"


async def handle(job: JobRecord, context: RunContext) -> Result:
    """Tell at its own pace; jobs that begin together do not tell together."""
    reports, every_seconds = int(os.environ[REPORTS]), float(os.environ[EVERY_SECONDS])
    await asyncio.sleep(random.uniform(0, every_seconds))
    for number in range(1, reports + 1):
        context.report(_report(number / reports, len(job.file_ids)))
        await asyncio.sleep(every_seconds)
    return Result("nothing", NOTHING)


def _report(ratio: float, files: int) -> Report:
    return Report(
        phase=Phase.BUNDLING,
        work_ratio=ratio,
        files_processed=int(files * ratio),
        total_files=files,
        bytes_processed=int(1e6 * ratio),
        total_bytes=1_000_000,
        message=f"@{time.monotonic_ns()}",
    )
