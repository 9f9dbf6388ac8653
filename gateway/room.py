"""When there will be room for one more, by how many jobs have ended lately. Pure.

looks at the counts of ended jobs, every three seconds ─▶ ends a second ─▶ seconds until one of them is yours
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

SHORTEST_SECONDS = 1
LONGEST_SECONDS = 300
"""Whoever waits for longer asks again meanwhile: by then the rate is another one."""
UNKNOWN_SECONDS = 30
"""Nothing has ended since this gateway looks: nobody can say when something will."""
SPREAD = 0.5
"""Those who are told the same time come back over this much more of it, and not in one moment."""


class Look(NamedTuple):
    """How many jobs had ended at a moment (seconds of one clock) since there are counts."""

    at_seconds: float
    ended: int


def ends_per_second(looks: Sequence[Look]) -> float:
    """Tell how many jobs end in a second, from the first look to the last; 0 when that is not known."""
    if len(looks) < 2 or looks[-1].at_seconds <= looks[0].at_seconds:
        return 0.0
    return max(0, looks[-1].ended - looks[0].ended) / (looks[-1].at_seconds - looks[0].at_seconds)


def seconds_until_room(ends_a_second: float, *, share_ratio: float, chance_ratio: float) -> int:
    """Tell when to try again if it takes the end of a job of which `share_ratio` of all are.

    `chance_ratio`, 0 to 1, is drawn by the caller.
    """
    pace = ends_a_second * share_ratio
    wait_seconds = 1 / pace if pace > 0 else UNKNOWN_SECONDS
    wait_seconds *= 1 + SPREAD * chance_ratio
    return min(LONGEST_SECONDS, max(SHORTEST_SECONDS, math.ceil(wait_seconds)))
