"""The outage rule: while Redis is away for longer than the lease nobody can renew, and nobody is robbed for it."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from deploy.local.resp import ask
from shared import limits
from shared.event_id import START
from shared.jobs import JobRecord
from shared.jobstore.store import JobStore
from tests.support import jobs, servers
from tests.support.holding_handler import LET_GO
from tests.support.stores import running_store
from tests.support.system import System
from tests.support.waiting import until

JOBS = 300
PROCESSORS = 3
FREE_SLOTS = 50
"""Of each processor: who has no slot to spare cannot rob."""
LEASE_SECONDS = 3.0
AWAY_SECONDS = 1.5 * LEASE_SECONDS
UNTIL_CONNECTIONS_ARE_GIVEN_UP_SECONDS = limits.REDIS_BATCH_WITHIN_SECONDS + 2
SWEPT_AFTER_SECONDS = LEASE_SECONDS + 2.5
"""Redis is back for so long: sweepers may sweep again, and have swept."""
SETTINGS = {
    "WAYBILL_HANDLER": "tests.support.holding_handler:handle",
    "WAYBILL_LEASE_MS": str(round(LEASE_SECONDS * 1000)),
    "WAYBILL_RENEW_EVERY_MS": "1000",
    "WAYBILL_SLOTS": str(JOBS // PROCESSORS + FREE_SLOTS),
    "WAYBILL_LOG_LEVEL": "warning",
}
COMMANDS = "waybill:{0}:commands"


class Held(NamedTuple):
    """Jobs that ran through an outage to their end: their records, and which events they have."""

    records: list[JobRecord]
    types: Counter[str]


@contextmanager
def stopped(system: System) -> Iterator[None]:
    """Take Redis away, and start it again with its append-only file."""
    system.redis.kill()
    try:
        yield
    finally:
        system.redis.start()


@contextmanager
def paused(system: System) -> Iterator[None]:
    """Let Redis stand still with its connections open."""
    with servers.frozen(system.redis):
        yield


async def create_jobs(store: JobStore) -> list[str]:
    """Create all jobs; give their ids."""
    return list(await asyncio.gather(*(jobs.create(store) for _ in range(JOBS))))


async def look_at(store: JobStore, ids: list[str]) -> Held:
    """Read all records and logs."""
    records = await asyncio.gather(*map(store.find, ids))
    logs = await asyncio.gather(*(store.read_events(job_id, after=START, count=1_000) for job_id in ids))
    return Held(
        records=[record for record in records if record],
        types=Counter(message.split(b'"', 4)[3].decode() for log in logs for _, message in log),
    )


async def hold_through(system: System, let_go: Path, outage: AbstractContextManager[None], away_seconds: float) -> Held:
    """Run all jobs, take Redis away for longer than a lease, wait for the sweepers, and let the jobs end."""
    async with running_store(system.redis.url, partitions=1) as store:
        ids = await create_jobs(store)
        await asyncio.to_thread(until, lambda: all_run(system), "all jobs run")
    with outage:
        await asyncio.sleep(away_seconds)  # what is tested is that so much time changes nothing
    await asyncio.sleep(SWEPT_AFTER_SECONDS)
    await asyncio.to_thread(let_go.touch)
    await asyncio.to_thread(until, lambda: ask(system.redis.port, "XLEN", COMMANDS) == "0", "all jobs have ended")
    async with running_store(system.redis.url, partitions=1) as store:
        return await look_at(store, ids)


def all_run(system: System) -> bool:
    """Tell whether the processors have all jobs in their hands; each of them reports the jobs of all."""
    return {service.metric("download_jobs_in_progress") for service in system.processors} == {JOBS}


@pytest.mark.parametrize(
    ("outage", "away_seconds"),
    [(stopped, AWAY_SECONDS), (paused, AWAY_SECONDS), (paused, UNTIL_CONNECTIONS_ARE_GIVEN_UP_SECONDS)],
)
def test_outage_longer_than_the_lease_steals_none_of_three_hundred_running_jobs(
    tmp_path: Path, outage: Callable[[System], AbstractContextManager[None]], away_seconds: float
) -> None:
    let_go = tmp_path / "let-go"
    settings = SETTINGS | {LET_GO: str(let_go)}

    with System(tmp_path, gateways=0, processors=PROCESSORS, settings=settings) as system:
        held = asyncio.run(hold_through(system, let_go, outage(system), away_seconds))

    stolen = [record for record in held.records if (record.epoch, record.attempt, record.crashes) != (1, 1, 0)]
    assert stolen == []
    assert Counter(str(record.state) for record in held.records) == {"completed": JOBS}
    assert held.types["started"] == JOBS
