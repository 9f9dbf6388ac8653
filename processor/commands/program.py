"""The command line of the operators: which commands there are, and how each of them begins and ends.

Exit codes: 0 when all was done, 1 when some of it could not be, 2 for a wrong usage, wrong settings, or no Redis.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from processor.commands import archives, backlog, dead_letters, doctor, jobs
from shared.environment import load
from shared.errors import RedisUnavailable, UnavailableError
from shared.jobstore.access import Commands, open_commands
from shared.jobstore.wire import NOT_LET_IN, REFUSED
from shared.service import explaining
from shared.settings import RedisSettings
from shared.telemetry.logging import configure_logging

MODULES = (backlog, jobs, dead_letters, doctor, archives)
"""What an operator looks at first stands first."""

INTERRUPTED = 130  # as shells call it: 128 + SIGINT
READER_LEFT = 141  # 128 + SIGPIPE: `… | head` has seen enough


def is_command(arguments: Sequence[str]) -> bool:
    """Tell whether a command line asks for a command, and not for a processor."""
    return bool(arguments) and any(arguments[0] in module.COMMANDS for module in MODULES)


def run_command(arguments: Sequence[str]) -> int:
    """Run one command to its end; give its exit code. A wrong usage exits by itself, with 2."""
    parser = argparse.ArgumentParser(prog="python -m processor", allow_abbrev=False)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for module in MODULES:
        module.add_to(commands)
    options = parser.parse_args(arguments)
    act: Callable[[Commands], Coroutine[Any, Any, int]] = options.prepare(options)

    def start() -> int:
        settings = load(RedisSettings, os.environ)
        # What is wrong is said in one line at the end; the connection's own lines would repeat it.
        configure_logging("processor", level="critical")
        return asyncio.run(_connected(settings, act))

    try:
        return explaining(f"processor {arguments[0]}", start)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # What is still buffered must not be flushed into the closed pipe when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_LEFT


async def _connected(settings: RedisSettings, act: Callable[[Commands], Coroutine[Any, Any, int]]) -> int:
    location = settings.redis_location()
    commands = open_commands(location, name="waybill-command")
    owner = asyncio.create_task(commands.run(), name="redis")
    acting = asyncio.create_task(act(commands), name="command")
    try:
        # The owner ends by itself only when the server cannot be used at all.
        await asyncio.wait({owner, acting}, return_when=asyncio.FIRST_COMPLETED)
        # First: what was asked meanwhile only knows that the connection has ended.
        return await _reason_of(owner) if owner.done() else acting.result()
    except UnavailableError as error:
        raise type(error)(_sentence(error, location.shown, commands.last_trouble)) from None
    finally:
        acting.cancel()
        owner.cancel()
        await asyncio.wait({owner, acting})


def _sentence(error: UnavailableError, shown_url: str, trouble: str) -> str:
    if isinstance(error, RedisUnavailable) and REFUSED in trouble:
        return f"Redis cannot be reached at {shown_url}: {trouble}. Check that it is up, and REDIS_URL."
    if isinstance(error, RedisUnavailable) and NOT_LET_IN in trouble:
        return f"REDIS_URL={shown_url}: {trouble}."
    return f"REDIS_URL={shown_url}: {error.message}"


async def _reason_of(owner: asyncio.Task[None]) -> int:
    await owner
    raise AssertionError("a connection does not end without a reason")
