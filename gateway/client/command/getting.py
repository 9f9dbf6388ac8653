"""`waybill get`: submit, follow, fetch, check. The same command again goes on with the same job and the same file."""

import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from gateway.client.calls import monotonic_ms
from gateway.client.command.destination import PIPE, Destination, Pipe, destination
from gateway.client.command.exit_codes import DONE, SKIPPED, UNAVAILABLE
from gateway.client.command.going import Going
from gateway.client.command.layout import Row
from gateway.client.command.standard_streams import print_json
from gateway.client.command.watching import Watched, follow, say_how_to_retry
from gateway.client.display import amount
from gateway.client.errors import JobUnsuccessful, NotWaybill, UnknownAnswer
from gateway.client.job import AsyncJob, insist_on_archive, wanted_of
from gateway.client.part_file import PartFile, insist_on_room_for
from gateway.client.record import TERMINAL, Message, Record
from gateway.client.saving import OnBytes
from gateway.client.transfer import Transfer
from shared.errors import JobGone, JobNotFound, RequestError


class Wish(NamedTuple):
    """What was asked for: a new job (`request`, its body) or one that is there, and what to do with its archive."""

    request: dict[str, Any]
    job_id: str | None
    output: str | None
    idempotency_key: str | None
    replaces: bool
    resumes: bool
    waits: bool
    cancels_on_interrupt: bool
    is_strict: bool


async def get(going: Going, wish: Wish) -> int:
    """Have an archive made, and fetch it."""
    if wish.output == PIPE:
        return await _to_pipe(going, wish)
    asked = {"server": going.settings.server, "job": wish.job_id, "request": wish.request}
    place = destination(wish.output, asked)
    for expected in place.expected(wish.request.get("archive_name")):
        insist_on_room_for(expected, replaces=wish.replaces)
    with PartFile(place.stem, resumes=wish.resumes) as part, _forgetting_what_is_over(part):
        job = await _job_of(going, wish, part, asked)
        _hint(going, wish, job, "run the same command again")
        record = await _ended(going, wish, job)
        if record is None:
            return UNAVAILABLE
        target = await _target(place, job)
        going.hint = lambda: f"Job {job.job_id} is ready; run the same command again to go on."
        await _fetched(going, record, lambda told: job.save_by(part, target, replaces=wish.replaces, on_bytes=told))
    going.say(f"Saved {target}, {amount(record.archive_bytes or 0)}.")
    shown = {"job_id": job.job_id, "path": str(target), **_archive(record)}
    if going.settings.as_json:
        print_json(shown)
    else:
        print(target)
    return SKIPPED if wish.is_strict and record.skipped_files else DONE


async def _to_pipe(going: Going, wish: Wish) -> int:
    job = going.waybill.job(wish.job_id) if wish.job_id else await _submitted(going, wish, wish.idempotency_key)
    _hint(going, wish, job, "to fetch it")
    record = await _ended(going, wish, job)
    if record is None:
        return UNAVAILABLE
    pipe, wanted = Pipe(), wanted_of(record)
    await _fetched(going, record, lambda told: job.fetch(pipe, wanted, on_bytes=told))
    pipe.finish(wanted)
    return SKIPPED if wish.is_strict and record.skipped_files else DONE


# ── the job ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _job_of(going: Going, wish: Wish, part: PartFile, asked: dict[str, Any]) -> AsyncJob:
    """Find the job: the one that was named, the one that an earlier run noted, or a new one."""
    if wish.job_id is not None:
        return going.waybill.job(wish.job_id)
    key = wish.idempotency_key
    noted_key = part.note.get("idempotency_key")
    if part.note.get("asked") == asked and noted_key and key in (None, noted_key):
        job = await _submitted(going, wish, str(noted_key))
        if await _is_usable(job):
            going.say(f"Going on with job {job.job_id}.")
            return job
        key = None
    # Noted before it is sent: whatever ends this command, the next one asks for the same job.
    key = key or str(uuid.uuid4())
    part.keep_note(asked=asked, idempotency_key=key)
    going.hint = lambda: "Run the same command again to go on."
    troubles_before = going.troubles
    try:
        return await _submitted(going, wish, key)
    except (RequestError, NotWaybill, UnknownAnswer) as refusal:
        # Where one sending had no answer, and the next was refused, the first may have made a job.
        if going.troubles == troubles_before and _says_that_nothing_was_made(refusal):
            part.forget_job()
        raise


def _says_that_nothing_was_made(error: RequestError | NotWaybill | UnknownAnswer) -> bool:
    """A server that fails (5xx) may do so after it has made the job."""
    return (error.status if isinstance(error, RequestError) else error.answered_status) < 500


async def _submitted(going: Going, wish: Wish, key: str | None) -> AsyncJob:
    return await going.waybill.submit_body(wish.request, idempotency_key=key)


@contextmanager
def _forgetting_what_is_over(part: PartFile) -> Iterator[None]:
    """Note no more of a job that no run can go on with; after any other trouble the same command finds it again."""
    try:
        yield
    except (JobNotFound, JobGone):
        part.forget_job()
        raise
    except JobUnsuccessful as error:
        if error.state in TERMINAL:
            part.forget_job()
        raise


async def _is_usable(job: AsyncJob) -> bool:
    with suppress(JobNotFound, JobGone):
        return (await job.record()).status not in ("failed", "cancelled")
    return False


def _hint(going: Going, wish: Wish, job: AsyncJob, how: str) -> None:
    if wish.cancels_on_interrupt:
        going.on_interrupt = lambda waybill: _cancelled(waybill.job(job.job_id))
    # Asked for when it is said: a job that the server has lost has another id by then.
    going.hint = lambda: f"Job {job.job_id} goes on; {how}, or: waybill get --job {job.job_id}"
    if going.settings.is_verbose:
        going.say(f"Job {job.job_id}.")


async def _cancelled(job: AsyncJob) -> str:
    state = await job.cancel()
    return f"Job {job.job_id} is {'being cancelled' if state == 'processing' else state}."


async def _ended(going: Going, wish: Wish, job: AsyncJob) -> Record | None:
    """Follow the job to its end; None when it has not ended and shall not be waited for."""
    record = await job.record()
    if not record.is_terminal and not wish.waits:
        going.say(f"Job {job.job_id} is {record.status}. {going.hint()}")
        return None
    watched = Watched(job)
    going.rows.put("", watched.row)
    async with going.shown():
        if record.status == "completed":  # before it was looked at: what was left out is told all the same
            watched.sight.see(Message(None, "snapshot", record.body), monotonic_ms())
        else:
            await follow(going, watched, prints=False)
            record = await job.record()
    if record.can_retry:
        say_how_to_retry(going, [job.job_id])
        going.say(f"Its archive is then fetched by: waybill get --job {job.job_id}")
    return insist_on_archive(record)


# ── its archive ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def _target(place: Destination, job: AsyncJob) -> Path:
    return place.target or place.directory / await job.file_name()


async def _fetched(going: Going, record: Record, fetch: Callable[[OnBytes], Awaitable[object]]) -> None:
    transfer = Transfer(wanted_of(record).size_bytes)

    def told(done_bytes: int) -> None:
        transfer.reach(done_bytes, monotonic_ms())

    def row() -> Row:
        said = transfer.sentence(monotonic_ms())
        return Row("Downloading", said, "downloading", transfer.progress_ratio)

    going.rows.put("", row)
    async with going.shown():
        await fetch(told)


def _archive(record: Record) -> dict[str, Any]:
    names = ("archive_bytes", "archive_crc32", "skipped_files")
    return {name: getattr(record, name) for name in names}
