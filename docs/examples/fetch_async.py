"""Usage: python fetch_async.py 70000 70001

Several archives at once, by the library for event loops, which needs `pip install '.[client]'` in the checkout.
WAYBILL_URL is the server, else http://127.0.0.1:8080; WAYBILL_API_KEY the API key or token, where it asks for one.
"""

import asyncio
import os
import sys

from gateway.client import AsyncWaybill

URL = os.environ.get("WAYBILL_URL", "http://127.0.0.1:8080")


async def fetch(waybill: AsyncWaybill, file_id: int) -> None:
    job = await waybill.submit([file_id], archive_name=f"file {file_id}")
    await job.wait(timeout_seconds=600)
    print(await job.save("."))


async def main() -> None:
    async with (
        AsyncWaybill(URL, api_key=os.environ.get("WAYBILL_API_KEY")) as waybill,
        asyncio.TaskGroup() as group,
    ):
        for file_id in sys.argv[1:]:
            group.create_task(fetch(waybill, int(file_id)))


if len(sys.argv) < 2:
    sys.exit(__doc__)
asyncio.run(main())
