"""The library for programs with an event loop; blocking.py is the same for those without."""

import uuid
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from typing import Any, Self
from urllib.parse import urlencode

from gateway.client.calls import Calls, OnTrouble
from gateway.client.errors import NotWaybill
from gateway.client.job import JOBS, AsyncJob, post_job
from gateway.client.many import ManyFollowing
from gateway.client.pursuit import OnConnection
from gateway.client.record import Message, Record
from gateway.client.wire import Wire
from shared import limits
from shared.errors import RequestError

FILES = "/v1/download/files"


def request_body(
    file_ids: Iterable[int],
    *,
    archive_name: str | None = None,
    on_missing: str | None = None,
    callback_url: str | None = None,
) -> dict[str, Any]:
    """Build the body of a request for a job; what is None is the server's default."""
    chosen = {"archive_name": archive_name, "on_missing": on_missing, "callback_url": callback_url}
    return {"file_ids": list(file_ids)} | {name: text for name, text in chosen.items() if text is not None}


class AsyncWaybill:
    """One server. An async context manager; `api_key` may be a key or a JSON Web Token.

    What cannot be reached is tried again, up to `tries` times in a row and for five minutes without progress (five
    seconds where nobody listens at an address of this machine that has not answered yet);
    `on_trouble` is told of each. Every call raises the server's own errors (shared/errors.py), and ServerUnreachable,
    UnavailableError or NotWaybill.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        tries: int = limits.CLIENT_TRIES,
        on_trouble: OnTrouble | None = None,
    ) -> None:
        self._wire = Wire(base_url, authorization=f"Bearer {api_key}" if api_key else None)
        self._calls = Calls(self._wire, tries=tries, on_trouble=on_trouble)

    async def __aenter__(self) -> Self:
        """Connect with the first call."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all connections."""
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._wire.close()

    @property
    def wire(self) -> Wire:
        """The connections themselves."""
        return self._wire

    async def server_version(self) -> str | None:
        """Give the server's release; None where it does not tell."""
        try:
            return str((await self._calls.json("GET", "/version", needs=["version"]))["version"])
        except (RequestError, NotWaybill):
            return None

    async def submit(
        self,
        file_ids: Iterable[int],
        *,
        archive_name: str | None = None,
        on_missing: str | None = None,
        callback_url: str | None = None,
        idempotency_key: str | None = None,
    ) -> AsyncJob:
        """Ask for an archive of these files. With the same `idempotency_key` it is the same job for a day."""
        body = request_body(file_ids, archive_name=archive_name, on_missing=on_missing, callback_url=callback_url)
        return await self.submit_body(body, idempotency_key=idempotency_key)

    async def submit_body(self, body: dict[str, Any], *, idempotency_key: str | None = None) -> AsyncJob:
        """Do as submit() with request_body()'s body."""
        key = idempotency_key or str(uuid.uuid4())
        job_id = await post_job(self._calls, body, key)
        return AsyncJob(self._calls, job_id, request=body, idempotency_key=key)

    def job(self, job_id: str) -> AsyncJob:
        """Give a job by its id; nothing is asked yet."""
        return AsyncJob(self._calls, job_id)

    async def follow(
        self, job_ids: Sequence[str], *, on_connection: OnConnection = lambda *_: None
    ) -> AsyncGenerator[tuple[str, Message], None]:
        """Give the messages of at most 50 jobs from now on, each with its job's id, until all have ended.

        A job that cannot be had is an `error` with the code NOT_FOUND or GONE. Raises JobNotFound where the server has
        no stream of many jobs.
        """
        async with aclosing(ManyFollowing(self._calls, job_ids, on_connection).messages()) as messages:
            async for job_id, message in messages:
                yield job_id, message

    async def list(self, *, statuses: Sequence[str] = (), limit: int | None = None) -> AsyncGenerator[Record, None]:
        """Give your jobs, newest first, at most `limit` of them; None: all."""
        async for shown in self._pages(JOBS, "jobs", [("status", status) for status in statuses], limit):
            yield Record.of(shown)

    async def files(self, query: str = "", *, limit: int | None = None) -> AsyncGenerator[dict[str, Any], None]:
        """Give the files of the catalogue that you may have: `{file_id, name, size_bytes}`, at most `limit`."""
        async for shown in self._pages(FILES, "files", [("query", query)] if query else [], limit):
            yield shown

    async def _pages(
        self, path: str, member: str, query: Sequence[tuple[str, str]], limit: int | None
    ) -> AsyncGenerator[dict[str, Any], None]:
        cursor: str | None = None
        left = limit
        while left is None or left > 0:
            size = min(limits.MAX_JOBS_PER_PAGE, left) if left is not None else limits.MAX_JOBS_PER_PAGE
            placed = [("cursor", cursor)] if cursor else []
            asked = urlencode([*query, *placed, ("limit", str(size))])
            page = await self._calls.json("GET", f"{path}?{asked}", needs=[member, "next_cursor"])
            for shown in page[member]:
                yield shown
            left = left - len(page[member]) if left is not None else None
            cursor = page["next_cursor"]
            if cursor is None:
                return
