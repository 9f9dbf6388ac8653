"""The remaining time of a run: the shared arithmetic, and how far it is off on runs as they are."""

import json
import math
import random
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from processor.progress import Phase, ProgressPace, Report
from processor.remaining import RemainingTime

VECTORS = json.loads((Path(__file__).parents[2] / "vectors/remaining_time.json").read_text(encoding="utf-8"))["cases"]
MB = 1_000_000
TOTAL_BYTES = 1_000 * MB


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["name"])
def test_the_shared_arithmetic(case: dict[str, Any]) -> None:
    remaining = RemainingTime(half_life_seconds=case["half_life_seconds"])

    for at_ms, done_bytes in case["samples"]:
        remaining.sample(done_bytes, at_ms)

    expected = case["remaining_seconds"]
    assert remaining.seconds(case["total_bytes"]) == (None if expected is None else pytest.approx(expected, rel=1e-9))


# ── runs as they are ──────────────────────────────────────────────────────────────────────────────────────────────────


def even(_chance: random.Random, _second: int) -> float:
    return 10 * MB


def noisy(chance: random.Random, _second: int) -> float:
    return 10 * MB * chance.lognormvariate(0, 0.5)


def in_bursts(_chance: random.Random, second: int) -> float:
    return 20 * MB if second % 6 < 3 else 0


def with_a_stall(_chance: random.Random, second: int) -> float:
    return 0 if 40 <= second < 50 else 10 * MB


def misses(bytes_in_second: Callable[[random.Random, int], float]) -> Iterator[float]:
    """Play a run and give |log2(said ÷ true)| for each second in which something was said, but the last five."""
    chance, remaining, done_bytes, said = random.Random(1), RemainingTime(), 0.0, {}
    second = 0
    while done_bytes < TOTAL_BYTES:
        remaining.sample(int(done_bytes), second * 1000)
        said[second] = remaining.seconds(TOTAL_BYTES)
        done_bytes += bytes_in_second(chance, second)
        second += 1
    for at_second, seconds in said.items():
        if seconds is not None and at_second < second - 5:
            yield abs(math.log2(seconds / (second - at_second)))


@pytest.mark.parametrize("pace", [even, noisy, in_bursts, with_a_stall], ids=lambda pace: pace.__name__)
def test_on_the_median_it_is_off_by_less_than_a_fifth(pace: Callable[[random.Random, int], float]) -> None:
    found = sorted(misses(pace))

    assert len(found) > 50
    assert statistics.median(found) <= 0.25
    assert found[int(0.9 * len(found))] <= 0.6


# ── in progress events ────────────────────────────────────────────────────────────────────────────────────────────────


def told(pace: ProgressPace, second: int, phase: Phase, done_bytes: int) -> int | None:
    report = Report(
        phase=phase,
        work_ratio=0.1,
        files_processed=0,
        total_files=1,
        bytes_processed=done_bytes,
        total_bytes=100 * MB,
        message="x",
    )
    return pace.event(report, now_ms=second * 1000, at_ms=0).remaining_seconds


def test_planning_is_no_slow_copying() -> None:
    pace = ProgressPace()
    for second in range(100):
        assert told(pace, second, Phase.PLANNING, 0) is None

    copying = [told(pace, 100 + second, Phase.BUNDLING, 10 * MB * second) for second in range(5)]

    assert copying == [None, None, None, 7, 6]


def test_nothing_is_said_of_the_last_step() -> None:
    pace = ProgressPace()
    for second in range(10):
        told(pace, second, Phase.BUNDLING, 10 * MB * second)

    assert told(pace, 10, Phase.FINISHING, 100 * MB) is None


def test_while_bytes_are_left_it_is_never_nothing() -> None:
    pace = ProgressPace()

    said = [told(pace, second, Phase.BUNDLING, min(100 * MB, 30 * MB * second)) for second in range(5)]

    assert said == [None, None, None, 1, 1]
