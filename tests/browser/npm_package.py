"""The npm package in gateway/web: its scripts are run as a developer runs them."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from deploy.local.page import WEB_DIR, NodeTools, find_node
from tests.support.tools import missing

WITHIN_SECONDS = 100.0


def node_tools() -> NodeTools:
    """Give the Node.js that has built the page."""
    return find_node() or missing("no Node.js is here")


def run_npm(*arguments: str) -> str:
    """Run npm in the package, fail with its words when it fails, and give them."""
    tools = node_tools()
    return _run([*tools.npm, *arguments], tools)


def build_package() -> Path:
    """Build what is published: the client, the React half, the style and the types. Give the package's directory."""
    run_npm("run", "--silent", "build")
    return WEB_DIR


def _run(command: Sequence[str], tools: NodeTools) -> str:
    path = os.pathsep.join((str(Path(tools.node).parent), os.environ.get("PATH", os.defpath)))
    environment = os.environ | {"PATH": path, "NO_COLOR": "1"}
    done = subprocess.run(
        command, cwd=WEB_DIR, env=environment, capture_output=True, text=True, check=False, timeout=WITHIN_SECONDS
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
