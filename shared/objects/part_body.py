"""The body of an upload that is not copied."""

from collections.abc import AsyncIterator

SLICE_BYTES = 512 * 1024  # as much as a socket takes in a few writes; smaller ones cost a turn of the loop each


class PartBody:
    """Shows a buffer to botocore as a file, and to aiohttp as a stream.

    Bytes would have to be copied from the buffer first, a part's worth for each part in flight; a real file object is
    read by aiohttp in 64 KiB steps, each in a thread.
    """

    def __init__(self, view: memoryview) -> None:
        self._view = view
        self._position = 0

    def __len__(self) -> int:
        return len(self._view)

    async def __aiter__(self) -> AsyncIterator[memoryview]:
        """Yield all of it, from the start at every call: a redirected request is sent again."""
        for start in range(0, len(self._view), SLICE_BYTES):
            yield self._view[start : start + SLICE_BYTES]

    def read(self, count_bytes: int = -1) -> bytes:
        """Read on, as a file does: botocore hashes small requests with it."""
        end = len(self._view) if count_bytes < 0 else self._position + count_bytes
        piece = bytes(self._view[self._position : end])
        self._position += len(piece)
        return piece

    def tell(self) -> int:
        """Give the place of the next read."""
        return self._position

    def seek(self, position: int) -> int:
        """Set the place of the next read."""
        self._position = position
        return position
