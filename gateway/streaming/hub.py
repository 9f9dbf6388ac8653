"""The gateway's fan-out: one live channel for the process, subscribed to exactly the jobs that have viewers here.

The cost grows with this gateway's own viewers, not with the fleet. A message is parsed and framed once, whatever the
number of its viewers. When the channel was lost every viewer reads the log after its own cursor.
"""

import asyncio
from collections import defaultdict

import msgspec
import structlog

from gateway.streaming.sse import Message, event_message
from gateway.streaming.viewer import Viewer
from shared.event_id import EventId
from shared.jobstore.live import LiveChannel
from shared.jobstore.store import JobStore

log = structlog.get_logger(__name__)


class Hub:
    """Knows the viewers of this process by job."""

    def __init__(self, store: JobStore, redis_url: str) -> None:
        self._store = store
        self._viewers: defaultdict[str, set[Viewer]] = defaultdict(set)
        self.live = LiveChannel(redis_url, name="gateway-live", on_message=self._deliver, on_restored=self._resync)
        self.is_draining = False
        self._emptied = asyncio.Event()

    def register(self, viewer: Viewer) -> None:
        """Count a viewer in: from now on it is told to end when the process drains."""
        self._viewers[self._store.live_channel(viewer.job_id)].add(viewer)
        if self.is_draining:
            viewer.dismiss("drain")

    async def subscribe(self, viewer: Viewer) -> None:
        """Return when live messages of the viewer's job arrive; raises RedisUnavailable when they do not for now."""
        await self.live.subscribe(self._store.live_channel(viewer.job_id))

    def is_live(self, viewer: Viewer) -> bool:
        """Tell whether live messages of the viewer's job arrive now."""
        return self.live.is_subscribed(self._store.live_channel(viewer.job_id))

    def leave(self, viewer: Viewer) -> None:
        """Forget a viewer; the job's channel goes with its last one."""
        channel = self._store.live_channel(viewer.job_id)
        viewers = self._viewers[channel]
        viewers.discard(viewer)
        if not viewers:
            del self._viewers[channel]
            self.live.unsubscribe(channel)
        if not self._viewers:
            self._emptied.set()

    async def drain(self) -> None:
        """Ask all viewers, and all that still come, to reconnect elsewhere; return when no stream is open."""
        self.is_draining = True
        for viewers in list(self._viewers.values()):
            for viewer in viewers:
                viewer.dismiss("drain")
        while self._viewers:
            self._emptied.clear()
            await self._emptied.wait()

    def _deliver(self, channel: str, published: bytes) -> None:
        message = _parse(published)
        if message is None:
            log.error("unreadable live message", channel=channel)
            return
        for viewer in self._viewers.get(channel, ()):
            viewer.offer(message)

    def _resync(self) -> None:
        for viewers in self._viewers.values():
            for viewer in viewers:
                viewer.fall_behind()


class _Written(msgspec.Struct):
    at: str | None = None


def _parse(published: bytes) -> Message | None:
    """Read `<id> <message>` as the scripts publish it; None when it is something else."""
    identifier, _, encoded = published.partition(b" ")
    event_id = EventId.parse(identifier.decode("ascii", "replace"))
    try:
        written_at = msgspec.json.decode(encoded, type=_Written).at
    except (msgspec.DecodeError, RecursionError):
        return None
    return event_message(event_id, encoded, written_at=written_at) if event_id else None
