"""The names of everything in Redis. No key is built anywhere else, scripts included.

All keys of a partition share one hash tag, so that they live in one slot and one script may touch them together.
"""

from typing import NamedTuple

PREFIX = "waybill"
PARTITIONS = f"{PREFIX}:partitions"
GROUP = "processors"
# All API keys, in a slot of their own: which job they are for is not known before.
API_KEYS = f"{PREFIX}:api_keys"
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


def offices(partition: int) -> tuple[str, ...]:
    """Name the locks of what one processor does for all: sweeping, clearing up."""
    return (sweeper(partition), janitor(partition))


def archive_search() -> str:
    """Name what stands while no search for archives that no job knows of is due."""
    return f"{PREFIX}:{{0}}:archive_search"


def archive_permit() -> str:
    """Name what stands while an operator permits the deletion of however many archives that no job knows of."""
    return f"{PREFIX}:{{0}}:archive_permit"


def expiry(partition: int) -> str:
    """Name the sorted set of the jobs that the janitor must look at, by when (milliseconds since 1970)."""
    return f"{PREFIX}:{{{partition}}}:expiry"


def outbox(partition: int) -> str:
    """Name the sorted set of the callbacks to deliver, by when they are tried next (milliseconds since 1970).

    It is also the sharded channel that tells deliverers of a new one.
    """
    return f"{PREFIX}:{{{partition}}}:outbox"


def callbacks(partition: int, job_id: str) -> str:
    """Name the hash of a job's callbacks, one for each of its ends, with all that a delivery needs.

    One key for each job and not for each callback: a callback's id has the epoch of the end, which whoever ends a job
    does not know before, and no script builds a key.
    """
    return f"{PREFIX}:{{{partition}}}:callbacks:{job_id}"


def dead_callbacks(partition: int) -> str:
    """Name the stream of callbacks that were given up."""
    return f"{PREFIX}:{{{partition}}}:dead_callbacks"


def waiting_callbacks(partition: int) -> str:
    """Name the sorted set of what waits in the outbox by owner, the admins' apart: `<owner> <id>`, all of score 0."""
    return f"{PREFIX}:{{{partition}}}:waiting_callbacks"


def in_flight(partition: int) -> str:
    """Name the sorted set of the unfinished jobs by owner: `<owner> <job id>`, all of score 0."""
    return f"{PREFIX}:{{{partition}}}:in_flight"


def owner_jobs(partition: int, owner: str) -> str:
    """Name the sorted set of an owner's jobs by creation (milliseconds since 1970)."""
    return f"{PREFIX}:{{{partition}}}:owner:{owner}"


def idempotency(digest: str) -> str:
    """Name what stands under an Idempotency-Key; `digest` is of its owner and the key. It has a slot of its own."""
    return f"{PREFIX}:idem:{digest}"


def owner_creates(digest: str) -> str:
    """Name the sorted set of an owner's creates of the last minute; `digest` is of the owner. A slot of its own."""
    return f"{PREFIX}:creates:{digest}"


def owner_streams(digest: str) -> str:
    """Name the hash of the streams that each gateway has open for an owner; `digest` as above. A slot of its own."""
    return f"{PREFIX}:streams:{digest}"


def owner_of_list(partition: int, key: str) -> str | None:
    """Read the owner from the name of an owner's list; None for any other key."""
    return _rest(key, owner_jobs(partition, ""))


def events(partition: int, job_id: str) -> str:
    """Name a job's event log, and the sharded channel on which the same events are published."""
    return f"{PREFIX}:{{{partition}}}:events:{job_id}"


def record(partition: int, job_id: str) -> str:
    """Name a job's record."""
    return f"{PREFIX}:{{{partition}}}:job:{job_id}"


def job_of_record(partition: int, key: str) -> str | None:
    """Read the job id from the name of a record; None for any other key."""
    return _rest(key, record(partition, ""))


def job_of_callbacks(partition: int, key: str) -> str | None:
    """Read the job id from the name of its callbacks; None for any other key."""
    return _rest(key, callbacks(partition, ""))


def all_of(partition: int) -> str:
    """Give the pattern (Redis SCAN, MATCH) of all keys of a partition."""
    return f"{PREFIX}:{{{partition}}}:*"


def _rest(key: str, prefix: str) -> str | None:
    return key.removeprefix(prefix) if key.startswith(prefix) else None


class JobKeys(NamedTuple):
    """The keys that the job scripts take, in the order in which they take them."""

    record: str
    events: str
    commands: str
    dead: str
    stats: str
    wake: str
    expiry: str
    in_flight: str
    outbox: str
    callbacks: str
    waiting_callbacks: str


def of_job(partition: int, job_id: str) -> JobKeys:
    """Name all keys that a transition of this job may touch."""
    return JobKeys(
        record=record(partition, job_id),
        events=events(partition, job_id),
        commands=commands(partition),
        dead=dead(partition),
        stats=stats(partition),
        wake=wake(partition),
        expiry=expiry(partition),
        in_flight=in_flight(partition),
        outbox=outbox(partition),
        callbacks=callbacks(partition, job_id),
        waiting_callbacks=waiting_callbacks(partition),
    )
