"""`python -m processor`: work until told to stop; with a command behind it, do that and end."""

import sys

from processor.commands.program import is_command, run_command
from processor.supervisor import work
from shared.processor_settings import ProcessorSettings
from shared.service import run_service


def main() -> int:
    """Run a processor, or a command; the exit code is 0 after a clean end, 2 when it cannot run like this."""
    arguments = sys.argv[1:]
    if is_command(arguments):
        return run_command(arguments)
    return run_service("processor", arguments, ProcessorSettings, work)
