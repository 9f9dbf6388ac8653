"""What no claim can run: entries that are not ours, records and logs that cannot be read. Each leaves a dead letter.

Without this such an entry would be taken, refused and taken again for ever, in a slot that does nothing else.
"""

from shared.jobs import JobError
from shared.jobstore import keys, script
from shared.jobstore.operations import ClaimTerms, Entry
from shared.jobstore.record import encode_json, flatten
from shared.jobstore.store import JobStore


async def bury_damaged(store: JobStore, entry: Entry, error: JobError, *, message: bytes, terms: ClaimTerms) -> None:
    """End the job of an entry as failed, whatever is in its record and log. Raises RedisUnavailable.

    `message` is the encoded terminal event. Nothing happens when the entry is gone already.
    """
    encoded_error = encode_json(error)
    await store.connection.run_script(
        script.BURY_DAMAGED,
        keys.of_job(entry.partition, entry.job_id),
        entry.job_id,
        entry.entry_id,
        message,
        terms.retention_ms,
        encoded_error,
        *flatten({"expires_at": terms.expires_at_ms}),
    )


async def bury_foreign(store: JobStore, entry: Entry, error: JobError) -> None:
    """Take an entry off the stream that names no job of its partition. Raises RedisUnavailable."""
    names = keys.of_job(entry.partition, "nobody")
    await store.connection.run_script(script.BURY_FOREIGN, names, entry.entry_id, encode_json(error))
