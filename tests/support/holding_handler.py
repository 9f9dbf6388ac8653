"""A handler that holds its job and reports now and then, until a file says that it is enough: a light long run."""

import asyncio
import os
import random
import zlib
from pathlib import Path

from processor.context import Result, RunContext
from processor.progress import Phase, Report
from shared.jobs import BundleSummary, JobRecord

HELD = b"held"
"""The object that is left."""
SILENT = "silent"
"""The archive's name of a job whose stream has nothing but heartbeats."""
LET_GO = "HOLD_UNTIL_THERE_IS"
"""The variable with the file's path."""
LOOK_EVERY_SECONDS = 1.0


async def handle(job: JobRecord, context: RunContext) -> Result:
    """Hold the job until the file is there, then leave a small object; a SILENT job is not reported on meanwhile."""
    looks = 0
    while not _may_let_go():
        looks += 1
        if job.options.archive_name != SILENT:
            context.report(_report(looks, len(job.file_ids)))
        await asyncio.sleep(random.uniform(0.5, 1.5) * LOOK_EVERY_SECONDS)
    return await _leave(job, context)


async def _leave(job: JobRecord, context: RunContext) -> Result:
    key = f"held/{job.job_id}/{job.epoch}.bin"
    await context.leave(key, HELD)
    return Result(key, BundleSummary(files=1, archive_bytes=len(HELD), archive_crc32=f"{zlib.crc32(HELD):08x}"))


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
