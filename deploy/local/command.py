"""Runs a command of the processor's command line on the jobs of the `make run` that is up."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.local.errors import LocalSetupError
from deploy.local.options import Options, read_options

CANNOT_START = 2


def run_command(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Become `python -m processor` with these arguments; returns (the exit code) only when there is no Redis to ask."""
    try:
        redis_url = redis_url_of(read_options(environment, Path.cwd()))
    except LocalSetupError as problem:
        print(f"waybill: {problem}", file=sys.stderr)
        return CANNOT_START
    command = [sys.executable, "-m", "processor", *arguments]
    return os.execve(sys.executable, command, {**environment, "REDIS_URL": redis_url})


def redis_url_of(options: Options) -> str:
    """The Redis of the set-up: REDIS_URL's, or the embedded one. Raises LocalSetupError when that one is not up."""
    if options.redis_url is not None:
        return options.redis_url
    try:
        return options.redis_url_file.read_text(encoding="utf-8")
    except OSError as problem:
        raise LocalSetupError(
            f"No make run is up in {options.home}. Start it in another terminal, or set REDIS_URL to another Redis."
        ) from problem
