from pathlib import Path

import pytest

from shared.errors import SettingsError
from shared.objects.catalogue import CatalogueFile
from shared.objects.manifest import Manifest

GOOD = '{"file_id": 70000, "name": "Übersicht 1.pdf", "key": "a/b.pdf"}'


def load(path: Path, *lines: str) -> Manifest:
    path.write_text("\n".join(lines), encoding="utf-8")
    return Manifest.load(path)


async def test_a_manifest_is_read_with_empty_lines_and_windows_line_ends(tmp_path: Path) -> None:
    catalogue = load(tmp_path / "m.jsonl", "", GOOD + "\r", "  ", '{"file_id":70001,"name":"b","key":"b"}', "")

    assert len(catalogue) == 2
    assert await catalogue.find([70000, 5], "local") == [CatalogueFile(70000, "Übersicht 1.pdf", "a/b.pdf"), None]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("not json", "malformed"),
        ("[1]", "object"),
        ('{"file_id": 1, "name": "a"}', "missing required field `key`"),
        ('{"file_id": "1", "name": "a", "key": "a"}', "Expected `int`"),
        ('{"file_id": 0, "name": "a", "key": "a"}', ">= 1"),
        ('{"file_id": 1, "name": "", "key": "a"}', "length >= 1"),
        ('{"file_id": 1, "name": "a", "key": "../a"}', "only dots"),
        ('{"file_id": 1, "name": "a", "key": "a", "nmae": "b"}', "unknown field `nmae`"),
        (GOOD, "file id 70000 is already that of line 1"),
    ],
)
def test_a_bad_line_is_named_with_its_number_and_problem(tmp_path: Path, line: str, problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path / "m.jsonl", GOOD, "", line)

    assert len(caught.value.problems) == 1
    assert "m.jsonl, line 3: " in caught.value.problems[0]
    assert problem in caught.value.problems[0]


def test_bytes_that_are_not_utf8_are_named_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_bytes(GOOD.encode() + b'\n{"file_id": 1, "name": "\xff", "key": "a"}\n')

    with pytest.raises(SettingsError, match="line 2"):
        Manifest.load(path)


def test_all_bad_lines_are_reported_but_not_thousands(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path / "m.jsonl", *["bad"] * 1000)

    assert len(caught.value.problems) == 21
    assert caught.value.problems[-1] == "980 more lines are wrong."


def test_a_manifest_that_is_not_there_is_a_setting_that_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        Manifest.load(tmp_path / "missing.jsonl")
