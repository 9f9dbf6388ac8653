"""Runs a command of the processor's or the gateway's command line on the Redis of the `make run` that is up."""

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from deploy.local.errors import LocalSetupError
from deploy.local.options import Options, read_options
from shared.setting import without_passwords

CANNOT_START = 2
KEYS_COMMAND = "keys"
READING_COMMANDS = (
    ("backlog",),
    ("jobs", "show"),
    ("dead-letters", "list"),
    ("dead-letters", "show"),
    ("callbacks", "list"),
    ("callbacks", "dead"),
    ("callbacks", "show"),
    ("callbacks", "test"),  # asks no Redis
    ("doctor",),
    (KEYS_COMMAND, "list"),
)
"""How the command lines begin that change nothing in Redis, unless they have a `--repair`. Others count as changing."""


class ChosenRedis(NamedTuple):
    """The Redis that a command is about to work on; `reason` says in a sentence why it is this one.

    `is_exported`: it is that of REDIS_URL, which may have been exported for something else.
    """

    url: str
    reason: str
    is_exported: bool = False


def run_command(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Become `python -m processor`, for keys `gateway`, with these arguments; returns an exit code where it must not.

    The first line on stderr says which Redis it is, and why.
    """
    try:
        options = read_options(environment, Path.cwd())
        chosen = chosen_redis(options)
        if chosen.is_exported:
            refuse_change_elsewhere(arguments, options)
    except LocalSetupError as problem:
        print(f"waybill: {problem}", file=sys.stderr)
        return CANNOT_START
    # Flushed, because what is buffered here is gone with the next line.
    print(f"waybill: on {without_passwords(chosen.url)}. {chosen.reason}", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", program_of(arguments), *arguments]
    return os.execve(sys.executable, command, {**environment, "REDIS_URL": chosen.url})


def chosen_redis(options: Options) -> ChosenRedis:
    """Choose the Redis of the run that is up, its own or its REDIS_URL's, else that of this shell's REDIS_URL.

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
        reason = f"REDIS_URL says so: no make run is up in {options.home}."
        return ChosenRedis(options.redis_url, reason, is_exported=True)
    reason = f"It is that of the make run in {options.home}."
    if options.redis_url is not None and without_passwords(options.redis_url) == running_url:
        return ChosenRedis(options.redis_url, reason)
    if options.redis_url is not None:
        reason += " REDIS_URL is passed over; for that one use `python -m processor`, or `gateway`, itself."
    return ChosenRedis(running_url, reason)


def refuse_change_elsewhere(arguments: Sequence[str], options: Options) -> None:
    """Raise LocalSetupError for a command that would change what REDIS_URL leads to.

    Whoever means a `make run` that is not up would discard, with `--all --yes`, what a REDIS_URL of production has.
    """
    if is_reading(arguments):
        return
    raise LocalSetupError(
        f"No make run is up in {options.home}, and `{shlex.join(arguments)}` changes something: it is not done on "
        f"{without_passwords(options.redis_url or '')}, to which REDIS_URL leads. Start make run in another terminal "
        f"for its own, or use this for that one: {sys.executable} -m {program_of(arguments)} {shlex.join(arguments)}"
    )


def is_reading(arguments: Sequence[str]) -> bool:
    """Tell whether a command line is known to change nothing in Redis."""
    if {"-h", "--help"} & set(arguments):
        return True
    begins = any(tuple(arguments[: len(known)]) == known for known in READING_COMMANDS)
    return begins and "--repair" not in arguments


def program_of(arguments: Sequence[str]) -> str:
    """Give the program whose command this is: keys are the gateway's, all others the processor's."""
    return "gateway" if arguments[:1] == [KEYS_COMMAND] else "processor"
