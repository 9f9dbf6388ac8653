"""Archives over 4 GiB on the disk. Their large file is a hole, so that nobody has to write or to wait for it."""

import os
import subprocess
import zipfile
import zlib
from pathlib import Path

import pytest

from processor.bundle.crc_combine import combine
from processor.bundle.plan import FilePiece, SourceFile, plan_bundle
from tests.support.tools import require_tool

LARGE_BYTES = 2**32 + 12_345
SMALL = b"behind four gibibytes"


def crc32_of_zeros(size_bytes: int) -> int:
    """Give the CRC-32 of so many zero bytes, by doubling."""
    crc32, length_bytes = 0, 0
    for bit in f"{size_bytes:b}":
        crc32, length_bytes = combine(crc32, crc32, length_bytes), 2 * length_bytes
        if bit == "1":
            crc32, length_bytes = zlib.crc32(b"\0", crc32), length_bytes + 1
    return crc32


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Write a planned archive: a hole of 4 GiB, then a file whose place needs ZIP64 too."""
    files = (("large.bin", LARGE_BYTES, crc32_of_zeros(LARGE_BYTES)), ("small.txt", len(SMALL), zlib.crc32(SMALL)))
    plan = plan_bundle(
        [
            SourceFile(
                file_id=number, key=name, name=name, size_bytes=size_bytes, etag="0", modified_at_ms=10**12, crc32=crc32
            )
            for number, (name, size_bytes, crc32) in enumerate(files)
        ]
    )
    path = tmp_path / "large.zip"
    with path.open("wb") as file:
        for span in plan.spans():
            if not isinstance(span, FilePiece):
                file.write(span.content)
            elif span.file.name == "large.bin":
                file.seek(span.length_bytes, os.SEEK_CUR)
            else:
                file.write(SMALL)
    assert path.stat().st_size == plan.size_bytes
    return path


def test_zipfile_finds_the_file_behind_four_gibibytes(archive: Path) -> None:
    with zipfile.ZipFile(archive) as reader:
        large, small = reader.infolist()
        assert (large.file_size, small.header_offset > 2**32) == (LARGE_BYTES, True)
        assert reader.read(small) == SMALL
        with reader.open(large) as content:
            assert content.read(100) == bytes(100)


@pytest.mark.parametrize("command", [["unzip", "-l"], ["bsdtar", "-tvf"]])
def test_other_programs_list_both_with_their_sizes(archive: Path, command: list[str]) -> None:
    tool, *options = require_tool(command[0]), *command[1:]

    listing = subprocess.run([tool, *options, archive], capture_output=True, text=True, check=True)

    assert str(LARGE_BYTES) in listing.stdout
    assert "small.txt" in listing.stdout
    assert listing.stderr == ""


def test_unzip_extracts_the_file_behind_four_gibibytes(archive: Path) -> None:
    unzipped = subprocess.run([require_tool("unzip"), "-p", archive, "small.txt"], capture_output=True, check=True)

    assert unzipped.stdout == SMALL
