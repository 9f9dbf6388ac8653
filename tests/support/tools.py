"""Programs that some tests check our work with."""

import os
import shutil

import pytest

PACKAGES = {"bsdtar": "libarchive-tools"}


def require_tool(name: str) -> str:
    """Give the path of a program; without it the test is skipped, or fails where WAYBILL_REQUIRE_TOOLS=1."""
    # What Debian keeps in sbin is not on everybody's path.
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if path is None:
        reason = f"{name} is not installed (Debian: apt install {PACKAGES.get(name, name)})"
        if os.environ.get("WAYBILL_REQUIRE_TOOLS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return path
