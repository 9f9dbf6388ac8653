"""Runs one of our programs with something altered: `python -m tests.support.altered <module> NAME=number …`.

A name is a bound of shared/limits.py, so that nobody has to wait for half a minute; or CLOCK_AHEAD_SECONDS, by how much
the clock is wrong by which S3 requests are signed. Everything else is the program as it is.
"""

import contextlib
import runpy
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from shared import limits

CLOCK = "CLOCK_AHEAD_SECONDS"


def command(module: str, altered: Mapping[str, float]) -> list[str]:
    """Give the command line of a program; without anything altered it is the program's own."""
    if not altered:
        return [sys.executable, "-m", module]
    return [sys.executable, "-m", __name__, module, *(f"{name}={value:g}" for name, value in altered.items())]


@contextlib.contextmanager
def altered_here(altered: Mapping[str, float]) -> Iterator[None]:
    """Alter bounds in this process, for as long as it takes: of what a test does beside its programs."""
    before = {name: getattr(limits, name) for name in altered}
    vars(limits).update(altered)
    try:
        yield
    finally:
        vars(limits).update(before)


def main(module: str, settings: Sequence[str]) -> None:
    """Alter, and become the program."""
    for setting in settings:
        name, _, number = setting.partition("=")
        if name == CLOCK:
            _set_clock(timedelta(seconds=float(number)))
            continue
        before = getattr(limits, name)  # a name that is none is a mistake of the test
        setattr(limits, name, type(before)(float(number)))
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _set_clock(ahead: timedelta) -> None:
    import botocore.auth
    from botocore.compat import get_current_datetime

    from shared.objects import s3_trouble

    def signing_time(*arguments: Any, **more: Any) -> datetime:
        return get_current_datetime(*arguments, **more) + ahead

    class WrongClock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + ahead

    vars(botocore.auth)["get_current_datetime"] = signing_time
    vars(s3_trouble)["datetime"] = WrongClock


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
