"""The benchmark of 10,000 downloads can be believed: it sees what is lost, and its short form runs."""

import re
import subprocess
import sys

import pytest

from tests.load.bench_10k import Outcome, print_verdict
from tests.load.whole_lives import Life, Lives

WHOLE = Lives(
    events=10, ages_ns=[1, 2], lost=0, doubled=0, ended=2, returns=0, last_ids={"a": "1-5", "b": "1-5"}, cpu_seconds=0.1
)
KEPT = Outcome(unfinished=0, mistaken=0, taken_over=0)


def life_of(*event_ids: str) -> Life:
    life = Life()
    for event_id in event_ids[:-1]:
        life.see(event_id, is_terminal=False)
    life.see(event_ids[-1], is_terminal=True)
    return life


def test_life_without_holes_is_whole_even_over_a_second_run() -> None:
    life = life_of("1-2", "1-3", "2-4", "2-5")

    assert (life.lost, life.doubled, life.has_ended, life.last_id) == (0, 0, True, "2-5")


def test_hole_is_counted_as_so_many_lost_events() -> None:
    assert life_of("1-2", "1-5").lost == 2


def test_event_that_comes_twice_or_after_the_end_is_counted() -> None:
    life = life_of("1-2", "1-2", "1-3")
    life.see("1-4", is_terminal=True)

    assert life.doubled == 2


@pytest.mark.parametrize(
    ("lives", "outcome"),
    [
        (WHOLE._replace(lost=1), KEPT),
        (WHOLE._replace(doubled=1), KEPT),
        (WHOLE._replace(ended=1), KEPT),
        (WHOLE, KEPT._replace(unfinished=1)),
        (WHOLE, KEPT._replace(mistaken=1)),
    ],
)
def test_whatever_is_lost_fails_the_benchmark(lives: Lives, outcome: Outcome) -> None:
    assert print_verdict(2, WHOLE, KEPT)
    assert not print_verdict(2, lives, outcome)


def test_short_form_runs_all_jobs_at_once_and_loses_nothing() -> None:
    done = run("--jobs 60 --gateways 2 --processors 1 --reports 2 --every 1")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing was lost" in done.stdout
    figures = dict(re.findall(r"^(\S.*?) {2,}([\d,.]+)", done.stdout, re.MULTILINE))
    assert int(figures["ends seen"]) == 60
    assert int(figures["progress seen"]) >= 120
    assert int(figures["running at once, peak"]) == 60


def test_one_job_that_tells_nothing_is_measured_too() -> None:
    done = run("--jobs 1 --gateways 1 --processors 1 --reports 0 --every 1")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing was lost" in done.stdout


def test_more_jobs_than_slots_are_refused_for_they_would_take_turns() -> None:
    done = run("--jobs 1001 --processors 1")

    assert (done.returncode, done.stdout) == (2, "")
    assert "more --processors" in done.stderr


def run(options: str) -> "subprocess.CompletedProcess[str]":
    """Run the benchmark."""
    command = [sys.executable, "-m", "tests.load.bench_10k", *options.split()]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
