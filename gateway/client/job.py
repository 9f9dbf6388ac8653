"""One job, as its client holds it: followed, waited for, fetched, given up."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from gateway.client.calls import Calls
from gateway.client.errors import JobUnsuccessful, WaitedTooLong
from gateway.client.file_name import name_in
from gateway.client.following import Following
from gateway.client.part_file import PartFile, Wanted, insist_on_room_for
from gateway.client.pursuit import Messages, OnConnection
from gateway.client.record import Record
from gateway.client.saving import OnBytes, Saving, Sink
from shared.errors import JobGone, JobNotFound

T = TypeVar("T")
JOBS = "/v1/download/jobs"
RECORD_NEEDS = ("job_id", "status")


class AsyncJob:
    """A job by its id. One that was created here is created again, once, when the server has lost it."""

    def __init__(
        self, calls: Calls, job_id: str, *, request: Mapping[str, Any] | None = None, idempotency_key: str = ""
    ) -> None:
        self.job_id = job_id
        self.idempotency_key = idempotency_key
        self._calls = calls
        self._request = request

    @property
    def path(self) -> str:
        """Its path on the server."""
        return f"{JOBS}/{quote(self.job_id, safe='')}"

    async def record(self) -> Record:
        """Give the job as it is now. Raises JobNotFound, JobGone, and what every call may raise."""
        return Record.of(await self._healed(lambda: self._calls.json("GET", self.path, needs=RECORD_NEEDS)))

    async def events(self, after: str | None = None, *, on_connection: OnConnection = lambda *_: None) -> Messages:
        """Give the job's messages until it has ended, over any number of connections.

        `after` is the id after which to go on, `0-0` for the whole log, None for a snapshot and what comes from now on.
        Raises JobNotFound, JobGone, Unauthenticated; ServerUnreachable or UnavailableError once patience is spent.
        """
        while True:
            following = Following(self._calls, self.path, cursor=after, on_connection=on_connection)
            try:
                async with aclosing(following.messages()) as messages:
                    async for message in messages:
                        yield message
                return
            except JobNotFound:
                if not await self._is_created_anew():
                    raise
                after = None

    async def wait(self, *, timeout_seconds: float | None = None) -> Record:
        """Wait until the job is completed; give its record.

        Raises JobUnsuccessful when it ends otherwise, WaitedTooLong (the job goes on), and what events() raises.
        """
        try:
            async with asyncio.timeout(timeout_seconds), aclosing(self.events()) as messages:
                async for _ in messages:
                    pass
        except TimeoutError:
            message = f"Job {self.job_id} has not ended within {timeout_seconds:g} seconds. It goes on."
            raise WaitedTooLong(message) from None
        return insist_on_archive(await self.record())

    async def save(
        self, path: str | os.PathLike[str], *, replaces: bool = False, on_bytes: OnBytes = lambda _: None
    ) -> Path:
        """Fetch the archive of a completed job; give the file. It appears whole and checked, or not at all.

        A directory gets it under the server's name. What came before a break is kept as `.part`, and the next call goes
        on from there. Raises LocalFileTrouble, ArchiveCorrupt, JobUnsuccessful, JobGone, ServerUnreachable.
        """
        target = Path(path)
        if _is_directory(target):
            target /= await self.file_name()
        with PartFile(target) as part:
            return await self.save_by(part, target, replaces=replaces, on_bytes=on_bytes)

    async def save_by(self, part: PartFile, target: Path, *, replaces: bool, on_bytes: OnBytes) -> Path:
        """Do as save() with an open part, whatever it is called."""
        insist_on_room_for(target, replaces=replaces)
        wanted = wanted_of(insist_on_archive(await self.record()))
        await asyncio.to_thread(part.prepare, wanted)
        await self.fetch(part, wanted, on_bytes=on_bytes, etag=part.note.get("etag"))
        await asyncio.to_thread(part.finish, target, wanted, replaces=replaces)
        return target

    async def fetch(self, sink: Sink, wanted: Wanted, *, on_bytes: OnBytes, etag: str | None = None) -> None:
        """Fetch the archive's bytes into a sink, from where it stands."""
        await Saving(self._calls, self.path, sink, size_bytes=wanted.size_bytes, on_bytes=on_bytes, etag=etag).run()

    async def file_name(self) -> str:
        """Give the name under which the server would have the archive saved, without any directory."""
        answer = await self._calls.answered("HEAD", f"{self.path}/file")
        return name_in(answer.headers.get("content-disposition", "")) or f"waybill-{self.job_id[:8]}.zip"

    async def cancel(self) -> str:
        """Give the job up; give its state, which is `processing` while its run is being ended. Idempotent."""
        return str((await self._calls.json("POST", f"{self.path}/cancel", needs=["status"]))["status"])

    async def retry(self) -> str:
        """Start a failed job anew, under the same id; give its state. Raises RequestError when it has not failed."""
        return str((await self._calls.json("POST", f"{self.path}/retry", needs=["status"]))["status"])

    async def delete(self) -> None:
        """Remove the job with all that it has made; it is gone for everybody from now on. Idempotent."""
        with suppress(JobGone):  # deleted before, or by this very call, whose answer was lost
            answer = await self._calls.answered("DELETE", self.path)
            if answer.status != 204:  # whatever it was, nothing was deleted
                raise self._calls.foreign(answer)

    # ── lost by the server ────────────────────────────────────────────────────────────────────────────────────────────

    async def _healed(self, call: Callable[[], Awaitable[T]]) -> T:
        try:
            return await call()
        except JobNotFound:
            if not await self._is_created_anew():
                raise
            return await call()

    async def _is_created_anew(self) -> bool:
        """Repeat the request that made this job, once: a server that lost its last seconds has lost it with them."""
        if self._request is None:
            return False
        request, self._request = self._request, None
        self.job_id = await post_job(self._calls, request, self.idempotency_key)
        return True


async def post_job(calls: Calls, request: Mapping[str, Any], idempotency_key: str) -> str:
    """Create a job, or find that of this key; give its id."""
    # A structured-field string (RFC 8941 §3.3.3); the server takes it bare as well, proxies may not.
    quoted = idempotency_key.replace("\\", "\\\\").replace('"', '\\"')
    headers = {"idempotency-key": f'"{quoted}"'}
    created = await calls.json("POST", JOBS, needs=["job_id"], body=dict(request), headers=headers)
    return str(created["job_id"])


def _is_directory(path: Path) -> bool:
    return path.is_dir()


def insist_on_archive(record: Record) -> Record:
    """Give a record that may be waited for or fetched. Raises JobUnsuccessful for one that ended otherwise."""
    if record.status == "cancelled":
        raise JobUnsuccessful(f"Job {record.job_id} was cancelled.", state=record.status)
    if record.status == "failed":
        error = record.error or {}
        reason = error.get("message", "The server does not say why.")
        raise JobUnsuccessful(
            f"Job {record.job_id} failed: {reason}",
            state=record.status,
            reason_code=str(error.get("code", "")),
            can_retry=bool(record.can_retry),
        )
    return record


def wanted_of(record: Record) -> Wanted:
    """Say what a completed job's archive must be. Raises JobUnsuccessful while there is none."""
    if record.archive_bytes is None or record.archive_crc32 is None:
        message = f"Job {record.job_id} is {record.status}: its archive is not there yet. Wait for it first."
        raise JobUnsuccessful(message, state=record.status)
    return Wanted(record.job_id, record.archive_bytes, record.archive_crc32)
