"""The sample files are the same everywhere, and an interrupted first start is healed."""

import hashlib
import json
import os
import unicodedata
from pathlib import Path

import pytest

from deploy.local.errors import LocalSetupError
from deploy.local.samples import FIRST_FILE_ID, SAMPLES, Sample, catalogue_text, content, ensure_samples

FEW = (
    Sample(70000, "words.txt", 100_000),
    Sample(70001, "same name.dat", 3_000_000),
    Sample(70002, "same name.dat", 1),
    Sample(70003, "empty.txt", 0),
)


def files(sources_dir: Path) -> dict[str, bytes]:
    """Everything in the directory."""
    return {path.name: path.read_bytes() for path in sources_dir.iterdir()}


def test_samples_are_as_awkward_as_promised() -> None:
    names = [sample.name for sample in SAMPLES]

    assert len(SAMPLES) >= 14
    assert [sample.file_id for sample in SAMPLES] == [FIRST_FILE_ID + index for index in range(len(SAMPLES))]
    assert len({sample.key for sample in SAMPLES}) == len(SAMPLES)
    assert len(set(names)) < len(names)
    assert any(" " in name for name in names)
    assert any(not unicodedata.is_normalized("NFC", name) for name in names)
    assert min(sample.size_bytes for sample in SAMPLES) == 0
    assert max(sample.size_bytes for sample in SAMPLES) > 20_000_000
    assert 100_000_000 < sum(sample.size_bytes for sample in SAMPLES) < 140_000_000


def test_bytes_are_the_same_on_every_machine() -> None:
    digest = hashlib.sha256()

    for sample in FEW:
        for chunk in content(sample):
            digest.update(chunk)

    assert digest.hexdigest() == "e27f4221a4d19e94a46b0369a9d0b9a45dacacefc6353d257e5ace7ca53bbb06"


@pytest.mark.parametrize("sample", FEW, ids=str)
def test_sample_has_its_size(sample: Sample) -> None:
    assert sum(len(chunk) for chunk in content(sample)) == sample.size_bytes


def test_catalogue_names_every_file_written(tmp_path: Path) -> None:
    assert ensure_samples(tmp_path / "sources", tmp_path / "catalogue.jsonl", FEW)

    lines = [json.loads(line) for line in (tmp_path / "catalogue.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["file_id"] for line in lines] == [sample.file_id for sample in FEW]
    assert [line["name"] for line in lines] == [sample.name for sample in FEW]
    assert {line["key"] for line in lines} == set(files(tmp_path / "sources"))
    assert {line["key"]: line["size_bytes"] for line in lines} == {sample.key: sample.size_bytes for sample in FEW}


def test_second_start_writes_nothing(tmp_path: Path) -> None:
    ensure_samples(tmp_path / "sources", tmp_path / "catalogue.jsonl", FEW)

    assert not ensure_samples(tmp_path / "sources", tmp_path / "catalogue.jsonl", FEW)


def test_interrupted_first_start_is_healed(tmp_path: Path) -> None:
    sources_dir, catalogue = tmp_path / "sources", tmp_path / "catalogue.jsonl"
    ensure_samples(sources_dir, catalogue, FEW)
    whole = files(sources_dir)
    catalogue.unlink()
    (sources_dir / FEW[0].key).unlink()
    os.truncate(sources_dir / FEW[1].key, 1000)
    (sources_dir / f"{FEW[2].key}.part").write_bytes(b"half")
    (sources_dir / FEW[2].key).unlink()

    assert ensure_samples(sources_dir, catalogue, FEW)

    assert files(sources_dir) == whole
    assert catalogue.read_text(encoding="utf-8") == catalogue_text(FEW)


def test_catalogue_with_lines_of_its_owner_is_left_alone(tmp_path: Path) -> None:
    catalogue = tmp_path / "catalogue.jsonl"
    catalogue.write_text("my own line\n")

    ensure_samples(tmp_path / "sources", catalogue, FEW)

    assert catalogue.read_text() == "my own line\n"


def test_place_that_refuses_is_told(tmp_path: Path) -> None:
    (tmp_path / "sources").write_text("")

    with pytest.raises(LocalSetupError, match="WAYBILL_HOME"):
        ensure_samples(tmp_path / "sources", tmp_path / "catalogue.jsonl", FEW)
