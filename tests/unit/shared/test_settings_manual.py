"""The pages about settings: complete, narrow enough, and as they stand in the repository."""

import pytest

from shared.programs import PROGRAMS
from shared.setting import settings_of
from shared.settings_manual import help_page, reference_page
from tests.architecture.source_tree import ROOT


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_lists_every_setting_with_its_default_and_unit(program: str) -> None:
    entries = help_page(program).split("\n\n")

    for setting in settings_of(PROGRAMS[program]):
        [entry] = [entry for entry in entries if entry.startswith(f"  {setting.variable}\n")]
        assert f"default  {setting.default or 'none'}\n" in entry
        assert setting.unit is None or setting.unit in " ".join(entry.split())


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_fits_a_terminal_of_80_columns(program: str) -> None:
    assert max(map(len, help_page(program).splitlines())) < 80


def test_the_page_in_docs_is_what_make_docs_writes() -> None:
    written = (ROOT / "docs/settings.md").read_text(encoding="utf-8")

    assert written == reference_page(), "docs/settings.md is stale. Run: make docs"
