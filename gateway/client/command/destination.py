"""Where an archive is to go, and where it is kept until it is whole."""

import hashlib
import json
import sys
import zlib
from pathlib import Path
from typing import Any, NamedTuple

from gateway.client.errors import ArchiveCorrupt
from gateway.client.file_name import safe_name, saved_name
from gateway.client.part_file import Wanted

PIPE = "-"
DIGEST_CHARS = 12


class Destination(NamedTuple):
    """`stem` is what the unfinished file is called after; `target` is None until the server has said the name."""

    stem: Path
    directory: Path
    target: Path | None

    def expected(self, archive_name: str | None) -> list[Path]:
        """Give the files that may be known before the server has said the name, to look before a job is made."""
        if self.target is not None:
            return [self.target]
        name = safe_name(archive_name or "")
        return [] if name is None else [self.directory / saved_name(name)]


def destination(output: str | None, request: dict[str, Any]) -> Destination:
    """Find where an archive goes: a file, or a directory, the current one without `output`.

    The unfinished file in a directory is called after the request, so that the same command finds it again.
    """
    path = Path(output or ".")
    if output is not None and not path.is_dir() and not output.endswith("/"):
        return Destination(path, path.parent, path)
    digest = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()[:DIGEST_CHARS]
    return Destination(path / f"waybill-{digest}", path, None)


class Pipe:
    """Standard output as a sink. It cannot begin anew, and what went through it wrongly is only told at the end."""

    def __init__(self) -> None:
        self.size_bytes = 0
        self._crc = 0

    def append(self, chunk: bytes) -> None:
        """Write what comes next."""
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
        self._crc = zlib.crc32(chunk, self._crc)
        self.size_bytes += len(chunk)

    def restart(self) -> None:
        """Stay: what has gone through is gone."""

    def of_version(self, etag: str | None) -> None:
        """Keep nothing: nobody goes on later."""

    def finish(self, wanted: Wanted) -> None:
        """Raise ArchiveCorrupt when what went through is not the archive."""
        if (self.size_bytes, f"{self._crc:08x}") != (wanted.size_bytes, wanted.crc32):
            raise ArchiveCorrupt("What came is not the archive that was made: its CRC-32 differs.", kept_path="")
