"""Redis comes back as it was some time ago, the way docs/operations.md tells: what was true then goes on from there."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import cargo
from tests.support.curl import CurlViewer
from tests.support.operator import Operator
from tests.support.system import System

KEY = {"Idempotency-Key": "the-same-wish"}


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    """A gateway and a processor; Redis keeps an append-only file."""
    with System(tmp_path / "system") as running:
        yield running


def stop_processor(system: System) -> None:
    """Stop the processor that works."""
    system.processors[-1].terminate()
    assert system.processors[-1].exit_code() == 0


def start_processor(system: System) -> None:
    """Start another one."""
    system.processors.append(system.start("processor"))
    system.processors[-1].wait_until_ready()


def put_back(system: System, copy: Path) -> None:
    """Stop everything, put the copy in the place of the append-only file, start everything but a processor."""
    stop_processor(system)
    system.gateways[0].terminate()
    assert system.gateways[0].exit_code() == 0
    system.redis.stop()
    shutil.rmtree(system.redis.data_dir / "appendonlydir")
    shutil.copytree(copy, system.redis.data_dir / "appendonlydir")
    system.redis.start()
    system.gateways[0] = system.start("gateway")
    system.gateways[0].wait_until_ready()


async def test_an_older_copy_of_redis_goes_on_from_where_it_was(system: System, tmp_path: Path) -> None:
    ended, deleted = system.create_job(cargo.MIXED[0]), system.create_job(cargo.MIXED[0])
    system.wait_for_end(ended)
    system.wait_for_end(deleted)
    stop_processor(system)
    waiting = system.create_job(cargo.MIXED[0])
    shutil.copytree(system.redis.data_dir / "appendonlydir", tmp_path / "copy")
    start_processor(system)
    system.wait_for_end(waiting)
    last_seen = system.log(waiting)[-1]["id"]
    assert system.call("DELETE", deleted).is_success
    lost = system.create_job(cargo.MIXED[0], headers=KEY)
    system.wait_for_end(lost)

    put_back(system, tmp_path / "copy")
    with CurlViewer(f"{system.url}{waiting}/stream", "-H", f"Last-Event-ID: {last_seen}") as viewer:
        told = viewer.next_event()
    start_processor(system)

    assert (told.type, told.data["status"]) == ("snapshot", "queued")
    assert told.data["gap"]
    assert system.record(ended)["status"] == "completed"
    assert system.archive(ended)
    assert system.wait_for_end(waiting)["status"] == "completed", "it is done once more"
    assert system.archive(waiting)
    assert [system.types(waiting).count(once) for once in ("queued", "started", "completed")] == [1, 1, 1]
    assert system.record(deleted)["status"] == "completed", "it is there again"
    assert system.get(f"{deleted}/file").status_code in (404, 410)
    assert system.get(lost).status_code == 404
    again = system.create_job(cargo.MIXED[0], headers=KEY)
    assert system.wait_for_end(again)["status"] == "completed"
    looked_at = await Operator(system.redis.url).run("doctor")
    assert looked_at.returncode == 0, looked_at.stdout
