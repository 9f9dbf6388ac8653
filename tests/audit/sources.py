"""Where pip-audit asks for advisories, and whether that place answers at all.

pip-audit calls a package that its source does not know "skipped", and then finds no vulnerabilities, with exit code 0.
So each source is asked first for a package that has been known to be vulnerable for years: one that has nothing against
it knows nothing.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

KNOWN_TO_BE_VULNERABLE = "jinja2==2.10"  # CVE-2019-10906


class Source(NamedTuple):
    """A source by its name, pip-audit's options for it, and how long one question may take."""

    name: str
    options: tuple[str, ...]
    within_seconds: float = 600


SOURCES = (Source("PyPI", ("--vulnerability-service", "pypi")), Source("OSV", ("--vulnerability-service", "osv")))


class Audit(NamedTuple):
    """What a source has against the locked packages, a line each; and those that it does not know."""

    source: str
    findings: tuple[str, ...]
    unknown: tuple[str, ...]


def audit(lock: Path, sources: Sequence[Source] = SOURCES) -> Audit | None:
    """Ask the first source that answers about every locked package; None where none does."""
    for source in sources:
        if not _knows_something(source):
            continue
        dependencies = _ask(source, lock)
        if dependencies is not None:
            return Audit(source.name, tuple(_findings(dependencies)), tuple(_unknown(dependencies)))
    return None


def _knows_something(source: Source) -> bool:
    with tempfile.TemporaryDirectory() as home:
        asked = Path(home) / "requirements.txt"
        asked.write_text(f"{KNOWN_TO_BE_VULNERABLE}\n", encoding="utf-8")
        return bool(_findings(_ask(source, asked) or []))


def _ask(source: Source, requirements: Path) -> list[dict[str, Any]] | None:
    """Give what a source says of each package; None when it did not answer."""
    command = [
        sys.executable, "-m", "pip_audit", "--requirement", str(requirements), "--disable-pip", "--no-deps",
        *source.options, "--format", "json", "--progress-spinner", "off", "--timeout", "10",
    ]  # fmt: skip
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=source.within_seconds, check=False)
        found: list[dict[str, Any]] = json.loads(ended.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        return None
    return found


def _findings(dependencies: list[dict[str, Any]]) -> list[str]:
    return [
        f"{package['name']} {package['version']}: {advisory['id']}, mended in "
        f"{', '.join(advisory['fix_versions']) or 'no version yet'}"
        for package in dependencies
        for advisory in package.get("vulns", ())
    ]


def _unknown(dependencies: list[dict[str, Any]]) -> list[str]:
    return [package["name"] for package in dependencies if "skip_reason" in package]
