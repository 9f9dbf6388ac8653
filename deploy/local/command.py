"""Runs a command of the processor's command line on the jobs of the `make run` that is up."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from deploy.local.errors import LocalSetupError
from deploy.local.options import Options, read_options
from shared.setting import without_passwords

CANNOT_START = 2


class ChosenRedis(NamedTuple):
    """The Redis that a command is about to work on; `reason` says in a sentence why it is this one."""

    url: str
    reason: str


def run_command(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Become `python -m processor` with these arguments; returns (the exit code) only when there is no Redis to ask.

    The first line on stderr says which Redis it is, and why.
    """
    try:
        chosen = chosen_redis(read_options(environment, Path.cwd()))
    except LocalSetupError as problem:
        print(f"waybill: {problem}", file=sys.stderr)
        return CANNOT_START
    # Flushed, because what is buffered here is gone with the next line.
    print(f"waybill: on {without_passwords(chosen.url)}. {chosen.reason}", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "processor", *arguments]
    return os.execve(sys.executable, command, {**environment, "REDIS_URL": chosen.url})


def chosen_redis(options: Options) -> ChosenRedis:
    """Choose the embedded Redis of the run that is up, else that of REDIS_URL.

    In this order, because a REDIS_URL that was exported for something else may lead to where real jobs are, and
    `redrive --all --yes` asks nothing. Raises LocalSetupError when there is neither.
    """
    try:
        running_url = options.redis_url_file.read_text(encoding="utf-8")
    except OSError as problem:
        if options.redis_url is None:
            raise LocalSetupError(
                f"No make run is up in {options.home}. Start it in another terminal, or set REDIS_URL to another Redis."
            ) from problem
        return ChosenRedis(options.redis_url, f"REDIS_URL says so: no embedded Redis is up in {options.home}.")
    reason = f"It is that of the make run in {options.home}."
    if options.redis_url not in (None, running_url):
        reason += " REDIS_URL is passed over; for that one use `python -m processor` itself."
    return ChosenRedis(running_url, reason)
