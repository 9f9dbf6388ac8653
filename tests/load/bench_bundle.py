"""Measure a bundle of several GB: peak memory and speed, beside `zip -0` of the same files in the same run.

    python -m tests.load.bench_bundle [--gigabytes 4] [--rounds 3] [--directory /where/there/is/room]

Sources are sparse files, so that reading costs little and what is measured is the bundling. Each round runs in a
process of its own. `zip -0` neither knows the size beforehand nor brings its archive to the disk; "zip -0, fsync" does
the latter, as the bundle does.
"""

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from processor.bundle.handler import BundleHandler
from processor.context import RunContext
from shared.jobs import JobRecord, JobState, make_job_id
from shared.objects.catalogue import CatalogueFile
from shared.objects.directory import ObjectDirectory
from shared.objects.manifest import Manifest
from tests.support.tools import require_tool

FILES = 8

_CHILD = """
import json, resource, subprocess, sys, time
started = time.monotonic()
subprocess.run(sys.argv[1:], check=True)
seconds = time.monotonic() - started
print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss]))
"""


def main() -> None:
    """Run the rounds and print the table; or, as the measured child, bundle once."""
    options = _options()
    if options.bundle_in:
        asyncio.run(_bundle(options.bundle_in))
        return
    require_tool("zip")
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        _compare(Path(directory), options.gigabytes * 10**9, options.rounds)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--gigabytes", type=float, default=4, help="of all sources together")
    parser.add_argument("--rounds", type=int, default=3, help="the table shows medians")
    parser.add_argument("--directory", type=Path, help="where the temporary directory is made")
    parser.add_argument("--bundle-in", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _compare(home: Path, total_bytes: float, rounds: int) -> None:
    names = _make_sources(home / "sources", int(total_bytes) // FILES)
    archive = home / "zip.zip"
    zip_command = ["zip", "-0", "-q", "-X", str(archive), *names]
    contenders: dict[str, tuple[list[str], Path]] = {
        "bundle": ([sys.executable, "-m", "tests.load.bench_bundle", "--bundle-in", str(home)], Path.cwd()),
        "zip -0": (zip_command, home / "sources"),
        "zip -0, fsync": (["sh", "-c", '"$@" && sync "$0"', str(archive), *zip_command], home / "sources"),
    }
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, (command, directory) in contenders.items():
            measured[name].append(_measure(command, directory))
            shutil.rmtree(home / "objects", ignore_errors=True)
            archive.unlink(missing_ok=True)
            os.sync()  # nobody pays for what another one left to be written
    _print_table(measured, total_bytes)


def _make_sources(directory: Path, size_bytes: int) -> list[str]:
    directory.mkdir()
    names = [f"source-{number}.bin" for number in range(FILES)]
    for name in names:
        with (directory / name).open("wb") as file:
            file.truncate(size_bytes)
    return names


def _measure(command: list[str], directory: Path) -> tuple[float, float]:
    """Run a command; give seconds and the peak resident memory of it and its children, in MB."""
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    child = [sys.executable, "-c", _CHILD, *command]
    output = subprocess.run(child, check=True, cwd=directory, env=environment, capture_output=True, text=True).stdout
    seconds, peak_kb = json.loads(output)
    return seconds, peak_kb * 1024 / 1e6  # Linux counts in KiB


def _print_table(measured: dict[str, list[tuple[float, float]]], total_bytes: float) -> None:
    medians = {
        name: (statistics.median(seconds for seconds, _ in runs), max(peak for _, peak in runs))
        for name, runs in measured.items()
    }
    bundle_seconds, bundle_peak_mb = medians["bundle"]
    rounds = len(measured["bundle"])
    print(f"{total_bytes / 1e9:g} GB in {FILES} sparse files, median of {rounds}, peak memory: the highest of {rounds}")
    print(f"{'':16}{'seconds':>10}{'MB/s':>10}{'peak MB':>10}{'speed of bundle':>18}{'memory of bundle':>18}")
    for name, (seconds, peak_mb) in medians.items():
        speed, memory = f"{seconds / bundle_seconds:.2f} x", f"{bundle_peak_mb / peak_mb:.2f} x"
        print(f"{name:16}{seconds:10.2f}{total_bytes / 1e6 / seconds:10.0f}{peak_mb:10.0f}{speed:>18}{memory:>18}")


async def _bundle(home: Path) -> None:
    """Bundle all sources once, as a processor does."""
    keys = sorted(path.name for path in (home / "sources").iterdir())
    files = [CatalogueFile(70000 + position, key, key) for position, key in enumerate(keys)]
    handler = BundleHandler(
        Manifest(files, path=home / "catalogue.jsonl"),
        sources=ObjectDirectory(home / "sources"),
        objects=ObjectDirectory(home / "objects"),
    )
    job = JobRecord(
        job_id=make_job_id(0, 1),
        owner="bench",
        state=JobState.PROCESSING,
        file_ids=tuple(range(70000, 70000 + len(keys))),
        epoch=1,
        seq=2,
        entry="1-0",
        created_at_ms=0,
        updated_at_ms=0,
    )
    await handler(job, RunContext(confirm=_confirmed))


async def _confirmed() -> None:
    """Stand in for the engine, whose lease is not what is measured."""


if __name__ == "__main__":
    main()
