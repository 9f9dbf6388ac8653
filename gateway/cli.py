"""`python -m gateway`: read the settings, then serve until told to stop."""

import sys

from gateway.app import serve
from shared.service import run_service
from shared.settings import GatewaySettings


def main() -> int:
    """Run a gateway; the exit code is 0 after a clean stop, 2 when it cannot start like this."""
    return run_service("gateway", sys.argv[1:], GatewaySettings, serve)
