"""Two archives at once, by the library for event loops: python fetch_async.py 70000 70001."""

import asyncio
import os
import sys

from gateway.client import AsyncWaybill


async def fetch(waybill: AsyncWaybill, file_id: int) -> None:
    job = await waybill.submit([file_id], archive_name=f"file {file_id}")
    await job.wait(timeout_seconds=600)
    print(await job.save("."))


async def main() -> None:
    async with (
        AsyncWaybill(os.environ.get("WAYBILL_URL", "http://127.0.0.1:8080")) as waybill,
        asyncio.TaskGroup() as group,
    ):
        for file_id in sys.argv[1:]:
            group.create_task(fetch(waybill, int(file_id)))


asyncio.run(main())
