"""The npm package in gateway/web: its scripts are run as a developer runs them."""

import fcntl
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from deploy.local.page import WEB_DIR, NodeTools, find_node, stamp_of
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
    """Build what is published: the client, the React half, the style and the types. Give the package's directory.

    It is built once for each state of its sources, though several processes of a run ask for it.
    """
    stamp_path = WEB_DIR / "dist" / "package.stamp"
    with (WEB_DIR / "dist" / "package.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = stamp_of(WEB_DIR)
        if not stamp_path.exists() or stamp_path.read_text(encoding="utf-8") != wanted:
            run_npm("run", "--silent", "build")
            stamp_path.write_text(wanted, encoding="utf-8")
    return WEB_DIR


def build_page(root: Path, directory: Path, *, config: str) -> None:
    """Build a page of ours that only tests see; the packages are there already, for the page has been built before."""
    tools = node_tools()
    vite = WEB_DIR / "node_modules" / "vite" / "bin" / "vite.js"
    command = [tools.node, str(vite), "build", str(root), "--config", str(WEB_DIR / config)]
    _run([*command, "--outDir", str(directory), "--emptyOutDir", "--logLevel", "error"], tools)


def _run(command: Sequence[str], tools: NodeTools) -> str:
    path = os.pathsep.join((str(Path(tools.node).parent), os.environ.get("PATH", os.defpath)))
    environment = os.environ | {"PATH": path, "NO_COLOR": "1"}
    done = subprocess.run(
        command, cwd=WEB_DIR, env=environment, capture_output=True, text=True, check=False, timeout=WITHIN_SECONDS
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
