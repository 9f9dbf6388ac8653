"""`python -m processor`: read the settings, then work until told to stop."""

import sys

from processor.supervisor import work
from shared.service import run_service
from shared.settings import ProcessorSettings


def main() -> int:
    """Run a processor; the exit code is 0 after a clean stop, 2 when it cannot start like this."""
    return run_service("processor", sys.argv[1:], ProcessorSettings, work)
