"""How long a new job will take, from what jobs took lately. Pure."""

import math


def estimated_duration(unfinished_jobs: int, mean_service_ms: int | None) -> str | None:
    """Give a range like `60-120s`; None while no job has been completed yet, because nothing is known then.

    From one service time (a free slot takes the job at once) to the whole backlog one after the other.
    """
    if mean_service_ms is None:
        return None
    low_seconds = max(1, math.floor(mean_service_ms / 1000))
    high_seconds = max(low_seconds + 1, math.ceil(mean_service_ms * max(1, unfinished_jobs) / 1000))
    return f"{low_seconds}-{high_seconds}s"
