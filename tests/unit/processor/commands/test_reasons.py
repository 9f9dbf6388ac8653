"""The reasons of dead letters: what may be filtered by is what operators can read about."""

import re

from processor.commands.dead_letters import REASONS
from tests.architecture.source_tree import ROOT


def test_operators_can_read_about_every_reason() -> None:
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")

    [section] = [section for section in page.split("\n## ") if "| `permanent` |" in section]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(REASONS)
