"""One storm over real processes, short enough for each run of the tests: all points are hit, all promises hold."""

import secrets
from pathlib import Path

import pytest

from tests.chaos.checker import breaches
from tests.chaos.crash_points import CrashPoint
from tests.chaos.history import Asked
from tests.chaos.life import code_of
from tests.chaos.plan import Kind
from tests.chaos.report import report
from tests.chaos.storm import Storm, Weather

SECONDS, PATIENCE_SECONDS, REST_WITHIN_SECONDS = 20.0, 30.0, 40.0
"""A hundred seconds at the very most, with the beginning and the end; about fifty on a machine that is not busy."""


@pytest.mark.timeout(150)
def test_every_promise_holds_after_a_storm_that_hits_every_crash_point(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = secrets.randbelow(1_000_000)
    weather = Weather(
        seed=seed,
        seconds=SECONDS,
        patience_seconds=PATIENCE_SECONDS,
        pause_seconds=1.7,
        rest_within_seconds=REST_WITHIN_SECONDS,
    )
    with capsys.disabled():
        print(f"\nstorm with seed {seed}: again with make chaos SEED={seed}")

    aftermath = Storm(tmp_path, weather).rage()

    with capsys.disabled():
        print(report(aftermath))
    assert breaches(aftermath.history) == []
    assert [point for point in CrashPoint if not aftermath.hits[point]] == []
    assert [kind for kind in Kind if not aftermath.faults[kind]] == []
    history = aftermath.history
    answered = {(call.asked, call.status or call.word) for call in history.calls}
    assert {(Asked.CANCEL, 202), (Asked.DELETE, 204), (Asked.REDRIVE, "OK"), (Asked.RETRY, 202)} <= answered
    ways = {callback.state for kept in history.callbacks.values() for callback in kept}
    assert {"delivered", "dead"} <= ways <= {"delivered", "dead", "superseded"}  # the last by jobs that are begun anew
    assert any(census.unfinished for census in history.censuses)
    assert any(code_of(event) == "EXPIRED" for log in history.logs.values() for event in log)
