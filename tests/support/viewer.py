"""A viewer in the background: connected once, never again, and remembering what it was shown."""

import threading

from tests.support.local_http import local_client
from tests.support.sse_reader import Frame, FrameReader
from tests.support.waiting import PATIENCE_SECONDS, until


class BackgroundViewer:
    """Opens a stream and reads it to its end in a thread; `frames` grows meanwhile."""

    def __init__(self, url: str, *, last_event_id: str = "0-0") -> None:
        self.frames: list[Frame] = []
        self._url = url
        self._headers = {"Last-Event-ID": last_event_id}
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        until(lambda: self.frames, f"{url} is open")

    def wait_for_end(self) -> list[Frame]:
        """Wait until the gateway has ended the stream; give all frames."""
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive(), "the stream is still open"
        return self.frames

    def _watch(self) -> None:
        reader = FrameReader()
        with (
            local_client(within_seconds=PATIENCE_SECONDS) as client,
            client.stream("GET", self._url, headers=self._headers) as response,
        ):
            for piece in response.iter_raw():
                self.frames += reader.feed(piece)
