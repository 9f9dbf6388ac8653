"""Small source files with a catalogue: what a system under test bundles."""

import json
import random
from pathlib import Path
from typing import NamedTuple


class SourceFile(NamedTuple):
    """One source: its id, the name that the archive shows, and its content."""

    file_id: int
    name: str
    content: bytes

    @property
    def key(self) -> str:
        """The object's key below the sources directory."""
        return f"{self.file_id}.dat"


def _source(file_id: int, name: str, size_bytes: int) -> SourceFile:
    return SourceFile(file_id, name, random.Random(file_id).randbytes(size_bytes))


MIXED = (
    _source(70_000, "Bill of lading.txt", 1_234),
    _source(70_001, "scan 001.dat", 20_000),
    _source(70_002, "scan 001.dat", 30_000),
    _source(70_003, "Café Zürich — 航海日誌.txt", 5_000),
    _source(70_004, "empty.txt", 0),
)
"""Awkward names, two of them the same, and an empty file; 56 kB together."""

LONG = tuple(_source(70_100 + number, f"leg {number}.raw", 500_000) for number in range(6))
"""Each of them is two seconds of copying at COPY_RATE_BYTES_PER_SECOND."""

ALL = (*MIXED, *LONG)

COPY_RATE_BYTES_PER_SECOND = 250_000
"""The rate of each run in most tests: MIXED takes a fraction of a second, all of LONG twelve."""


def ids_of(*files: SourceFile) -> list[int]:
    """Give the ids to ask for."""
    return [file.file_id for file in files]


def lay_out(sources_dir: Path) -> None:
    """Write all sources."""
    sources_dir.mkdir(parents=True)
    for file in ALL:
        (sources_dir / file.key).write_bytes(file.content)


def write_catalogue(path: Path) -> None:
    """Write the manifest of all sources."""
    entries = [{"file_id": file.file_id, "name": file.name, "key": file.key} for file in ALL]
    lines = [json.dumps(entry, ensure_ascii=False) for entry in entries]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
