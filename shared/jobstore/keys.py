"""The names of everything in Redis. No key is built anywhere else, scripts included.

All keys of a partition share one hash tag, so that they live in one slot and one script may touch them together.
"""

from typing import NamedTuple

PREFIX = "waybill"
PARTITIONS = f"{PREFIX}:partitions"
GROUP = "processors"
# A slot of their own: processors work for all partitions.
SIGNS_OF_LIFE = f"{PREFIX}:{{processors}}:signs"
SIGNS_SAY = f"{PREFIX}:{{processors}}:say"


def commands(partition: int) -> str:
    """Name the command stream: one entry for each unfinished job of the partition."""
    return f"{PREFIX}:{{{partition}}}:commands"


def dead(partition: int) -> str:
    """Name the stream of dead letters."""
    return f"{PREFIX}:{{{partition}}}:dead"


def stats(partition: int) -> str:
    """Name the hash of counters and service-time averages."""
    return f"{PREFIX}:{{{partition}}}:stats"


def wake(partition: int) -> str:
    """Name the sharded channel that tells idle processors to look for work."""
    return f"{PREFIX}:{{{partition}}}:wake"


def sweeper(partition: int) -> str:
    """Name the lock of the partition's one sweeper."""
    return f"{PREFIX}:{{{partition}}}:sweeper"


def janitor(partition: int) -> str:
    """Name the lock of the partition's one janitor."""
    return f"{PREFIX}:{{{partition}}}:janitor"


def expiry(partition: int) -> str:
    """Name the sorted set of the jobs that the janitor must look at, by when (milliseconds since 1970)."""
    return f"{PREFIX}:{{{partition}}}:expiry"


def owner_jobs(partition: int, owner: str) -> str:
    """Name the sorted set of an owner's jobs by creation (milliseconds since 1970)."""
    return f"{PREFIX}:{{{partition}}}:owner:{owner}"


def teller(partition: int) -> str:
    """Name the lock of the one process that tells admins of the partition's dead letters."""
    return f"{PREFIX}:{{{partition}}}:teller"


def events(partition: int, job_id: str) -> str:
    """Name a job's event log, and the sharded channel on which the same events are published."""
    return f"{PREFIX}:{{{partition}}}:events:{job_id}"


class JobKeys(NamedTuple):
    """The keys that the job scripts take, in the order in which they take them."""

    record: str
    events: str
    commands: str
    dead: str
    stats: str
    wake: str
    expiry: str


def of_job(partition: int, job_id: str) -> JobKeys:
    """Name all keys that a transition of this job may touch."""
    return JobKeys(
        record=f"{PREFIX}:{{{partition}}}:job:{job_id}",
        events=events(partition, job_id),
        commands=commands(partition),
        dead=dead(partition),
        stats=stats(partition),
        wake=wake(partition),
        expiry=expiry(partition),
    )
