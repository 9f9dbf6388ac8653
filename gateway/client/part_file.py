"""An archive that is coming: STEM.part beside STEM.part.json, which says of which job it is, until it is complete.

STEM.part + STEM.part.json ──size and CRC-32 agree──▶ TARGET
                           └─they do not────────────▶ TARGET.bad
"""

import contextlib
import errno
import fcntl
import json
import os
import shlex
import shutil
import zlib
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Self

from gateway.client.display import amount
from gateway.client.errors import ArchiveCorrupt, LocalFileTrouble
from shared import limits

_FULL = (errno.ENOSPC, errno.EDQUOT)
_OF_THE_REQUEST = ("asked", "idempotency_key")


class Wanted(NamedTuple):
    """The archive that shall come: of which job, how long, and with which CRC-32 (8 hexadecimal digits)."""

    job_id: str
    size_bytes: int
    crc32: str


def insist_on_room_for(target: Path, *, replaces: bool) -> None:
    """Raise LocalFileTrouble where a file of this name is, and may not be replaced."""
    if target.is_dir():
        raise LocalFileTrouble(f"{target} is a directory. Choose another name.", path=str(target))
    if target.exists() and not replaces:
        sentence = (
            f"{target} exists already. Choose another name (-o), or replace it (--force; in Python replaces=True)."
        )
        raise LocalFileTrouble(sentence, path=str(target))


