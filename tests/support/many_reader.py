"""A reader of a stream of many jobs: what it was told of each, and the vector with which it comes back."""

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlencode

from tests.support.sse_reader import Frame

STREAM = "/v1/download/stream"
MADE = ("snapshot", "busy", "heartbeat")
"""Made for one viewer; these have no place in a job's log."""


def many_stream(paths: Iterable[str], **query: str) -> str:
    """Give the path of the stream of these jobs, in this order; a path's id is what stands behind its last slash."""
    jobs = [("job", path.rpartition("/")[2]) for path in paths]
    return f"{STREAM}?{urlencode([*jobs, *query.items()])}"


class ManyReader:
    """Takes frames, and holds each against the vector before: it moves its own job's cursor, and no other one."""

    def __init__(self, paths: Sequence[str], cursor: str | None = None) -> None:
        self.ids = [path.rpartition("/")[2] for path in paths]
        self.cursor = cursor
        self.frames: list[Frame] = []

    def take(self, frame: Frame) -> None:
        """Take one frame."""
        self.frames.append(frame)
        if frame.id is None:
            return
        places, number = frame.id.split("."), self.ids.index(frame.data["job_id"])
        assert len(places) == len(self.ids)
        before = ["-"] * len(self.ids) if self.cursor is None else self.cursor.split(".")
        assert places[:number] + places[number + 1 :] == before[:number] + before[number + 1 :]
        self.cursor = frame.id

    def of_job(self, path: str) -> list[Frame]:
        """Give the frames about one job."""
        return [frame for frame in self.frames if frame.data.get("job_id") == path.rpartition("/")[2]]

    def events_of(self, path: str) -> list[dict[str, Any]]:
        """Give what was told of a job's log, in the form of /events."""
        number = self.ids.index(path.rpartition("/")[2])
        return [
            {"id": str(frame.id).split(".")[number], **{k: v for k, v in frame.data.items() if k != "job_id"}}
            for frame in self.of_job(path)
            if frame.type not in MADE
        ]

    @property
    def types(self) -> list[str]:
        """The types of all frames, oldest first."""
        return [frame.type for frame in self.frames]
