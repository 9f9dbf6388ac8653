"""The examples of docs/catalogue.md do what the page says."""

import re
import sys
from pathlib import Path

import pytest

from shared.objects.catalogue import CatalogueFile
from shared.objects.catalogue_choice import open_catalogue
from shared.objects.directory import ObjectDirectory
from tests.architecture.source_tree import ROOT

PAGE = (ROOT / "docs/catalogue.md").read_text(encoding="utf-8")


def examples(language: str) -> list[str]:
    """Give the code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def stock(root: Path, *keys: str) -> ObjectDirectory:
    """Make a store with these objects."""
    for key in keys:
        (root / key).parent.mkdir(parents=True, exist_ok=True)
        (root / key).touch()
    return ObjectDirectory(root)


async def test_the_manifest_is_read_with_its_owners(tmp_path: Path) -> None:
    [manifest] = examples("jsonl")
    path = tmp_path / "catalogue.jsonl"
    path.write_text(manifest, encoding="utf-8")

    found = await open_catalogue(str(path), ObjectDirectory(tmp_path)).find([70000, 70001, 70002, 7], "alice")

    assert [file and (file.key, file.is_for("alice"), file.is_for("carol")) for file in found] == [
        ("reports/2026/q3.pdf", True, True),
        ("hr/payroll.csv", True, False),
        ("old/70002", False, False),
        None,
    ]


@pytest.mark.parametrize(("position", "key"), [(0, "files/7.pdf"), (1, "alice/files/7.pdf")])
async def test_the_templates_find_their_keys(tmp_path: Path, position: int, key: str) -> None:
    setting = examples("template")[position].strip()

    found = await open_catalogue(setting, stock(tmp_path, key)).find([7, 8], "alice")

    assert found == [CatalogueFile(7, "7.pdf", key, size_bytes=0), None]


async def test_the_hook_runs_as_it_stands_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [hook] = examples("python")
    [setting] = re.findall(r"`WAYBILL_CATALOGUE=(hook:\S+)`", PAGE)
    (tmp_path / f"{setting.split(':')[1]}.py").write_text(hook, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)

    found = await open_catalogue(setting, ObjectDirectory(tmp_path)).find([70001, 7, 70000], "bob")

    assert found == [
        CatalogueFile(70001, "Payroll.csv", "hr/payroll.csv", ("alice",)),
        None,
        CatalogueFile(70000, "Quarterly report.pdf", "reports/2026/q3.pdf"),
    ]
    del sys.modules["my_files"]
