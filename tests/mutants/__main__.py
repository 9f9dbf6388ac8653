"""`make mutants`: takes one guard after the other out of a copy of the tree and runs the tests that must notice.

mutants.toml ─▶ copy of the tree, one for each worker ─▶ apply ─▶ its named tests, Valkey alone ─▶ put back
                                                                          │
                          killed: each of them failed    survived: one did not    broken: they could not run
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

from tests.mutants.mutant import Mutant, read_list
from tests.support.stores import SETUPS

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("gateway", "processor", "shared", "deploy", "tests", "pyproject.toml")
# Python's own tracebacks: pytest's parse the sources, which Python 3.11 cannot do everywhere ("AST constructor
# recursion depth mismatch"), and then a killed mutant looks like a broken run.
PYTEST = (sys.executable, "-m", "pytest", "-rf", "--tb=native", "-p", "no:cacheprovider", "-p", "no:faker")
TEST_WITHIN_SECONDS = 10.0
"""For one test: a guard may be what keeps a loop from being endless."""
RUN_WITHIN_SECONDS = 180.0
"""For all tests of a mutant: what hangs in its tear-down, no limit of pytest ends."""
WORKERS = 2


class Verdict(StrEnum):
    """What became of a mutant; only the first is good."""

    KILLED = "killed"
    SURVIVED = "SURVIVED"
    DOES_NOT_APPLY = "DOES NOT APPLY"
    BROKEN = "BROKEN"


class Outcome(NamedTuple):
    """One mutant's end; `output` is what pytest said, for whoever must look into it."""

    mutant: Mutant
    verdict: Verdict
    took_seconds: float
    output: str = ""


def copy_tree(target: Path) -> Path:
    """Copy what tests need, with the compiled files: they are valid while their sources' times stay the same."""
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target / name)
        else:
            shutil.copy2(ROOT / name, target / name)
    return target


def run_tests(
    tests: Sequence[str], tree: Path, *, within_seconds: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Run tests in a tree, on the plain embedded server alone where they run on several. Raises TimeoutExpired."""
    others = " or ".join(str(setup) for setup in SETUPS[1:])
    # One of a test's parameters is enough; of several tests each must fail.
    first_alone = ("--exitfirst",) if len(tests) == 1 else ()
    return subprocess.run(
        [*PYTEST, *first_alone, "--timeout", str(TEST_WITHIN_SECONDS), "-k", f"not ({others})", *tests],
        cwd=tree,
        # Two changes of one file within a second would share their compiled form.
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=within_seconds,
    )


def judge(mutant: Mutant, exit_code: int, output: str) -> Verdict:
    """Read what pytest said: failed tests kill, tests that could not even begin say nothing."""
    failed = [line.removeprefix("FAILED ") for line in output.splitlines() if line.startswith("FAILED ")]
    if exit_code not in (0, 1) or (exit_code == 1 and not failed):
        return Verdict.BROKEN
    noticed = all(
        any(line.startswith((f"{test}[", f"{test} ")) or line == test for line in failed) for test in mutant.tests
    )
    return Verdict.KILLED if noticed else Verdict.SURVIVED


def try_mutant(mutant: Mutant, tree: Path) -> Outcome:
    """Apply a mutant to a copy of the tree, run its tests, and put the file back."""
    began = time.monotonic()
    if not mutant.apply_to(tree):
        return Outcome(mutant, Verdict.DOES_NOT_APPLY, time.monotonic() - began)
    try:
        done = run_tests(mutant.tests, tree, within_seconds=RUN_WITHIN_SECONDS)
    except subprocess.TimeoutExpired as slow:
        return Outcome(mutant, Verdict.BROKEN, time.monotonic() - began, f"{slow}")
    finally:
        shutil.copy2(ROOT / mutant.file, tree / mutant.file)
    output = done.stdout + done.stderr
    return Outcome(mutant, judge(mutant, done.returncode, output), time.monotonic() - began, output)


def try_all(mutants: Sequence[Mutant], scratch: Path) -> Iterator[Outcome]:
    """Try mutants, several at once; give the outcomes in the mutants' order, each as soon as it is there."""
    trees: SimpleQueue[Path] = SimpleQueue()
    for number in range(WORKERS):
        trees.put(copy_tree(scratch / f"tree-{number}"))

    def try_next(mutant: Mutant) -> Outcome:
        tree = trees.get()
        try:
            return try_mutant(mutant, tree)
        finally:
            trees.put(tree)

    with ThreadPoolExecutor(WORKERS) as pool:
        yield from pool.map(try_next, mutants)


def tell(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Print a table as it grows, then what pytest said about those that were not killed; give these."""
    print(f"{'seconds':>7}  {'verdict':14}  mutant", flush=True)
    others = []
    for outcome in outcomes:
        print(f"{outcome.took_seconds:7.1f}  {outcome.verdict:14}  {outcome.mutant.name}", flush=True)
        if outcome.verdict is not Verdict.KILLED:
            others.append(outcome)
    for mutant, verdict, _, output in others:
        print(f"\n=== {verdict}: {mutant.name}\n{mutant.why}\n{mutant.file}: {', '.join(mutant.tests)}\n{output}")
    return others


def read_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="make mutants")
    parser.add_argument("--only", default="", metavar="WORDS", help="mutants with these words in their name")
    parser.add_argument("--sample", type=int, metavar="N", help="only so many, chosen at random")
    parser.add_argument("--seed", default=str(random.randrange(10**6)), help="of the sample, to see the same again")
    return parser.parse_args()


def main() -> int:
    """Try the mutants that were asked for; 1 when one was not killed, or a test fails without any."""
    arguments, began = read_arguments(), time.monotonic()
    mutants = [mutant for mutant in read_list() if arguments.only in mutant.name]
    if arguments.sample is not None and arguments.sample < len(mutants):
        print(f"{arguments.sample} of {len(mutants)} mutants, seed {arguments.seed}")
        mutants = random.Random(arguments.seed).sample(mutants, arguments.sample)
    control = run_tests(sorted({test for mutant in mutants for test in mutant.tests}), ROOT)
    if control.returncode != 0:
        print(f"Without any mutant the tests fail already:\n{control.stdout}{control.stderr}")
        return 1
    with tempfile.TemporaryDirectory(prefix="waybill-mutants-") as scratch:
        others = tell(try_all(mutants, Path(scratch)))
    print(f"\n{len(mutants) - len(others)} of {len(mutants)} mutants killed in {time.monotonic() - began:.0f} s")
    return 1 if others else 0


if __name__ == "__main__":
    sys.exit(main())
