"""What no claim can run: entries that are not ours, records and logs that cannot be read. Each leaves a dead letter.

Without this such an entry would be taken, refused and taken again for ever, in a slot that does nothing else.
"""

from collections.abc import Sequence
from typing import cast

from shared.clock import now_ms
from shared.errors import RedisRefused
from shared.jobs import JobError
from shared.jobstore import keys, script
from shared.jobstore.operations import ClaimTerms, Entry
from shared.jobstore.record import as_words, encode_json, flatten, mend
from shared.jobstore.store import JobStore


async def bury_damaged(store: JobStore, entry: Entry, error: JobError, *, message: bytes, terms: ClaimTerms) -> bool:
    """End the job of an entry as failed, whatever is in its record and log. Raises RedisUnavailable.

    `message` is the encoded terminal event. False, and nothing has happened, when the entry is gone already.
    """
    names = keys.of_job(entry.partition, entry.job_id)
    unreadable, required = mend(await _raw_record(store, names.record), now_ms=now_ms())
    reply = await store.connection.run_script(
        script.BURY_DAMAGED,
        names,
        entry.job_id,
        entry.entry_id,
        message,
        terms.retention_ms,
        encode_json(error),
        int(store.tells_admins),
        len(unreadable),
        *unreadable,
        *flatten({"expires_at": terms.expires_at_ms, "permanent": 1, **required}),
    )
    return as_words(reply)[0] == "OK"


async def _raw_record(store: JobStore, name: str) -> Sequence[bytes]:
    try:
        return cast("Sequence[bytes]", await store.connection.execute("HGETALL", name))
    except RedisRefused:  # it is no hash at all
        return ()


async def bury_foreign(store: JobStore, entry: Entry, error: JobError) -> bool:
    """Take an entry off the stream that names no job of its partition; False when it is gone already.

    Raises RedisUnavailable.
    """
    names = keys.of_job(entry.partition, "nobody")
    reply = await store.connection.run_script(script.BURY_FOREIGN, names, entry.entry_id, encode_json(error))
    return as_words(reply)[0] == "OK"
