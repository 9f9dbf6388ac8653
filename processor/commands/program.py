"""The command line of the operators: which commands there are.

Exit codes: 0 when all was done, 1 when some of it could not be, 2 for a wrong usage, wrong settings, or no Redis.
"""

import argparse
from collections.abc import Sequence

from processor.commands import archives, backlog, callbacks, dead_letters, doctor, jobs
from shared.command import Act, run_on_redis

MODULES = (backlog, jobs, dead_letters, callbacks, doctor, archives)
"""What an operator looks at first stands first."""


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
    if "run_alone" in options:  # what needs no Redis
        exit_code: int = options.run_alone(options)
        return exit_code
    act: Act = options.prepare(options)
    return run_on_redis("processor", arguments[0], act)
