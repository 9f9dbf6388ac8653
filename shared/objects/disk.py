"""The blocking half of the directory store: what happens on the disk, one call each. Runs in threads; raises OSError.

Never decides anything about keys or errors; that is directory.py.
"""

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from shared import limits
from shared.errors import ObjectChanged, ObjectError, UploadInvalid
from shared.objects.info import ObjectInfo, Reading

JOURNAL_SUFFIX = ".parts"  # of the file beside an upload that says which parts it has
_WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # file systems that have none are used as they are
CHUNKS_PER_READ = 4  # a thread hop costs about 100 µs, reading 256 kB from the page cache 25: one hop for four


def info_of(key: str, status: os.stat_result) -> ObjectInfo:
    """Describe a file."""
    return ObjectInfo(key, status.st_size, _etag_of(status), status.st_mtime_ns // 1_000_000)


def _etag_of(status: os.stat_result) -> str:
    """Make an ETag of modification time and size: equal on every machine with a copy of the file."""
    return f"{status.st_mtime_ns % 2**64:016x}{status.st_size:012x}"


class Finder:
    """Finds the objects of one short call, and resolves a directory once for all that are in it.

    That is most of the cost of a small file. A finder must not be kept: directories may become links to other places.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._directories: dict[str, str] = {}

    def find(self, key: str) -> tuple[str, os.stat_result]:
        """Give the real path of an object, its symbolic links followed, and what the file system says about it.

        Raises FileNotFoundError when there is none, also for what is not a regular file, and ObjectError when a link
        leads out of the store. Whoever can write into the root can still swap a directory between this check and its
        use; such a person owns every object anyway.
        """
        directory, name = os.path.split(os.path.join(self.root, key))
        path = os.path.join(self._directory(directory, key), name)
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            path = str(_inside(self.root, key, Path(os.path.realpath(path))))
            status = os.lstat(path)
        _insist_on_file(status, path)
        return path, status

    def _directory(self, directory: str, key: str) -> str:
        if directory not in self._directories:
            self._directories[directory] = str(_inside(self.root, key, Path(os.path.realpath(directory))))
        return self._directories[directory]


def place(root: Path, key: str) -> Path:
    """Give the path at which an object is to be written or removed: links to directories are followed, others not."""
    path = root / key
    return _inside(root, key, Path(os.path.realpath(path.parent))) / path.name


def _inside(root: Path, key: str, path: Path) -> Path:
    if path != root and root not in path.parents:
        raise ObjectError(f"The object {key} is a link that leads out of its store.", key=key)
    return path


def probe(root: Path, *, for_writing: bool) -> None:
    """Insist on a directory that can be listed, and written where it must be: then it is made when there is none.

    Asks for the right to write and writes nothing: a disk that is full can still be used.
    """
    if for_writing:
        root.mkdir(parents=True, exist_ok=True)
    os.scandir(root).close()
    if for_writing and not os.access(root, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(root))


def head(finder: Finder, key: str) -> ObjectInfo:
    """Describe the object. Raises FileNotFoundError when there is none."""
    return info_of(key, finder.find(key)[1])


def _insist_on_file(status: os.stat_result, path: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise FileNotFoundError(f"{path} is not a regular file")


class OpenObject:
    """One object that is being read. Opens in a call of its own, so that a cancelled one leaks no descriptor."""

    def __init__(self, finder: Finder, key: str, etag: str) -> None:
        self._finder = finder
        self._key = key
        self._etag = etag
        self._fd: int | None = None

    def open(self) -> int:
        """Open the file and give its size in bytes.

        Raises ObjectChanged when the ETag is another one, OSError when it cannot be opened.
        """
        # It is a file, or we do not get here: opening does something to some devices, and fails for a socket.
        path, _ = self._finder.find(self._key)
        # Not blocking: a FIFO that came to this place since would otherwise hold a thread for ever.
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        status = os.fstat(self._fd)
        _insist_on_file(status, path)
        self._insist_on_etag(status)
        return status.st_size

    def read(self, offset: int, length_bytes: int) -> list[bytes]:
        """Read the next chunks of a range, several at a time; fewer bytes than asked for when the range is long.

        Raises ObjectChanged when the file ends too early.
        """
        assert self._fd is not None
        chunks: list[bytes] = []
        while length_bytes and len(chunks) < CHUNKS_PER_READ:
            chunk = os.pread(self._fd, min(length_bytes, limits.COPY_CHUNK_BYTES), offset)
            if not chunk:
                raise self._changed()
            chunks.append(chunk)
            offset, length_bytes = offset + len(chunk), length_bytes - len(chunk)
        if not length_bytes:
            self._insist_on_same()
        return chunks

    def read_into(self, view: memoryview, offset: int) -> None:
        """Fill `view` with the bytes from `offset` on. Raises ObjectChanged when the file ends too early."""
        assert self._fd is not None
        while view:
            count_bytes = os.preadv(self._fd, [view], offset)
            if not count_bytes:
                raise self._changed()
            view, offset = view[count_bytes:], offset + count_bytes
        self._insist_on_same()

    def close(self) -> None:
        """Close the file, if it is open."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _insist_on_same(self) -> None:
        """Check that what was read is what the key still names: the open file is unchanged, and was not replaced."""
        assert self._fd is not None
        opened = os.fstat(self._fd)
        self._insist_on_etag(opened)
        try:
            # Links followed: what is not the open file any more is another one, wherever it is.
            named = os.stat(os.path.join(self._finder.root, self._key))
        except (FileNotFoundError, NotADirectoryError):
            raise self._changed() from None
        if not os.path.samestat(opened, named):
            raise self._changed()

    def _insist_on_etag(self, status: os.stat_result) -> None:
        if _etag_of(status) != self._etag:
            raise self._changed()

    def _changed(self) -> ObjectChanged:
        return ObjectChanged(f"The object {self._key} changed while it was being used.", key=self._key)


def read_into(finder: Finder, reading: Reading) -> None:
    """Fill a view from an object in one go. Raises ObjectChanged when it is not, or not any more, that of the ETag."""
    opened = OpenObject(finder, reading.key, reading.etag)
    try:
        opened.open()
        opened.read_into(reading.view, reading.start_byte)
    finally:
        opened.close()


# ── writing ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def create(root: Path, key: str, hidden_name: str) -> None:
    """Create the empty file that an upload grows in, its journal, and the directories above them."""
    directory = place(root, key).parent
    for _ in range(100):  # an abort or a delete may remove the empty directory again before the file is in it
        try:
            directory.mkdir(parents=True, exist_ok=True)
            for name in (hidden_name, hidden_name + JOURNAL_SUFFIX):
                os.close(os.open(directory / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644))
        except FileNotFoundError:
            continue
        except FileExistsError:
            if os.path.lexists(directory) and not directory.is_dir():
                raise
            continue  # mkdir met the directory, and it was gone when it looked what it was
        return
    raise FileNotFoundError(f"{directory} is removed again and again")


def write(path: Path, data: bytes | bytearray | memoryview, offset: int, line: bytes) -> None:
    """Write all of `data` at `offset` of an upload, bring it to the disk, and add `line` to the upload's journal.

    To the disk at once: otherwise the last step of an upload has gigabytes to wait for, long after the job's lease was
    last confirmed. Raises FileNotFoundError when the upload has ended.
    """
    with _held(path, fcntl.LOCK_SH) as fd:
        view = memoryview(data)
        while view:
            written = os.pwrite(fd, view, offset)
            view, offset = view[written:], offset + written
        os.fsync(fd)
        journal = os.open(_journal_of(path), os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            os.write(journal, line)
        finally:
            os.close(journal)


@contextmanager
def _held(path: Path, lock: int) -> Iterator[int]:
    """Open an upload's file and hold it: many may write to it at once, and none while it becomes an object.

    Two runs of a job may have the same upload: one is superseded, and does not know it yet. What it writes are the same
    bytes, and still they must not touch an object, whose time they would change. Raises BlockingIOError while it is
    held otherwise: whoever holds it may stand still, so nobody waits. Raises FileNotFoundError when it has ended.
    """
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)  # both: NFS makes record locks of it, which need them
    try:
        _lock(fd, lock)
        if not os.path.samestat(os.fstat(fd), os.stat(path)):  # raises, too, where there is nothing any more
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        yield fd
    finally:
        os.close(fd)


def _lock(fd: int, lock: int) -> None:
    try:
        fcntl.flock(fd, lock | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _WITHOUT_LOCKS:
            raise


def _journal_of(path: Path) -> Path:
    return path.with_name(path.name + JOURNAL_SUFFIX)


def journal(path: Path) -> bytes:
    """Read the journal of an upload. Raises FileNotFoundError when the upload has ended."""
    os.stat(path)
    return _journal_of(path).read_bytes()


def publish(root: Path, key: str, hidden_name: str, size_bytes: int) -> ObjectInfo:
    """Give a finished upload its name, in one step and for good: the file first, then every directory on the way.

    Raises UploadInvalid when the file does not have `size_bytes` bytes.
    """
    path = place(root, key)
    hidden = path.parent / hidden_name
    with _held(hidden, fcntl.LOCK_EX) as fd:
        os.fsync(fd)
        status = os.fstat(fd)
        if status.st_size != size_bytes:
            sentence = f"The upload of {key} has {status.st_size:,} bytes in place of {size_bytes:,}."
            raise UploadInvalid(sentence, key=key)
        os.rename(hidden, path)
    with suppress(FileNotFoundError):
        _journal_of(hidden).unlink()
    for directory in _up_to(root, path.parent):
        _sync_directory(directory)
    return info_of(key, status)


def remove(root: Path, key: str, name: str | None = None) -> None:
    """Remove the object, or the file `name` beside it, if it is there, and the directories that are empty then.

    A bucket has no directories: a store that leaves them behind fills up with one for each deleted bundle.
    """
    path = place(root, key)
    path = path.with_name(name) if name else path
    with suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
        path.unlink()
    for directory in _up_to(root, path.parent)[:-1]:
        try:
            directory.rmdir()
        except OSError:  # not empty, already gone, or not ours to remove: all of them are fine
            return


def hidden_files(root: Path, prefix: str) -> list[tuple[str, str, int]]:
    """List the uploads whose files start with `prefix`: a key in their directory, the rest of the name, last change.

    Which object such a file was to become is not written anywhere; the key ends in `*` in place of that name. A journal
    without its upload is one too: a crash came between the two.
    """
    found: dict[tuple[str, str], int] = {}
    for directory, _, names in os.walk(root):
        for name in names:
            if name.startswith(prefix):
                path = Path(directory, name)
                with suppress(FileNotFoundError):  # completed or aborted by now
                    key = path.with_name("*").relative_to(root).as_posix()
                    upload = (key, name.removeprefix(prefix).removesuffix(JOURNAL_SUFFIX))
                    touched_at_ms = path.lstat().st_mtime_ns // 1_000_000
                    found[upload] = max(found.get(upload, 0), touched_at_ms)
    return [(*upload, touched_at_ms) for upload, touched_at_ms in found.items()]


def files(root: Path, *, hidden_prefix: str, below: str = "") -> Iterator[ObjectInfo]:
    """Yield what lies below a directory in the order of the keys, without links, and names with `hidden_prefix`.

    What is removed on the way is passed over, whole directories among it.
    """
    for name in _sorted_names(root / below):
        key = below + name
        if name.endswith("/"):
            yield from files(root, hidden_prefix=hidden_prefix, below=key)
        elif not name.startswith(hidden_prefix):
            with suppress(FileNotFoundError):
                yield info_of(key, os.lstat(root / key))


def _sorted_names(directory: Path) -> list[str]:
    """Name the files and directories in one, these with a slash, in the order of the keys that begin with them."""
    try:
        with os.scandir(directory) as entries:
            return sorted(
                f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name
                for entry in entries
                if entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False)
            )
    except FileNotFoundError:
        return []


def _up_to(root: Path, directory: Path) -> list[Path]:
    """List the directory, the ones above it, and the root, which comes last."""
    return [directory, *directory.parents][: len(directory.parts) - len(root.parts) + 1]


def _sync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
