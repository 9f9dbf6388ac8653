"""Many viewers at once, each on a connection of its own, all on the caller's event loop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from urllib.parse import urlsplit

from tests.support.sse_reader import Frame, FrameReader


class CrowdViewer:
    """One of them: what it was shown, and its end."""

    def __init__(self, url: str) -> None:
        self.frames: list[Frame] = []
        self.is_open = asyncio.Event()
        self.has_ended = False
        self._url = urlsplit(url)
        self._target = f"{self._url.path}?{self._url.query}"

    @property
    def ids(self) -> list[str]:
        """The ids of its frames, oldest first."""
        return [frame.id for frame in self.frames if frame.id is not None]

    async def watch(self, last_event_id: str | None = None) -> None:
        """Open the stream and read it until the server ends it."""
        reader, writer = await asyncio.open_connection(self._url.hostname, self._url.port)
        try:
            cursor = f"Last-Event-ID: {last_event_id}\r\n" if last_event_id is not None else ""
            writer.write(
                f"GET {self._target} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n{cursor}\r\n".encode()
            )
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            frames = FrameReader()
            while size := int(await reader.readuntil(b"\r\n"), 16):
                chunk = await reader.readexactly(size + 2)
                self.frames += frames.feed(chunk[:-2])
                self.is_open.set()
        finally:
            self.has_ended = True
            self.is_open.set()
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


@contextlib.asynccontextmanager
async def crowd(
    urls: Sequence[str], *, last_event_id: str | None = None, at_once: int = 200
) -> AsyncIterator[list[CrowdViewer]]:
    """Open a stream for each URL, so many at a time; inside of it all are open, and they are gone after it."""
    viewers = [CrowdViewer(url) for url in urls]
    watching: list[asyncio.Task[None]] = []
    try:
        for start in range(0, len(viewers), at_once):
            batch = viewers[start : start + at_once]
            watching += [asyncio.create_task(viewer.watch(last_event_id), name="crowd viewer") for viewer in batch]
            await asyncio.gather(*(viewer.is_open.wait() for viewer in batch))
        yield viewers
    finally:
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
