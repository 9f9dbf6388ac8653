"""curl as people use it, and as a viewer of a stream that speaks HTTP/2."""

import os
import subprocess
from typing import Self

from tests.support.sse_reader import Frame, FrameReader
from tests.support.tools import require_tool
from tests.support.waiting import PATIENCE_SECONDS

READ_BYTES = 65_536


def start(*arguments: str) -> "subprocess.Popen[bytes]":
    """Start curl, with its output readable as it comes."""
    command = [require_tool("curl"), "--noproxy", "*", "--max-time", str(PATIENCE_SECONDS), "-sSN", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


class CurlViewer:
    """A context manager: one open stream, which is read frame by frame. It is left at the end, as by closing a tab."""

    def __init__(self, url: str, *options: str) -> None:
        self._arguments = (*options, url)
        self._frames: list[Frame] = []
        self._reader = FrameReader()

    def __enter__(self) -> Self:
        """Open it."""
        self._process = start(*self._arguments)
        return self

    def __exit__(self, *_: object) -> None:
        """Leave it, wherever it stands."""
        self._process.kill()
        self._process.communicate()

    def next_frame(self) -> Frame:
        """Wait for the next frame; fails when the stream ends, or stays silent for longer than anything takes."""
        while not self._frames:
            assert self._process.stdout is not None
            piece = os.read(self._process.stdout.fileno(), READ_BYTES)
            assert piece, f"no frame came, and the stream is over: {self._arguments[-1]}"
            self._frames = self._reader.feed(piece)
        return self._frames.pop(0)

    def next_event(self) -> Frame:
        """Wait for the next frame that has an id: an event of the log, or a snapshot."""
        while not (frame := self.next_frame()).id:
            pass
        return frame
