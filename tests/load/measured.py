"""Runs a command in a process of its own, and tells what it cost."""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_CHILD = """
import json, resource, subprocess, sys, time
started = time.monotonic()
subprocess.run(sys.argv[1:], check=True)
seconds = time.monotonic() - started
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([seconds, used.ru_utime + used.ru_stime, used.ru_maxrss]))
"""


class Cost(NamedTuple):
    """Wall time, processor time, and the highest resident memory in MB (10^6), children included."""

    seconds: float
    cpu_seconds: float
    peak_mb: float


def measure(command: Sequence[str], directory: Path | None = None) -> Cost:
    """Run a command to its end. Raises CalledProcessError when it fails."""
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    child = [sys.executable, "-c", _CHILD, *command]
    output = subprocess.run(child, check=True, cwd=directory, env=environment, stdout=subprocess.PIPE, text=True).stdout
    seconds, cpu_seconds, peak_kb = json.loads(output.splitlines()[-1])
    return Cost(seconds, cpu_seconds, peak_kb * 1024 / 1e6)  # Linux counts in KiB


def median(runs: Sequence[Cost]) -> Cost:
    """Give the medians of the times, and the highest of the peaks."""
    return Cost(
        statistics.median(run.seconds for run in runs),
        statistics.median(run.cpu_seconds for run in runs),
        max(run.peak_mb for run in runs),
    )


def print_table(title: str, measured: dict[str, list[Cost]], total_bytes: float) -> None:
    """Print medians, a row each; the first row is what the others are compared with."""
    medians = {name: median(runs) for name, runs in measured.items()}
    first = next(iter(medians.values()))
    print(f"\n{title}, median of {len(next(iter(measured.values())))}; peak memory: the highest")
    print(f"{'':28}{'seconds':>10}{'CPU s':>10}{'MB/s':>10}{'peak MB':>10}{'time / first':>14}")
    for name, cost in medians.items():
        speed, ratio = total_bytes / 1e6 / cost.seconds, f"{cost.seconds / first.seconds:.2f} x"
        print(f"{name:28}{cost.seconds:10.2f}{cost.cpu_seconds:10.2f}{speed:10.0f}{cost.peak_mb:10.0f}{ratio:>14}")
