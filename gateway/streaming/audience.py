"""The viewers of one job in this process."""

import random
import time
from typing import TYPE_CHECKING

from shared.event_id import EventId

if TYPE_CHECKING:
    from gateway.streaming.viewer import Viewer


class Audience:
    """One job's viewers, and when (monotonic seconds) its log is to be looked at next."""

    def __init__(self, job_id: str, channel: str) -> None:
        self.job_id = job_id
        self.channel = channel
        self.viewers: set[Viewer] = set()
        self.look_after = 0.0

    def rest(self, seconds: float) -> None:
        """Leave the log alone for so long, ± 20 %, so that the looks at many jobs spread."""
        self.look_after = time.monotonic() + random.uniform(0.8, 1.2) * seconds

    def compare(self, tail: EventId | None) -> None:
        """Send everybody back to the log whose cursor is not its end; None: there is no such job any more."""
        for viewer in self.viewers:
            if viewer.cursor != tail:
                viewer.fall_behind()
