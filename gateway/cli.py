"""`python -m gateway`: read the settings, then serve until told to stop; with `keys` behind it, look after API keys."""

import sys

from gateway.app import serve
from gateway.auth.keys_command import COMMAND, run_keys_command
from shared.gateway_settings import GatewaySettings
from shared.service import run_service


def main() -> int:
    """Run a gateway, or its command; the exit code is 0 after a clean end, 2 when it cannot run like this."""
    arguments = sys.argv[1:]
    if arguments[:1] == [COMMAND]:
        return run_keys_command(arguments[1:])
    return run_service("gateway", arguments, GatewaySettings, serve)
