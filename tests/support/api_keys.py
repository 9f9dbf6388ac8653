"""API keys, made as an operator makes them."""

import subprocess
import sys

from tests.support.service import environment


def new_api_key(redis_url: str, owner: str, *options: str) -> str:
    """Run the command that makes a key; give the key."""
    command = [sys.executable, "-m", "gateway", "keys", "create", "--owner", owner, *options]
    made = subprocess.run(
        command, env=environment({"REDIS_URL": redis_url}), capture_output=True, text=True, timeout=60, check=True
    )
    return made.stdout.strip()
