"""What Redis, the object store and the gateways have when everything has come to rest."""

import io
import zipfile
from collections.abc import AsyncIterator, Collection, Iterable, Iterator
from typing import NamedTuple

import msgspec

from shared.clock import now_ms
from shared.jobs import JobRecord
from shared.jobstore.callback import CallbackRecord
from shared.jobstore.consistency import Consistency
from shared.jobstore.outbox import Outbox
from shared.jobstore.store import JobStore
from shared.objects.directory import ObjectDirectory
from tests.chaos.history import Asked, Call, DeadLetter, Event
from tests.chaos.passing_time import what_time_leaves
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
    callbacks: dict[str, list[CallbackRecord]]
    dead_callbacks: list[str]
    open_uploads: list[str]
    findings: list[str]


def partitions_of(system: System) -> int:
    """Tell how many partitions a system has."""
    return int(system.settings_of_a_service().get("WAYBILL_PARTITIONS", "1"))


async def read_remains(system: System, accepted: Collection[str]) -> Remains:
    """Read everything, of the jobs that were accepted, and of those whose creation nobody was told of."""
    partitions = partitions_of(system)
    async with running_store(system.redis.url, partitions=partitions) as store:
        entries: dict[str, str] = {}
        pending: dict[str, str] = {}
        dead_letters: list[DeadLetter] = []
        for partition in range(partitions):
            entries |= await inspection.commands(store, partition)
            pending |= await inspection.pending(store, partition)
            letters = await inspection.dead_letters(store, partition)
            dead_letters += [
                DeadLetter(letter.entry_id, letter.fields["job"], letter.fields["reason"]) for letter in letters
            ]
        job_ids = {*accepted, *await _known_jobs(store)}
        return Remains(
            logs={job_id: await _log(store, job_id) for job_id in job_ids},
            records={job_id: record for job_id in job_ids if (record := await store.find(job_id))},
            entries=entries,
            pending=pending,
            dead_letters=dead_letters,
            callbacks={job_id: kept for job_id in job_ids if (kept := await Outbox(store).deliveries(job_id))},
            dead_callbacks=[
                dead.callback_id for number in range(partitions) for dead in await Outbox(store).dead(number)
            ],
            open_uploads=[upload.upload_id async for upload in ObjectDirectory(system.objects_dir).open_uploads()],
            findings=[finding async for finding in _findings(store)] + list(_repairs(system)),
        )


async def due_now(system: System) -> list[int]:
    """Count, for each partition, the jobs that the janitor should look at now."""
    partitions = partitions_of(system)
    async with running_store(system.redis.url, partitions=partitions) as store:
        visits = [await inspection.visits(store, partition) for partition in range(partitions)]
    return [sum(visit_ms <= now_ms() for visit_ms in found.values()) for found in visits]


async def _findings(store: JobStore) -> AsyncIterator[str]:
    consistency = Consistency(store.connection, partitions=store.partitions)
    for partition in range(store.partitions):
        async for page in consistency.walk(partition):
            for finding in page.findings:
                yield f"{finding.job_id}: {finding.sentence}"


def _repairs(system: System) -> Iterator[str]:
    """Give what janitors found during the storm: nothing that they repair can happen by itself."""
    for service in system.services:
        for line in service.log_lines():
            if line["event"] in ("job store repaired", "job store cannot be repaired here"):
                yield f"{service.log_path.name} says: {line}"


async def leave_it_to_time(system: System) -> list[str]:
    """Give what is left when the time of everything is over."""
    async with running_store(system.redis.url, partitions=partitions_of(system)) as store:
        return await what_time_leaves(store, ObjectDirectory(system.objects_dir))


def listed_by(system: System) -> list[str]:
    """Read the owner's list, page by page, as a client does."""
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = system.get(f"{JOBS}?limit=100" + (f"&cursor={cursor}" if cursor else "")).json()
        found += [job["job_id"] for job in page["jobs"]]
        cursor = page["next_cursor"]
    return found


def looks_at_the_deleted(system: System, job_ids: Iterable[str]) -> Iterator[Call]:
    """Look at each job in every way in which a client can."""
    for job_id in job_ids:
        for path in ("", "/events", "/stream", "/file"):
            sent_at_ms = now_ms()
            status = system.get(f"{JOBS}/{job_id}{path}").status_code
            yield Call(asked=Asked.LOOK, job_id=job_id, sent_at_ms=sent_at_ms, answered_at_ms=now_ms(), status=status)


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
