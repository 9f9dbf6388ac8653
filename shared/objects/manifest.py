"""The catalogue in a file: JSON Lines, one file a line, read again whenever it was changed.

{"file_id": 70000, "name": "Quarterly report.pdf", "key": "reports/q3.pdf", "owners": ["alice"]}

poll ─▶ changed? ─▶ still the same at the next poll? ─▶ read ─┬─ good: swapped in, all at once
                                                              └─ bad: refused and told; the old one stays
"""

import asyncio
import bisect
import os
import random
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import structlog
from opentelemetry import metrics

from shared import limits
from shared.errors import ObjectError, SettingsError
from shared.objects.catalogue import MAX_LISTED, MAX_NAME_CHARS, CatalogueFile, FilesPage
from shared.objects.info import MAX_KEY_BYTES, check_key
from shared.objects.threads import in_thread
from shared.refusal import explain

log = structlog.get_logger(__name__)

_reloads = metrics.get_meter("waybill").create_counter(
    "catalogue_reloads", description="Changed manifests, by whether they were taken (ok) or refused"
)


class Signature(NamedTuple):
    """What tells one state of a file from another without reading it."""

    inode: int
    modified_at_ns: int
    size_bytes: int


class Manifest:
    """The files of one manifest, by id. A lookup sees one version of it, whole."""

    def __init__(self, files: Iterable[CatalogueFile], *, path: Path, signature: Signature | None = None) -> None:
        self._path = path
        self._files = {file.file_id: file for file in files}
        self._ordered: tuple[dict[int, CatalogueFile], list[int]] = ({}, [])
        """Files, and their ids in order; made when somebody lists them, and anew for other files."""
        self._taken = signature
        self._seen = signature

    @classmethod
    def load(cls, path: Path) -> "Manifest":
        """Read the manifest, all of it or nothing; empty lines are skipped. Blocks: for the start of a process.

        Raises SettingsError with a sentence for each bad line, the first 20 of them.
        """
        files, signature = _read(path)
        return cls(files, path=path, signature=signature)

    def __len__(self) -> int:
        return len(self._files)

    async def find(self, file_ids: Sequence[int], owner: str) -> list[CatalogueFile | None]:
        """Give the files with these ids, in this order; each says itself who may have it."""
        del owner
        files = self._files
        return [files.get(file_id) for file_id in file_ids]

    async def page(self, owner: str, *, query: str, after: int, limit: int) -> FilesPage:
        """Look at so many files behind `after`, in a thread, and give those that are asked for."""
        files = self._files
        if self._ordered[0] is not files:
            self._ordered = (files, await in_thread(sorted, files))
        return await in_thread(_page, *self._ordered, owner, query.casefold(), after, limit)

    async def run(self) -> None:
        """Look for a change every few seconds, until cancelled."""
        for outcome in ("ok", "refused"):
            _reloads.add(0, {"outcome": outcome})
        while True:
            await asyncio.sleep(random.uniform(0.8, 1.2) * limits.MANIFEST_POLL_SECONDS)
            await self.poll()

    async def poll(self) -> None:
        """Take the manifest over if it was changed, and has been left alone since the last poll.

        A file that grows in place may end in a line's end at any moment, so only what stands still is whole. Replacing
        it by a rename is better still.
        """
        signature = await in_thread(_signature_of, self._path)
        seen, self._seen = self._seen, signature
        if signature == self._taken or signature != seen:
            return
        self._taken = signature  # refused too: it is told once, and read again when it has changed again
        try:
            files, read_signature = await in_thread(_read, self._path)
        except SettingsError as error:
            _reloads.add(1, {"outcome": "refused"})
            log.error("catalogue refused", problems=error.problems, files_kept=len(self._files))
            return
        if read_signature != signature:
            self._taken = None  # it changed under our eyes; the next poll sees it
            return
        self._files = {file.file_id: file for file in files}
        _reloads.add(1, {"outcome": "ok"})
        log.info("catalogue reloaded", files=len(self._files))


def _page(files: dict[int, CatalogueFile], ids: list[int], owner: str, query: str, after: int, limit: int) -> FilesPage:
    found: list[CatalogueFile] = []
    start = bisect.bisect_right(ids, after)
    end = min(len(ids), start + limits.FILES_LOOKED_AT)
    for number in range(start, end):
        file = files[ids[number]]
        if file.is_for(owner) and (query in file.name.casefold() or query in str(file.file_id)):
            found.append(file)
            if len(found) == limit:
                end = number + 1
                break
    return FilesPage(tuple(found), ids[end - 1] if end < len(ids) else None)


def _signature_of(path: Path) -> Signature | None:
    """Give the file's signature; None when there is none."""
    try:
        return _signature(path.stat())
    except OSError:
        return None


def _signature(status: os.stat_result) -> Signature:
    return Signature(status.st_ino, status.st_mtime_ns, status.st_size)


def _read(path: Path) -> tuple[list[CatalogueFile], Signature]:
    """Read and check the whole file; the signature is that of the bytes that were read. Blocks."""
    try:
        # Not blocking: a FIFO at this place would otherwise hold the start, or a thread, for ever.
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as manifest:
            status = os.fstat(manifest.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise SettingsError([f"The catalogue {path} is no regular file."])
            if status.st_size > limits.MAX_MANIFEST_BYTES:
                raise SettingsError([_about_size(path, status.st_size)])
            content = manifest.read(limits.MAX_MANIFEST_BYTES + 1)
            after = _signature(os.fstat(manifest.fileno()))
    except OSError as error:
        problem = f"The catalogue {path} cannot be read: {error.strerror}. WAYBILL_CATALOGUE says where it is."
        raise SettingsError([problem]) from error
    return _parse(content, str(path)), after._replace(size_bytes=len(content))


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

ALLOWED = {
    "file_id": f"a whole number from 1 to {limits.MAX_FILE_ID:,}",
    "name": f"a text of 1 to {MAX_NAME_CHARS:,} characters",
    "key": f"the key of an object, a text of 1 to {MAX_KEY_BYTES:,} bytes",
    "owners": "a list of owners, or null for everybody",
    "owners[]": "the name of an owner, a text that is not empty",
    "size_bytes": "a whole number, 0 or more, or null",
}
"""What the members of a line may be, for people."""


def _parse_line(line: bytes) -> CatalogueFile:
    try:
        file = _decoder.decode(line)
    except msgspec.ValidationError as error:
        raise msgspec.ValidationError(f"{explain(error, msgspec.json.decode(line), ALLOWED)}.") from None
    check_key(file.key)
    return file


def _first(problems: list[str]) -> list[str]:
    hidden = len(problems) - MAX_LISTED
    return problems[:MAX_LISTED] + ([f"{hidden:,} more lines are wrong."] if hidden > 0 else [])


def _about_size(path: Path, size_bytes: int) -> str:
    return (
        f"The catalogue {path} has {size_bytes:,} bytes; a manifest may have {limits.MAX_MANIFEST_BYTES:,}. "
        "Use a template or a hook for more files."
    )
