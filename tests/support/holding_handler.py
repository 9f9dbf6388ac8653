"""A handler that holds its job and reports now and then, until a file says that it is enough: a light long run."""

import asyncio
import os
import random
from pathlib import Path

from processor.context import Result, RunContext
from processor.progress import Phase, Report
from shared.jobs import BundleSummary, JobRecord

LET_GO = "HOLD_UNTIL_THERE_IS"
"""The variable with the file's path."""
LOOK_EVERY_SECONDS = 1.0


async def handle(job: JobRecord, context: RunContext) -> Result:
    """Hold the job until the file is there, then leave a small object."""
    looks = 0
    while not _may_let_go():
        looks += 1
        context.report(_report(looks, len(job.file_ids)))
        await asyncio.sleep(random.uniform(0.5, 1.5) * LOOK_EVERY_SECONDS)
    key = f"held/{job.job_id}/{job.epoch}.bin"
    await context.leave(key, b"held")
    return Result(key, BundleSummary(files=1, archive_bytes=4, archive_crc32="00000000"))


def _may_let_go() -> bool:
    return Path(os.environ[LET_GO]).exists()


def _report(looks: int, total_files: int) -> Report:
    return Report(
        phase=Phase.BUNDLING,
        work_ratio=1 - 1 / (1 + looks),
        files_processed=0,
        total_files=total_files,
        bytes_processed=looks,
        total_bytes=None,
        message="holding",
    )
