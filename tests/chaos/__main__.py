"""The long form: `make chaos SEED=… MINUTES=… PARTITIONS=…`. The same seed gives the same plan; its timing differs."""

import logging
import os
import secrets
import sys
import tempfile
from pathlib import Path

import structlog

from tests.chaos.checker import breaches
from tests.chaos.crash_points import CrashPoint
from tests.chaos.report import report
from tests.chaos.storm import Storm, Weather

SMALLEST_FREE_SEED = 1_000_000


def main() -> int:
    """Run one storm; the exit code is 1 when a promise was broken, or a crash point never met."""
    # What the clearing up at the end logs of each job would hide the report.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    seed = int(os.environ.get("SEED") or secrets.randbelow(SMALLEST_FREE_SEED))
    minutes = float(os.environ.get("MINUTES") or 5)
    print(f"seed {seed}: the same plan of crash points, faults and failing runs again with SEED={seed}.")
    print("When processes come where is the machine's business, and differs.", flush=True)
    home = Path(tempfile.mkdtemp(prefix="waybill-chaos-"))
    settings = {"WAYBILL_PARTITIONS": os.environ.get("PARTITIONS") or "1"}
    aftermath = Storm(home, Weather(seed=seed, seconds=minutes * 60, patience_seconds=120, settings=settings)).rage()
    print(report(aftermath))
    wrong = breaches(aftermath.history)
    wrong += [f"crash point not met: {point}" for point in CrashPoint if not aftermath.hits[point]]
    print("\n".join(wrong) or "every promise held")
    print(f"logs and diaries: {home}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
