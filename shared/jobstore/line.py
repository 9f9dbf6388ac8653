"""Reads what estimates are made from: who stands in line in a partition, and how long runs took there lately."""

import asyncio
from typing import NamedTuple, cast

from shared.jobs import JobState
from shared.jobstore import keys
from shared.jobstore.operations import Line, LinePlace
from shared.jobstore.service_times import ServiceTimes
from shared.jobstore.store import JobStore

_ENDS = tuple(state for state in JobState if state.is_terminal)
"""Each is counted under its own name (scripts/shared/terminal.lua)."""


class LineReading(NamedTuple):
    """One partition at one moment; `ended` counts the jobs that have ended there since there are counts."""

    line: Line
    times: ServiceTimes
    ended: int


async def read_line(store: JobStore, partition: int) -> LineReading:
    """Read one partition; the cost does not depend on how many wait. Raises as the job store does."""
    backlog, stats = await asyncio.gather(
        store.backlog(partition),
        store.connection.execute("HMGET", keys.stats(partition), "line_end", "line_taken", "learned", *_ENDS),
    )
    end, taken, learned, *ends = cast("list[bytes | None]", stats)
    line = Line(backlog.unfinished, backlog.parked, backlog.ready, LinePlace.read(end), LinePlace.read(taken))
    return LineReading(line, ServiceTimes.read(learned), sum(int(count or 0) for count in ends))
