"""Programs that some tests check our work with."""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

OWN = Path(__file__).resolve().parents[2] / ".tools" / "bin"
PACKAGES = {"bsdtar": "libarchive-tools", "node": "nodejs", "promtool": "prometheus"}


def require_tool(name: str) -> str:
    """Give the path of a program; without it the test is skipped, or fails where WAYBILL_REQUIRE_TOOLS=1."""
    # What Debian keeps in sbin is not on everybody's path; .tools/bin has what `.ci/run` puts there.
    path = shutil.which(name) or shutil.which(name, path=f"/usr/sbin:{OWN}")
    if path is None:
        missing(f"{name} is not installed (Debian: apt install {PACKAGES.get(name, name)})")
    return path


def missing(reason: str) -> NoReturn:
    """Skip the test because a tool is missing, or fail it where WAYBILL_REQUIRE_TOOLS=1."""
    if os.environ.get("WAYBILL_REQUIRE_TOOLS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
