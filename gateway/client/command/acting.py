"""The commands that ask one thing of the server: status, list, files, cancel, retry, rm, submit."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from gateway.client.command.exit_codes import DONE, exit_code_of, worst
from gateway.client.command.going import Going, complain
from gateway.client.command.pages import files_page, jobs_page
from gateway.client.command.standard_streams import print_json, stdout_width_chars
from gateway.client.display import counted
from gateway.client.errors import NotWaybill, ServerUnreachable
from gateway.client.job import AsyncJob
from gateway.client.record import Record
from shared import limits
from shared.caller_errors import Unauthenticated
from shared.errors import UnavailableError, WaybillError

Verb = Callable[[AsyncJob], Awaitable[str]]
OF_ALL = (ServerUnreachable, NotWaybill, UnavailableError, Unauthenticated)
"""What is met with one job and would be with each: the others would only wait for it anew."""


async def submit(going: Going, body: dict[str, Any], *, idempotency_key: str | None) -> int:
    """Create a job; print its id."""
    key = idempotency_key or str(uuid.uuid4())
    going.hint = lambda: f"It may have been accepted. To ask for the same job: --idempotency-key {key}"
    job = await going.waybill.submit_body(body, idempotency_key=key)
    shown = {"job_id": job.job_id, "idempotency_key": job.idempotency_key}
    if going.settings.as_json:
        print_json(shown)
    else:
        print(job.job_id)
    going.say(f"To fetch it: waybill get --job {job.job_id}")
    return DONE


async def show_versions(going: Going, client: str) -> int:
    """Print which release this is, at once, and which one answers. Raises ServerUnreachable soon where none does."""
    as_json, server = going.settings.as_json, None
    if not as_json:
        print(f"waybill {client}", flush=True)
    try:
        server = await _server_version(going)
    finally:
        if as_json:  # one object, whatever became of the other half
            print_json({"client": client, "server": server})
    if not as_json:
        print(f"server  {server or 'does not tell its version'} ({going.settings.server})")
    return DONE


async def _server_version(going: Going) -> str | None:
    try:
        async with asyncio.timeout(limits.CLIENT_VERSION_WITHIN_SECONDS):
            return await going.waybill.server_version()
    except TimeoutError:
        within = counted(limits.CLIENT_VERSION_WITHIN_SECONDS, "second")
        raise ServerUnreachable(f"{going.settings.server} did not answer within {within}.") from None


async def show_status(going: Going, job_ids: Sequence[str]) -> int:
    """Print the records of jobs; one that is not there is told, and the others are printed all the same."""
    codes, records = [], []
    for job_id in job_ids:
        try:
            records.append(await going.waybill.job(job_id).record())
        except OF_ALL:
            raise
        except WaybillError as error:
            complain(f"{job_id}: {error.message}")
            codes.append(exit_code_of(error))
    _print_jobs(going, records, tells_why=True)
    return worst(codes)


async def show_list(going: Going, *, statuses: Sequence[str], limit: int | None) -> int:
    """Print your jobs, newest first."""
    records = [record async for record in going.waybill.list(statuses=statuses, limit=limit)]
    _print_jobs(going, records, tells_why=False)
    if not records:
        going.say("No jobs.")
    return DONE


def _print_jobs(going: Going, records: Sequence[Record], *, tells_why: bool) -> None:
    if going.settings.as_json:
        print_json([dict(record.body) for record in records], indent=2)
    elif records:
        now = datetime.now().astimezone()
        print(jobs_page(records, now, width_chars=stdout_width_chars(), tells_why=tells_why))


async def show_files(going: Going, query: str, *, limit: int | None) -> int:
    """Print files of the catalogue."""
    files = [file async for file in going.waybill.files(query, limit=limit)]
    if going.settings.as_json:
        print_json(files, indent=2)
    elif files:
        print(files_page(files))
    else:
        going.say("No files.")
    return DONE


async def act_on(going: Going, job_ids: Sequence[str], verb: Verb) -> int:
    """Do one thing to each job, and print what became of it; a refusal stops none of the others."""
    codes, states = [], []
    try:
        for job_id in job_ids:
            try:
                state = await verb(going.waybill.job(job_id))
            except OF_ALL:
                raise
            except WaybillError as error:
                complain(f"{job_id}: {error.message}")
                codes.append(exit_code_of(error))
            else:
                states.append({"job_id": job_id, "status": state})
                if not going.settings.as_json:
                    print(state if len(job_ids) == 1 else f"{job_id}  {state}")
    finally:
        if going.settings.as_json and (states or codes):
            print_json(states, indent=2)
    return worst(codes)


async def cancel(job: AsyncJob) -> str:
    """Give a job up."""
    return await job.cancel()


async def retry(job: AsyncJob) -> str:
    """Start a failed job anew."""
    return await job.retry()


async def remove(job: AsyncJob) -> str:
    """Remove a job with its archive."""
    await job.delete()
    return "deleted"
