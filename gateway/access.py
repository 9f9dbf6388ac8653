"""Who may see which job: its owner. To all others it is a job that does not exist."""

import asyncio
from collections.abc import Sequence

from gateway.auth.caller import LOCAL, Caller
from shared.clock import now_ms
from shared.errors import JobGone, JobNotFound, RecordUnreadable
from shared.jobs import JobRecord
from shared.jobstore.outbox import Outbox
from shared.jobstore.store import JobStore


async def find_job(store: JobStore, caller: Caller, job_id: str) -> JobRecord:
    """Find a caller's job or raise: JobNotFound when there is none, or none of theirs, JobGone when its time is over.

    Raises RecordUnreadable for a damaged one, which its owner alone is told of.
    """
    record = await find_gone_too(store, caller, job_id)
    if (refusal := refusal_of(record, now_ms())) is not None:
        raise refusal
    return record


async def find_gone_too(store: JobStore, caller: Caller, job_id: str) -> JobRecord:
    """Find a caller's job as find_job() does, and one whose time is over as well: its callback may still be told."""
    if not caller.may_see(job_id):
        raise job_not_found()
    try:
        record = await store.find(job_id)
    except RecordUnreadable:
        if whose(await store.owner_of(job_id)) != caller.owner:
            raise job_not_found() from None
        raise
    # Before anything else is looked at: that a job of others is gone, or failed, is theirs to know.
    if record is None or whose(record.owner) != caller.owner:
        raise job_not_found()
    return record


async def find_told(store: JobStore, outbox: Outbox, caller: Caller, job_id: str) -> JobRecord | None:
    """Find a caller's job as find_gone_too() does; None for one that is forgotten, while its callbacks are known."""
    try:
        return await find_gone_too(store, caller, job_id)
    except JobNotFound:
        owner = await outbox.whose(job_id) if caller.may_see(job_id) else None
        if owner is None or whose(owner) != caller.owner:
            raise
        return None


def whose(owner: str | None) -> str:
    """Say whose a job is by the owner in its record; one from before there were owners is of the one there was."""
    return owner or LOCAL.owner


Refusal = JobNotFound | JobGone | RecordUnreadable


async def find_jobs(store: JobStore, caller: Caller, job_ids: Sequence[str]) -> list[JobRecord | Refusal]:
    """Find many jobs at once, in this order; what find_job() would raise about one of them stands in its place."""

    async def look(job_id: str) -> JobRecord | Refusal:
        try:
            return await find_job(store, caller, job_id)
        except (JobNotFound, JobGone, RecordUnreadable) as refusal:
            return refusal

    return await asyncio.gather(*map(look, job_ids))


def refusal_of(record: JobRecord, at_ms: int) -> JobGone | None:
    """Say why a job is not shown any more at this moment (milliseconds since 1970); None when it is."""
    if record.deleted_at_ms is not None:
        return job_deleted()
    if record.state.is_terminal and (record.expires_at_ms or 0) <= at_ms:
        return JobGone("The time of this job is over, and its archive is not given out any more. Create the job again.")
    return None


def job_deleted() -> JobGone:
    """Say that a job was deleted, whatever else is known of it still."""
    return JobGone("This job was deleted. Create it again.")


def job_not_found() -> JobNotFound:
    """Say that there is no such job, or none of this caller's: the two look alike on purpose."""
    return JobNotFound("There is no such job. Check the id; jobs are forgotten about two days after their end.")
