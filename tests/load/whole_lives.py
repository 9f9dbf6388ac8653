"""Viewers who follow jobs to their ends, thousands in one process, and count what was missed or came twice."""

import heapq
import random
import re
import select
import time
from typing import NamedTuple

from tests.load.epoll_viewers import LAST_CHUNK, PIECE_BYTES, RETURN_SECONDS, WAIT_SECONDS, Crowd

FIRST_ID = "0-1"
"""Of a job that waits: its only event is that it was queued."""
TERMINAL = re.compile(rb'"type":"(completed|error|cancelled)"')
_FRAME = re.compile(rb"data: (\{[^\n]*\})\nid: (\d+-\d+)\n")
_STAMP = re.compile(rb'"message":"@(\d+)"')


class Life:
    """What one viewer has seen of a job. Pure: ids in, counts out."""

    __slots__ = ("doubled", "has_ended", "last_id", "lost")

    def __init__(self, last_id: str = FIRST_ID) -> None:
        self.last_id = last_id
        self.lost = self.doubled = 0
        self.has_ended = False

    def see(self, event_id: str, *, is_terminal: bool) -> None:
        """Count an event: its seq is dense over the job's life, so a hole is arithmetic. After the end comes none."""
        before, seq = (int(text.rpartition("-")[2]) for text in (self.last_id, event_id))
        if seq <= before or self.has_ended:
            self.doubled += 1
            return
        self.lost += seq - before - 1
        self.last_id = event_id
        self.has_ended = is_terminal


class Lives(NamedTuple):
    """What all have seen: events, their ages (ns) where they were stamped, and where each life stands at the end.

    `returns`: streams that ended before their jobs; their viewers came back after what they had seen.
    """

    events: int
    ages_ns: list[int]
    lost: int
    doubled: int
    ended: int
    returns: int
    last_ids: dict[str, str]
    cpu_seconds: float


class LifeCrowd(Crowd):
    """Opens a stream for each job while it waits (`watch`), and reads until all have ended (`follow`)."""

    def follow(self, within_seconds: float) -> Lives:
        """Read until every stream has ended with its job, or for so long."""
        cpu_seconds, until = time.process_time(), time.monotonic() + within_seconds
        lives = [Life() for _ in self._viewers]
        ages_ns: list[int] = []
        events = returns = 0
        while (self._open or self._returning) and time.monotonic() < until:
            self._come_back(lives)
            for descriptor, what in self._epoll.poll(WAIT_SECONDS):
                if what & select.EPOLLOUT:
                    self._ask(descriptor)
                    continue
                number = self._open[descriptor].number
                text, is_over = self._take(descriptor)
                events += _hear(lives[number], text, ages_ns)
                if is_over:
                    self._forget(descriptor)
                if is_over and not lives[number].has_ended:
                    returns += 1
                    heapq.heappush(self._returning, (time.monotonic() + random.uniform(*RETURN_SECONDS), number))
        return Lives(
            events,
            ages_ns,
            lost=sum(life.lost for life in lives),
            doubled=sum(life.doubled for life in lives),
            ended=sum(life.has_ended for life in lives),
            returns=returns,
            last_ids={viewer.job: life.last_id for viewer, life in zip(self._viewers, lives, strict=True)},
            cpu_seconds=time.process_time() - cpu_seconds,
        )

    def _come_back(self, lives: list[Life]) -> None:
        while self._returning and self._returning[0][0] <= time.monotonic():
            viewer = self._viewers[heapq.heappop(self._returning)[1]]
            self._connect(viewer, cursor=lives[viewer.number].last_id)

    def _take(self, descriptor: int) -> tuple[bytes, bool]:
        """Read what has come of a stream, up to its last whole frame; tell whether the stream is over."""
        viewer = self._open[descriptor]
        assert viewer.sock is not None
        try:
            piece = viewer.sock.recv(PIECE_BYTES)
        except BlockingIOError:
            return b"", False
        except ConnectionError:
            piece = b""
        text = viewer.rest + piece
        end = text.rfind(b"\n\n") + 2 if b"\n\n" in text else 0
        viewer.rest = text[end:]
        return text[:end], not piece or text.endswith(LAST_CHUNK)


def _hear(life: Life, text: bytes, ages_ns: list[int]) -> int:
    """Take the frames of a text that have ids; give how many there were."""
    now_ns, count = time.monotonic_ns(), 0
    for found in _FRAME.finditer(text):
        count += 1
        life.see(found[2].decode(), is_terminal=TERMINAL.search(found[1]) is not None)
        if stamp := _STAMP.search(found[1]):
            ages_ns.append(now_ns - int(stamp[1]))
    return count
