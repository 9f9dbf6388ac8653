"""The page's files, as the build of gateway/web has left them: kept in memory, each with its gzipped form.

The build may end after the gateway has started (`make run` builds beside it), or be done anew: a request for the page
looks at the time of its index, and what has changed is read again.
"""

import asyncio
import gzip
import hashlib
from pathlib import Path
from typing import NamedTuple

BUILT_DIR = Path(__file__).parent / "web" / "dist" / "page"
INDEX = "index.html"
MEDIA_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
"""What the page consists of; the framework adds the charset of texts. A file of another kind is not served."""


class PageFile(NamedTuple):
    """One file; `etag` is strong, and the gzipped form's ends in `-gzip"` (RFC 9110 §8.8.3.3)."""

    body: bytes
    gzipped: bytes
    media_type: str
    etag: str

    @property
    def gzipped_etag(self) -> str:
        """The entity tag of the gzipped form."""
        return f'{self.etag[:-1]}-gzip"'


class PageFiles:
    """The files by their path below `directory`, which need not be there."""

    def __init__(self, directory: Path = BUILT_DIR) -> None:
        self._directory = directory
        self._files: dict[str, PageFile] = {}
        self._built_at_ns: int | None = None
        self._reading = asyncio.Lock()

    async def find(self, path: str) -> PageFile | None:
        """Give a file; None when there is none of this name, or no build."""
        async with self._reading:
            built_at_ns = _built_at_ns(self._directory)
            if built_at_ns != self._built_at_ns:
                # Reading and compressing takes tens of milliseconds, in which streams shall go on.
                self._files = await asyncio.to_thread(_read_all, self._directory)
                self._built_at_ns = built_at_ns
        return self._files.get(path)


def _built_at_ns(directory: Path) -> int | None:
    try:
        return (directory / INDEX).stat().st_mtime_ns
    except OSError:
        return None


def _read_all(directory: Path) -> dict[str, PageFile]:
    return {
        path.relative_to(directory).as_posix(): _read(path)
        for path in directory.rglob("*")
        if path.suffix in MEDIA_TYPES and path.is_file()
    }


def _read(path: Path) -> PageFile:
    body = path.read_bytes()
    digest = hashlib.sha256(body).hexdigest()[:32]
    return PageFile(body, gzip.compress(body, mtime=0), MEDIA_TYPES[path.suffix], f'"{digest}"')
