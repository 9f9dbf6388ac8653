"""What KEDA counts, counted as KEDA does: the lengths of its triggers' streams, as its user."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from shared.jobstore.store import JobStore
from tests.deploy.k8s.installations import installation
from tests.deploy.redis.guarded import PASSWORDS, asking, guarded_server
from tests.support import jobs
from tests.support.service import environment
from tests.support.stores import running_store

PARTITIONS = 16


@pytest.fixture
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A server that knows the four users."""
    with guarded_server("valkey", tmp_path_factory.mktemp("guarded")) as server:
        yield server


async def fill(store: JobStore) -> None:
    """Let jobs stand everywhere: forty wait, some run, some are parked, some have ended."""
    created = [await jobs.create(store) for _ in range(40)]
    for number, job_id in enumerate(created[:12]):
        run = await jobs.claim(store, await jobs.take(store, job_id))
        if number % 3 == 1:
            await store.retry_later(run, message=jobs.RETRYING, error=jobs.BROKEN, delay_ms=60_000, lease_ms=60_000)
        if number % 3 == 2:
            await store.finish(run, jobs.completion())


async def test_backlog_command_prints_what_the_triggers_of_keda_add_up_to(port: int) -> None:
    scaled = installation("keda-cluster").get("ScaledObject", "waybill-processor")["spec"]
    streams = [trigger["metadata"]["stream"] for trigger in scaled["triggers"]]
    url = f"redis://admin:{PASSWORDS['admin']}@127.0.0.1:{port}/0"
    async with running_store(url, partitions=PARTITIONS) as store:
        await fill(store)
        async with asking(port, "keda") as tell:
            lengths = [await tell("XLEN", stream) for stream in streams]

        command = [sys.executable, "-m", "processor", "backlog", "--json"]
        printed = await asyncio.to_thread(
            subprocess.run, command, env=environment({"REDIS_URL": url}), capture_output=True, text=True, timeout=60
        )

    told = json.loads(printed.stdout)
    assert [partition["unfinished"] for partition in told["partitions"]] == lengths
    assert told["unfinished"] == sum(lengths) == 36
    assert told["parked"] == 4
    assert told["running"] > 0
    assert told["running"] + told["parked"] + told["waiting"] == 36
