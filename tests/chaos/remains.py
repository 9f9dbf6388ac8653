"""What Redis, the object store and the gateways have when everything has come to rest."""

import io
import zipfile
from collections.abc import Collection
from typing import NamedTuple

import msgspec

from shared.jobs import JobRecord
from shared.jobstore.store import JobStore
from shared.objects.directory import ObjectDirectory
from tests.chaos.history import DeadLetter, Event
from tests.support import cargo, inspection
from tests.support.stores import running_store
from tests.support.system import JOBS, System


class Remains(NamedTuple):
    """What was found; fields as in History."""

    logs: dict[str, list[Event]]
    records: dict[str, JobRecord]
    entries: dict[str, str]
    pending: dict[str, str]
    dead_letters: list[DeadLetter]
    open_uploads: list[str]


async def read_remains(system: System, accepted: Collection[str]) -> Remains:
    """Read everything, of the jobs that were accepted, and of those whose creation nobody was told of."""
    partitions = int(system.settings_of_a_service().get("WAYBILL_PARTITIONS", "1"))
    async with running_store(system.redis.url, partitions=partitions) as store:
        entries: dict[str, str] = {}
        pending: dict[str, str] = {}
        dead_letters: list[DeadLetter] = []
        for partition in range(partitions):
            entries |= await inspection.commands(store, partition)
            pending |= await inspection.pending(store, partition)
            letters = await inspection.dead_letters(store, partition)
            dead_letters += [DeadLetter(letter.entry_id, letter.fields["job"]) for letter in letters]
        job_ids = {*accepted, *await _known_jobs(store)}
        return Remains(
            logs={job_id: await _log(store, job_id) for job_id in job_ids},
            records={job_id: record for job_id in job_ids if (record := await store.find(job_id))},
            entries=entries,
            pending=pending,
            dead_letters=dead_letters,
            open_uploads=[upload.upload_id async for upload in ObjectDirectory(system.objects_dir).open_uploads()],
        )


async def _known_jobs(store: JobStore) -> list[str]:
    names = await inspection.expiries(store.connection)
    return [name.rpartition(":")[2] for name in names if ":job:" in name]


async def _log(store: JobStore, job_id: str) -> list[Event]:
    return [
        Event(entry.event_id, msgspec.json.decode(entry.message)) for entry in await inspection.read_log(store, job_id)
    ]


def archive_of(system: System, record: JobRecord) -> str:
    """Fetch a job's archive as a client does, and say what is wrong with it; "" when nothing is."""
    answer = system.get(f"{JOBS}/{record.job_id}/file")
    if answer.status_code != 200:
        return f"{answer.status_code} {answer.text[:200]}"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        contents = [archive.read(name) for name in archive.namelist()]
    sources = {file.file_id: file.content for file in (*cargo.MIXED, *cargo.LONG)}
    wanted = [sources[file_id] for file_id in record.file_ids]
    return "" if contents == wanted else "its contents are not those of the sources"
