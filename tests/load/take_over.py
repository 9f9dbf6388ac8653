"""How long jobs wait when their processor is killed: from `kill -9` to the next run, with the settings as shipped."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from deploy.local.valkey import EmbeddedValkey
from shared import limits
from shared.jobstore.store import JobStore
from shared.processor_settings import ProcessorSettings
from tests.support import jobs
from tests.support.holding_handler import LET_GO
from tests.support.servers import empty
from tests.support.service import Service
from tests.support.stores import running_store
from tests.support.waiting import until

JOBS = 20
LOOK_EVERY_SECONDS = 0.1
TAKEN_OVER_WITHIN_SECONDS = 60.0

StartProcessor = Callable[..., AbstractContextManager[Service]]


async def measure_take_over(home: Path, server: EmbeddedValkey, processor: StartProcessor) -> list[float]:
    """Kill the processor of some long jobs beside one that has been there for a while; give each job's seconds."""
    empty(server)
    holding = {"WAYBILL_HANDLER": "tests.support.holding_handler:handle", LET_GO: str(home / "let-go")}
    with processor(home, server.url, **holding) as victim:
        async with running_store(server.url, partitions=1) as store:
            ids = [await jobs.create(store) for _ in range(JOBS)]
            await _wait_for_attempt(store, ids, 1)
            with processor(home, server.url, **holding) as heir:
                await asyncio.to_thread(until, heir.is_ready, "the other one is ready")
                # A new process takes nothing over before a lease has passed; one of a fleet has done so long ago.
                await asyncio.sleep(ProcessorSettings().lease_ms / 1000 + limits.TAKEOVER_GRACE_SECONDS)
                await asyncio.to_thread(victim.kill)
                return await _wait_for_attempt(store, ids, 2)


async def _wait_for_attempt(store: JobStore, ids: list[str], attempt: int) -> list[float]:
    """Wait until all jobs have begun this run; give the seconds that each took."""
    began_at, took_seconds = time.monotonic(), dict.fromkeys(ids, 0.0)
    waiting = set(ids)
    while waiting:
        assert time.monotonic() < began_at + TAKEN_OVER_WITHIN_SECONDS, f"{len(waiting)} jobs still wait"
        for job_id in tuple(waiting):
            record = await store.find(job_id)
            if record is not None and record.attempt >= attempt:
                waiting.remove(job_id)
                took_seconds[job_id] = time.monotonic() - began_at
        await asyncio.sleep(LOOK_EVERY_SECONDS)
    return list(took_seconds.values())
