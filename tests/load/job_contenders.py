"""Other job queues doing what bench_jobs does: create jobs that do nothing, then end them all, one process each.

    python tests/load/job_contenders.py arq|saq|taskiq|streaq <redis URL> <jobs>

Runs in an environment of its own (`make bench-environment`), because arq wants an older redis-py than ours; so it
imports nothing of Waybill. Prints created and ended a second, and microseconds of its own CPU for each end.
"""

import asyncio
import contextlib
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop

CREATORS = 100
SLOTS = 200


class Race:
    """Counts the ends of jobs; the clock runs from the first of them."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.ended = 0
        self.is_over = asyncio.Event()
        self._began_at = 0.0
        self._cpu_seconds = 0.0
        self.created_per_second = 0.0

    async def create(self, create_one: Callable[[], Awaitable[object]]) -> None:
        """Create all jobs with a hundred callers."""
        began_at, left = time.monotonic(), iter(range(self.count))

        async def create() -> None:
            for _ in left:
                await create_one()

        await asyncio.gather(*(create() for _ in range(CREATORS)))
        self.created_per_second = self.count / (time.monotonic() - began_at)

    def end_one(self) -> None:
        """One job has been run."""
        if self.ended == 0:
            self._began_at, self._cpu_seconds = time.monotonic(), time.process_time()
        self.ended += 1
        if self.ended == self.count:
            took_seconds = time.monotonic() - self._began_at
            cpu_us = (time.process_time() - self._cpu_seconds) / self.count * 1e6
            print(f"{self.created_per_second:.0f} {self.count / took_seconds:.0f} {cpu_us:.0f}", flush=True)
            self.is_over.set()

    async def run(self, work: Awaitable[object]) -> None:
        """Let a worker work until all jobs have been run."""
        working = asyncio.ensure_future(work)
        await asyncio.wait({working, asyncio.ensure_future(self.is_over.wait())}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0.2)
        working.cancel()
        with contextlib.suppress(BaseException):
            await working


async def arq(url: str, race: Race) -> None:
    """Run arq."""
    from arq import Worker, create_pool, func
    from arq.connections import RedisSettings

    async def nothing(_: Any) -> None:
        race.end_one()

    settings = RedisSettings.from_dsn(url)
    pool = await create_pool(settings)
    await race.create(lambda: pool.enqueue_job("nothing"))
    functions = [func(nothing, name="nothing")]
    worker = Worker(functions, redis_settings=settings, max_jobs=SLOTS, poll_delay=0.01, handle_signals=False)
    await race.run(worker.async_run())


async def saq(url: str, race: Race) -> None:
    """Run saq."""
    from saq import Queue, Worker

    async def nothing(_: Any) -> None:
        race.end_one()

    queue = Queue.from_url(url)
    await queue.connect()
    await race.create(lambda: queue.enqueue("nothing"))
    await race.run(Worker(queue, functions=[("nothing", nothing)], concurrency=SLOTS).start())


async def taskiq(url: str, race: Race) -> None:
    """Run taskiq with its Redis stream broker and result backend."""
    from taskiq.api import run_receiver_task
    from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

    broker = RedisStreamBroker(url=url).with_result_backend(RedisAsyncResultBackend(url, result_ex_time=3600))

    @broker.task(task_name="nothing")  # type: ignore[untyped-decorator]  # not installed beside mypy
    async def nothing() -> None:
        race.end_one()

    await broker.startup()
    await race.create(nothing.kiq)
    await race.run(run_receiver_task(broker, max_async_tasks=SLOTS))


async def streaq(url: str, race: Race) -> None:
    """Run streaq."""
    from streaq import Worker

    worker = Worker(redis_url=url, concurrency=SLOTS)

    @worker.task()  # type: ignore[untyped-decorator]  # not installed beside mypy
    async def nothing() -> None:
        race.end_one()

    async with worker:
        await race.create(nothing.enqueue)
    await race.run(worker.run_async())


def main() -> None:
    """Run one of them."""
    name, url, count = sys.argv[1:]
    contenders = {"arq": arq, "saq": saq, "taskiq": taskiq, "streaq": streaq}

    async def compete() -> None:
        await contenders[name](url, Race(int(count)))

    uvloop.run(compete())


if __name__ == "__main__":
    main()
