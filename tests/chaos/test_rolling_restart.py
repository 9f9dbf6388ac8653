"""A rolling restart under load: nothing is lost, nothing is repeated but runs that were handed back."""

import secrets
from collections import Counter
from pathlib import Path

import pytest

from tests.chaos.checker import breaches
from tests.chaos.clients import Crowd
from tests.chaos.crash_points import Doom
from tests.chaos.fleet import Doomed, Fleet
from tests.chaos.storm import SETTINGS, history_of
from tests.support.system import System
from tests.support.waiting import until

PROCESSORS = 3
MOST_RESTARTS = 15
JOBS_PER_SECOND = 3.0
REST_WITHIN_SECONDS = 45.0


def replace(fleet: Fleet, old: Doomed) -> Counter[str]:
    """Start a processor in the place of another one, as a deploy does; give what became of the jobs of the latter."""
    fleet.start(Doom()).service.wait_until_ready()
    until(old.runs, f"{old.name} has jobs in hand")
    old.drain()
    assert old.service.exit_code() == 0, old.service.log_path
    fleet.note_deaths()
    [account] = [line for line in old.service.log_lines() if line["event"] == "processor drained"]
    return Counter({name: account[name] for name in ("finished", "handed_back", "left")})


@pytest.mark.timeout(150)
def test_a_rolling_restart_under_load_loses_nothing_and_costs_no_crash_and_no_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed, restarts, fates = secrets.randbelow(1_000_000), 0, Counter[str]()
    diaries_dir = tmp_path / "diaries"
    diaries_dir.mkdir()
    with System(tmp_path, gateways=2, processors=0, settings=SETTINGS) as system:
        fleet = Fleet(system, iter(()), size=PROCESSORS, seed=seed, diaries_dir=diaries_dir)
        for _ in range(PROCESSORS):
            fleet.start(Doom()).service.wait_until_ready()
        urls = [gateway.url for gateway in system.gateways]
        with Crowd(urls, seed=seed, jobs_per_second=JOBS_PER_SECOND) as crowd:
            # All of them once; and on, until both has been seen that can become of a job.
            while restarts < PROCESSORS or not (fates["finished"] and fates["handed_back"]):
                assert restarts < MOST_RESTARTS, fates
                fates += replace(fleet, fleet.alive[0])
                restarts += 1
            crowd.create_no_more()
            crowd.wait_for_end(REST_WITHIN_SECONDS)
        history = history_of(system, fleet, crowd)

    with capsys.disabled():
        print(f"\n{restarts} restarts (seed {seed}), {len(history.records)} jobs; in hand at a drain: {dict(fates)}")
    assert breaches(history) == []
    assert fates["left"] == 0
    assert {record.crashes for record in history.records.values()} == {0}
