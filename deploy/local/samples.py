"""The sample source files that the one-machine set-up bundles, and their catalogue.

Generated on the first start: about 120 MB, the same bytes on every machine. The names are chosen to be awkward, because
that is what a bundle has to cope with. Files appear under their final name only when they are complete, and the
catalogue is written last, so an interrupted first start is healed by the next one.
"""

import json
import os
import random
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from deploy.local.errors import LocalSetupError

FIRST_FILE_ID = 70000
CHUNK_BYTES = 1 << 20
WORDS = ("anchor", "ballast", "cargo", "dock", "ferry", "harbour", "keel", "ledger", "mooring", "pilot", "quay", "tide")


class Sample(NamedTuple):
    """One sample source: `name` is what the archive shows, `key` its path below the sources directory."""

    file_id: int
    name: str
    size_bytes: int

    @property
    def is_text(self) -> bool:
        """Whether the file holds lines of words; otherwise it is random bytes, which no compression makes smaller."""
        return self.name.endswith((".txt", ".csv"))

    @property
    def key(self) -> str:
        """Plain ASCII, whatever the name: file systems disagree about the rest."""
        return f"{self.file_id}{Path(self.name).suffix}"


# The first three are what the printed curl lines ask for: together long enough to be watched, short enough to wait for.
NAMES_AND_SIZES_BYTES = (
    ("Bill of lading.txt", 48_731),
    ("harbour at dawn.raw", 8_400_000),
    ("Lagerplan Köln.dat", 14_000_000),
    # Decomposed: e and a combining accent, as macOS writes names.
    (unicodedata.normalize("NFD", "Café Zürich.dat"), 2_750_000),
    ("empty.txt", 0),
    ("снимок 7.raw", 11_300_000),
    ("scan 001.dat", 3_200_000),
    ("scan 001.dat", 5_100_000),
    ("航海日誌.txt", 9_000),
    ("satellite pass.raw", 31_000_000),
    ("one byte.dat", 1),
    ("tides 1998–2026.csv", 1_900_000),
    ("archive, part one.raw", 23_500_000),
    ("🚢 departure.dat", 77_777),
    ("exactly one MiB.dat", 1 << 20),
    ("radar sweep.raw", 17_000_000),
)
SAMPLES = tuple(
    Sample(file_id, name, size_bytes)
    for file_id, (name, size_bytes) in enumerate(NAMES_AND_SIZES_BYTES, start=FIRST_FILE_ID)
)


def content(sample: Sample) -> Iterator[bytes]:
    """The sample's bytes in chunks, the same at every call and on every machine."""
    source = random.Random(sample.file_id)
    left_bytes = sample.size_bytes
    page = _page(source) if sample.is_text else b""
    while left_bytes:
        chunk = page[:left_bytes] or source.randbytes(min(CHUNK_BYTES, left_bytes))
        yield chunk
        left_bytes -= len(chunk)


def _page(source: random.Random) -> bytes:
    line_pool = [" ".join(source.choices(WORDS, k=8)) for _ in range(50)]
    return "".join(f"{number:04d} {source.choice(line_pool)}\n" for number in range(1000)).encode()


def catalogue_text(samples: tuple[Sample, ...]) -> str:
    """The catalogue's lines: one JSON object for each source file."""
    return "".join(f"{json.dumps(_catalogue_line(sample), ensure_ascii=False)}\n" for sample in samples)


def _catalogue_line(sample: Sample) -> dict[str, str | int]:
    return {"file_id": sample.file_id, "name": sample.name, "key": sample.key, "size_bytes": sample.size_bytes}


def ensure_samples(sources_dir: Path, catalogue: Path, samples: tuple[Sample, ...] = SAMPLES) -> bool:
    """Makes the sample files and their catalogue complete. Returns whether anything had to be written.

    A sample that is missing or has another size is written again; a catalogue that exists is left as it is, so that
    its owner can add lines. Raises LocalSetupError when the disk refuses.
    """
    try:
        sources_dir.mkdir(parents=True, exist_ok=True)
        stale = [sample for sample in samples if not _is_complete(sources_dir / sample.key, sample.size_bytes)]
        for sample in stale:
            _write_in_one_step(sources_dir / sample.key, content(sample))
        if catalogue.exists():
            return bool(stale)
        _write_in_one_step(catalogue, iter([catalogue_text(samples).encode()]))
    except OSError as problem:
        raise LocalSetupError(
            f"The sample files could not be written to {sources_dir}: {problem.strerror}. "
            "About 120 MB are needed; WAYBILL_HOME=… chooses another place."
        ) from problem
    return True


def _is_complete(path: Path, size_bytes: int) -> bool:
    return path.is_file() and path.stat().st_size == size_bytes


def _write_in_one_step(path: Path, chunks: Iterator[bytes]) -> None:
    unfinished = path.with_name(path.name + ".part")
    with unfinished.open("wb") as file:
        file.writelines(chunks)
    os.replace(unfinished, path)
