"""Those who follow one job in this process."""

import random
import time
from typing import Protocol

from gateway.streaming.sse import Message
from shared.event_id import EventId


class Follower(Protocol):
    """A stream, or a long poll: it has a place in a job's log and is told what may be news."""

    is_long_poll: bool

    @property
    def job_id(self) -> str:
        """The job that it follows."""

    @property
    def cursor(self) -> EventId:
        """The id of the last event that it knows."""

    def offer(self, message: Message) -> None:
        """Take a live message."""

    def fall_behind(self) -> None:
        """Doubt the live channel: messages may have been missed."""

    def dismiss(self, reason: str) -> None:
        """End soon; whoever is behind it comes back by itself."""


class Audience:
    """One job's followers, and when (monotonic seconds) its log is to be looked at next."""

    def __init__(self, job_id: str, channel: str) -> None:
        self.job_id = job_id
        self.channel = channel
        self.followers: set[Follower] = set()
        self.look_after = 0.0

    def rest(self, seconds: float) -> None:
        """Leave the log alone for so long, ± 20 %, so that the looks at many jobs spread."""
        self.look_after = time.monotonic() + random.uniform(0.8, 1.2) * seconds

    def compare(self, tail: EventId | None) -> None:
        """Send everybody back to the log whose cursor is not its end; None: there is no such job any more."""
        for follower in tuple(self.followers):  # who has nothing to wait for leaves in this moment
            if follower.cursor != tail:
                follower.fall_behind()