class PartFile:
    """A context manager that holds the part against other commands; whoever comes second is told so.

    `note` is what a run before has left of itself, {} when there is nothing. Every method may raise LocalFileTrouble.
    """

    def __init__(self, stem: Path, *, resumes: bool = True) -> None:
        self._path = Path(f"{stem}.part")
        self._note_path = Path(f"{stem}.part.json")
        self._resumes = resumes
        self._crc = 0
        self._file: BinaryIO | None = None
        self.size_bytes = 0
        self.note: dict[str, Any] = {}

    def __enter__(self) -> Self:
        """Open the part, and read what is noted of it. A directory that is not there is not made: it may be a slip."""
        try:
            self._file = self._held()
        except BlockingIOError:
            self.close()
            message = f"{self._path} is being written by another waybill. Wait for it, or choose another file."
            raise LocalFileTrouble(message, path=str(self._path)) from None
        except FileNotFoundError:
            raise self._no_directory() from None
        except OSError as error:
            raise self._trouble(error) from None
        self.note = self._noted() if self._resumes else {}
        return self

    def _held(self) -> BinaryIO:
        while True:
            file = self._path.open("a+b")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(file.fileno()), self._path.stat()):
                    return file
            except FileNotFoundError:
                pass
            except OSError:
                file.close()
                raise
            # Between the two calls another command has finished: what is held is its archive by now.
            file.close()

    def __exit__(self, *_: object) -> None:
        """Close it. A part without a byte goes; its note stays only for the key by which the next run finds the job."""
        # The file itself is asked: what an earlier run has left is counted only once it is read again.
        if self._file is not None and not os.fstat(self._file.fileno()).st_size:
            self._path.unlink(missing_ok=True)
            if "idempotency_key" not in self.note:
                self._note_path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Let go of it."""
        file, self._file = self._file, None
        if file is not None:
            # What a full disk did not take was told when it was written; closing would say so once more.
            with contextlib.suppress(OSError):
                file.close()

    def keep_note(self, **noted: object) -> None:
        """Note more about this download; whole or not at all."""
        self._write_note({**self.note, **noted})

    def forget_job(self) -> None:
        """Note no more which job was asked for: there is none that the next run could go on with."""
        if "idempotency_key" in self.note:
            # Where it cannot be written the old note stays, and costs the next run a request: no reason to hide why.
            with contextlib.suppress(LocalFileTrouble):
                self._write_note({name: noted for name, noted in self.note.items() if name not in _OF_THE_REQUEST})

    def _write_note(self, note: dict[str, Any]) -> None:
        self.note = note
        unfinished = Path(f"{self._note_path}.new")
        try:
            unfinished.write_text(json.dumps(self.note), encoding="utf-8")
            unfinished.replace(self._note_path)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise self._trouble(error) from None

    # ── the bytes ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def prepare(self, wanted: Wanted) -> None:
        """Go on with what is there if it is of this archive, else begin anew; ask whether there is room for the rest.

        What is there is read again: its CRC-32 is needed, and it may have been damaged.
        """
        noted = {"job": wanted.job_id, "archive_bytes": wanted.size_bytes, "archive_crc32": wanted.crc32}
        if noted.items() <= self.note.items():
            self._read_again(wanted.size_bytes)
        else:
            self.restart()
            self.keep_note(**noted, etag=None)
        missing_bytes = wanted.size_bytes - self.size_bytes
        if shutil.disk_usage(self._path.parent).free < missing_bytes:
            raise self._no_room(missing_bytes)

    def append(self, chunk: bytes) -> None:
        """Write what came next."""
        assert self._file is not None
        try:
            self._file.write(chunk)
            self._file.flush()  # what a crash leaves behind is what the next run goes on from
        except OSError as error:
            raise self._trouble(error) from None
        self._crc = zlib.crc32(chunk, self._crc)
        self.size_bytes += len(chunk)

    def restart(self) -> None:
        """Begin from the first byte."""
        assert self._file is not None
        try:
            self._file.truncate(0)
        except OSError as error:
            raise self._trouble(error) from None
        self._crc, self.size_bytes = 0, 0

    def of_version(self, etag: str | None) -> None:
        """Note the archive's ETag, with which the next run asks for the rest."""
        if self.note.get("etag") != etag:
            self.keep_note(etag=etag)

    def finish(self, target: Path, wanted: Wanted, *, replaces: bool) -> None:
        """Let the archive appear under its name, if it is whole. Raises ArchiveCorrupt; it is kept as `.bad` then.

        A file that has appeared there meanwhile is not replaced unless that was asked for; the part stays whole.
        """
        assert self._file is not None
        try:
            os.fsync(self._file.fileno())
            if (self.size_bytes, f"{self._crc:08x}") != (wanted.size_bytes, wanted.crc32):
                raise self._corrupt(Path(f"{target}.bad"))
            insist_on_room_for(target, replaces=replaces)  # once more: an archive may be on its way for hours
            self._path.replace(target)
        except OSError as error:
            raise self._trouble(error) from None
        self._note_path.unlink(missing_ok=True)

    def _read_again(self, most_bytes: int) -> None:
        assert self._file is not None
        self._file.seek(0)
        self._crc, self.size_bytes = 0, 0
        while piece := self._file.read(limits.CLIENT_READ_BYTES):
            self._crc = zlib.crc32(piece, self._crc)
            self.size_bytes += len(piece)
        if self.size_bytes > most_bytes:
            self.restart()

    def _noted(self) -> dict[str, Any]:
        try:
            note = json.loads(self._note_path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return note if isinstance(note, dict) else {}

    # ── what can go wrong ─────────────────────────────────────────────────────────────────────────────────────────────

    def _corrupt(self, kept: Path) -> ArchiveCorrupt:
        self._path.replace(kept)
        self._note_path.unlink(missing_ok=True)
        self.note, self.size_bytes = {}, 0
        return ArchiveCorrupt(
            f"What came is not the archive that was made: its size or its CRC-32 differs. It is kept as {kept}; "
            "run the same command again to fetch it anew.",
            kept_path=str(kept),
        )

    def _no_directory(self) -> LocalFileTrouble:
        directory = self._path.parent
        message = (
            f"There is no directory {directory}. Make it (mkdir -p {shlex.quote(str(directory))}), or name another."
        )
        return LocalFileTrouble(message, path=str(directory))

    def _no_room(self, missing_bytes: int) -> LocalFileTrouble:
        return LocalFileTrouble(
            f"Disk full: {amount(missing_bytes) if missing_bytes else 'a little'} more needed in {self._path.parent}. "
            "What has come is kept; run the same command again to go on.",
            path=str(self._path),
        )

    def _trouble(self, error: OSError) -> LocalFileTrouble:
        if error.errno in _FULL:
            return self._no_room(max(0, int(self.note.get("archive_bytes") or 0) - self.size_bytes))
        return LocalFileTrouble(
            f"{error.filename or self._path} cannot be written: {error.strerror}.", path=str(self._path)
        )
