"""Several gateways and processors on one Redis: the work is shared, and every job ends once, whoever dies."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support import cargo
from tests.support.service import Service
from tests.support.system import QUICK_LEASE, System
from tests.support.waiting import until

JOBS = 40


class Upheaval(NamedTuple):
    """Three jobs in the midst of which their processors were killed, stopped and frozen for a while."""

    system: System
    killed_path: str
    terminated_path: str
    terminated: Service
    terminated_exit_code: int
    frozen_path: str
    frozen: Service


def runner_of(system: System, path: str) -> Service:
    """Find the processor that runs a job, once it is copying."""
    system.wait_for_copying(path)
    job_id = path.rpartition("/")[2]
    [runner] = [service for service in system.processors if "job started" in service.events_logged_about(job_id)]
    return runner


@pytest.fixture(scope="module")
def upheaval(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upheaval]:
    """All three at once, because each of them takes a lease's time; two more processors live on."""
    settings = QUICK_LEASE | {"WAYBILL_SLOTS": "1", "WAYBILL_COPY_RATE_BYTES_PER_SECOND": "350000"}
    with System(tmp_path_factory.mktemp("upheaval"), processors=5, settings=settings) as system:
        paths = system.create_jobs(3, *cargo.LONG[:2])
        killed, terminated, frozen = [runner_of(system, path) for path in paths]
        killed.kill()
        terminated.interrupt()  # hands back now; what SIGTERM does is for test_drain.py
        frozen.freeze()
        until(lambda: system.types(paths[2]).count("started") == 2, "the job of the frozen one is taken over")
        frozen.thaw()
        for path in paths:
            system.wait_for_end(path)
        yield Upheaval(system, paths[0], paths[1], terminated, terminated.exit_code(), paths[2], frozen)


def counts_of(system: System, path: str) -> tuple[int, str, str]:
    """Give a job's attempt, as callers see it, and what Redis counts: crashes and failures."""
    return system.record(path)["attempt"], system.field(path, "crashes"), system.field(path, "failures")


def changes_of(system: System, path: str) -> list[str]:
    """Give a job's events but for its progress, which must not go back."""
    log = system.log(path)
    ratios = [event["progress"] for event in log if event["type"] == "progress"]
    assert ratios == sorted(ratios)
    return [event["type"] for event in log if event["type"] != "progress"]


@pytest.mark.parametrize("partitions", [1, 4])
def test_forty_jobs_through_two_gateways_end_once_each_and_all_processors_have_a_share(
    tmp_path: Path, partitions: int
) -> None:
    settings = {"WAYBILL_SLOTS": "2", "WAYBILL_PARTITIONS": str(partitions)}

    with System(tmp_path, gateways=2, processors=3, settings=settings) as system:
        paths = system.create_jobs(JOBS, *cargo.MIXED)
        records = [system.wait_for_end(path) for path in paths]

        assert Counter(record["status"] for record in records) == {"completed": JOBS}
        assert {record["attempt"] for record in records} == {1}
        for path in paths:
            types = system.types(path)
            assert (types.count("completed"), types[-1]) == (1, "completed")
        shares = [int(service.metric("download_jobs_completed_total")) for service in system.processors]
        assert sum(shares) == JOBS
        assert all(shares), shares
        assert len({path[-21:-18] for path in paths}) == partitions
        assert all(system.count_in_redis(partition)[0] == 0 for partition in range(partitions))


def test_job_of_a_killed_processor_is_taken_over_counted_as_a_crash_and_ends_once(upheaval: Upheaval) -> None:
    system, path = upheaval.system, upheaval.killed_path

    assert changes_of(system, path) == ["queued", "started", "started", "completed"]
    assert counts_of(system, path) == (2, "1", "0")


def test_job_of_a_terminated_processor_is_released_uncounted_and_finished_by_another(upheaval: Upheaval) -> None:
    system, path = upheaval.system, upheaval.terminated_path

    job_id = path.rpartition("/")[2]
    assert changes_of(system, path) == ["queued", "started", "queued", "started", "completed"]
    assert counts_of(system, path) == (1, "0", "0")
    assert upheaval.terminated_exit_code == 0
    assert upheaval.terminated.events_logged_about(job_id) == ["job started", "job released"]


def test_frozen_processor_that_comes_back_learns_that_it_is_superseded_and_touches_nothing(upheaval: Upheaval) -> None:
    system, path, sleeper = upheaval.system, upheaval.frozen_path, upheaval.frozen

    directory = system.objects_dir / "bundles" / path.rpartition("/")[2]
    until(lambda: "job superseded" in sleeper.events_logged_about(directory.name), "the sleeper learns it")
    assert changes_of(system, path) == ["queued", "started", "started", "completed"]
    assert counts_of(system, path) == (2, "1", "0")
    assert "job completed" not in sleeper.events_logged_about(directory.name)
    until(lambda: len(list(directory.iterdir())) == 1, "what the sleeper had written is removed")
    assert system.get(f"{path}/file").status_code == 200


def test_runs_that_were_taken_over_are_counted_by_those_who_took_them(upheaval: Upheaval) -> None:
    system = upheaval.system

    alive = [service for service in system.processors if service.is_alive()]
    assert len(alive) == 3
    assert sum(service.metric("download_reclaimed_total") for service in alive) == 2
    assert sum(service.metric("download_jobs_completed_total") for service in alive) == 3
    assert system.count_in_redis()[0] == 0
