"""Handlers of jobs that do nothing: what is measured is everything around them."""

from processor.context import Result, RunContext
from shared.jobs import BundleSummary, JobRecord

NOTHING = BundleSummary(files=0, archive_bytes=0, archive_crc32="00000000")


async def handle(_job: JobRecord, _context: RunContext) -> Result:
    """Return at once: who has made 0 bytes has nothing to leave."""
    return Result("nothing", NOTHING)
