"""The catalogue: which files may be bundled, what they are called, and where they are kept.

Read once, at start, from a manifest in JSON Lines, one file a line:

    {"file_id": 70000, "name": "Quarterly report.pdf", "key": "reports/q3.pdf"}
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from shared.errors import ObjectError, SettingsError, UnknownFiles
from shared.jobs import FileId
from shared.objects.info import MAX_KEY_BYTES, check_key

MAX_NAME_CHARS = 1_024
MAX_LISTED = 20  # ids or problems named in one message


class CatalogueFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file that may be bundled: its id for callers, its own name, and the key of its source object."""

    file_id: FileId
    name: Annotated[str, Meta(min_length=1, max_length=MAX_NAME_CHARS)]
    key: Annotated[str, Meta(min_length=1, max_length=MAX_KEY_BYTES)]


class Catalogue:
    """The files of one manifest, by id."""

    def __init__(self, files: Iterable[CatalogueFile]) -> None:
        self._files = {file.file_id: file for file in files}

    @classmethod
    def load(cls, path: Path) -> "Catalogue":
        """Read the manifest, all of it or nothing; empty lines are skipped. Blocks: for the start of a process.

        Raises SettingsError with a sentence for each bad line, the first 20 of them.
        """
        try:
            content = path.read_bytes()
        except OSError as error:
            raise SettingsError([f"The catalogue {path} cannot be read: {error.strerror}."]) from error
        return cls(_parse(content, str(path)))

    def __len__(self) -> int:
        return len(self._files)

    def find(self, file_ids: Sequence[int]) -> tuple[CatalogueFile, ...]:
        """Give the files with these ids, in this order.

        Raises UnknownFiles with all ids that the catalogue does not have; its message names the first 20.
        """
        unknown = [file_id for file_id in file_ids if file_id not in self._files]
        if unknown:
            raise UnknownFiles(_about_unknown(unknown), file_ids=unknown)
        return tuple(self._files[file_id] for file_id in file_ids)


def list_ids(file_ids: Sequence[int]) -> str:
    """Write ids for people: at most 20 of them, and how many more there are."""
    more = f" and {len(file_ids) - MAX_LISTED:,} more" if len(file_ids) > MAX_LISTED else ""
    return ", ".join(map(str, file_ids[:MAX_LISTED])) + more


def _about_unknown(unknown: Sequence[int]) -> str:
    count = "1 file id is" if len(unknown) == 1 else f"{len(unknown):,} file ids are"
    return f"{count} not in the catalogue: {list_ids(unknown)}. Leave them out and ask again."


def _parse(content: bytes, where: str) -> list[CatalogueFile]:
    files: list[CatalogueFile] = []
    problems: list[str] = []
    lines: dict[int, int] = {}
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            file = _parse_line(line)
        except (msgspec.DecodeError, UnicodeDecodeError, ObjectError) as error:
            problems.append(f"{where}, line {number}: {error}")
            continue
        if first := lines.get(file.file_id):
            problems.append(f"{where}, line {number}: file id {file.file_id} is already that of line {first}.")
        lines.setdefault(file.file_id, number)
        files.append(file)
    if problems:
        raise SettingsError(_first(problems))
    return files


_decoder = msgspec.json.Decoder(CatalogueFile)


def _parse_line(line: bytes) -> CatalogueFile:
    file = _decoder.decode(line)
    check_key(file.key)
    return file


def _first(problems: list[str]) -> list[str]:
    hidden = len(problems) - MAX_LISTED
    return problems[:MAX_LISTED] + ([f"{hidden:,} more lines are wrong."] if hidden > 0 else [])
