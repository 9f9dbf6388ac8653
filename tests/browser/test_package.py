"""The npm package: what it publishes is there, and small. Its types and its own tests are the affair of `make web`."""

import gzip
import json
from pathlib import Path

import pytest

from tests.browser.npm_package import build_package

MAX_HOOKS_BYTES = 2_000
MAX_STYLE_BYTES = 8_000


@pytest.fixture(scope="module")
def package() -> Path:
    """The built package."""
    return build_package()


def gzipped_bytes(path: Path) -> int:
    """Give how much of a file travels."""
    return len(gzip.compress(path.read_bytes()))


def test_every_export_is_there_with_its_types(package: Path) -> None:
    exports = json.loads((package / "package.json").read_text(encoding="utf-8"))["exports"]
    targets = [
        target for entry in exports.values() for target in (entry.values() if isinstance(entry, dict) else [entry])
    ]

    assert {".", "./react", "./style.css"} <= set(exports)
    assert [target for target in targets if not (package / target).is_file()] == []


def test_the_react_half_is_for_browsers_brings_no_react_and_shares_the_client(package: Path) -> None:
    script = (package / "dist" / "react.js").read_text(encoding="utf-8")

    assert script.startswith('"use client"')
    assert 'from "react"' in script
    assert 'from "./client.js"' in (package / "dist" / "hooks.chunk.js").read_text(encoding="utf-8")


def test_hooks_and_style_are_small(package: Path) -> None:
    hooks = [package / "dist" / name for name in ("hooks.js", "hooks.chunk.js")]

    assert 0 < sum(map(gzipped_bytes, hooks)) <= MAX_HOOKS_BYTES
    assert 0 < gzipped_bytes(package / "dist" / "style.css") <= MAX_STYLE_BYTES
