"""How a command of an operator begins and ends: it is given a connection to Redis, and gives an exit code.

Exit codes: what the command gives, 2 for wrong settings, or no Redis.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from shared.environment import load
from shared.errors import RedisUnavailable, UnavailableError
from shared.jobstore.access import Commands, open_commands
from shared.jobstore.wire import NOT_LET_IN, REFUSED
from shared.service import explaining
from shared.settings import RedisSettings
from shared.telemetry.logging import configure_logging

Act = Callable[[Commands], Coroutine[Any, Any, int]]

INTERRUPTED = 130  # as shells call it: 128 + SIGINT
READER_LEFT = 141  # 128 + SIGPIPE: `… | head` has seen enough


def run_on_redis(program: str, command: str, act: Act) -> int:
    """Run a command of one of our programs to its end; give its exit code."""

    def start() -> int:
        settings = load(RedisSettings, os.environ)
        # What is wrong is said in one line at the end; the connection's own lines would repeat it.
        configure_logging(program, level="critical")
        return asyncio.run(_connected(settings, act))

    try:
        return explaining(f"{program} {command}", start)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # What is still buffered must not be flushed into the closed pipe when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_LEFT


async def _connected(settings: RedisSettings, act: Act) -> int:
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
