"""The library for programs without an event loop: the same, on a loop in a thread of its own."""

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Coroutine, Generator, Iterable, Sequence
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from gateway.client.asynchronous import AsyncWaybill
from gateway.client.job import AsyncJob
from gateway.client.record import Message, Record
from gateway.client.saving import OnBytes
from shared import limits

T = TypeVar("T")


class _Loop:
    """An event loop in a daemon thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="waybill", daemon=True)
        self._thread.start()

    def result(self, work: Coroutine[Any, Any, T]) -> T:
        """Run it to its end; whoever is interrupted here (Ctrl-C) ends it, and goes on once it has let go of all."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        finally:
            if not future.done():
                future.cancel()
                self._settle()

    def _settle(self) -> None:
        """Wait until what was cancelled has closed its files and connections."""
        asyncio.run_coroutine_threadsafe(_cancelled_tasks_ended(), self._loop).result()

    def each(self, source: AsyncGenerator[T, None]) -> Generator[T, None, None]:
        """Give what an async generator gives; leaving early closes it."""
        steps = _Steps(source)
        try:
            while True:
                try:
                    item = self.result(steps.next())
                except StopAsyncIteration:
                    return
                yield item
        finally:
            self.result(steps.close())

    @property
    def is_closed(self) -> bool:
        """Tell whether it has ended."""
        return self._loop.is_closed()

    def close(self) -> None:
        """End all that still runs, and the thread."""
        asyncio.run_coroutine_threadsafe(_cancel_all(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _cancelled_tasks_ended() -> None:
    # Those of other threads that were not cancelled go on.
    while ending := {task for task in asyncio.all_tasks() if task.cancelling()}:
        await asyncio.wait(ending)


async def _cancel_all() -> None:
    # An interrupt may strike where nobody holds what was just begun.
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class _Steps(Generic[T]):
    """Takes one item after the other from a source. Closing ends the step that is under way, wherever its taker is."""

    def __init__(self, source: AsyncGenerator[T, None]) -> None:
        self._source = source
        self._step: asyncio.Task[Any] | None = None

    async def next(self) -> T:
        """Give the next item. Raises StopAsyncIteration at the end."""
        self._step = asyncio.current_task()
        try:
            return await anext(self._source)
        finally:
            self._step = None

    async def close(self) -> None:
        """End it."""
        if self._step is not None:
            self._step.cancel()
            await asyncio.wait({self._step})
        await self._source.aclose()


class Job:
    """AsyncJob, blocking."""

    def __init__(self, loop: _Loop, job: AsyncJob) -> None:
        self._loop = loop
        self._job = job

    @property
    def job_id(self) -> str:
        """Its id."""
        return self._job.job_id

    def record(self) -> Record:
        """Do as AsyncJob.record()."""
        return self._loop.result(self._job.record())

    def events(self, after: str | None = None) -> Generator[Message, None, None]:
        """Do as AsyncJob.events()."""
        return self._loop.each(self._job.events(after))

    def wait(self, *, timeout_seconds: float | None = None) -> Record:
        """Do as AsyncJob.wait()."""
        return self._loop.result(self._job.wait(timeout_seconds=timeout_seconds))

    def save(self, path: str | os.PathLike[str], *, replaces: bool = False, on_bytes: OnBytes = lambda _: None) -> Path:
        """Do as AsyncJob.save(); `on_bytes` is called in another thread."""
        return self._loop.result(self._job.save(path, replaces=replaces, on_bytes=on_bytes))

    def cancel(self) -> str:
        """Do as AsyncJob.cancel()."""
        return self._loop.result(self._job.cancel())

    def retry(self) -> str:
        """Do as AsyncJob.retry()."""
        return self._loop.result(self._job.retry())

    def delete(self) -> None:
        """Do as AsyncJob.delete()."""
        self._loop.result(self._job.delete())


class Waybill:
    """AsyncWaybill, blocking. A context manager; may be used by several threads."""

    def __init__(self, base_url: str, *, api_key: str | None = None, tries: int = limits.CLIENT_TRIES) -> None:
        self._loop = _Loop()
        self._waybill = AsyncWaybill(base_url, api_key=api_key, tries=tries)

    def __enter__(self) -> Self:
        """Connect with the first call."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close all connections, and end the thread."""
        self.close()

    def close(self) -> None:
        """Close all connections, and end the thread. May be repeated."""
        if self._loop.is_closed:
            return
        self._loop.result(self._waybill.close())
        self._loop.close()

    def submit(
        self,
        file_ids: Iterable[int],
        *,
        archive_name: str | None = None,
        on_missing: str | None = None,
        callback_url: str | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Do as AsyncWaybill.submit()."""
        submitting = self._waybill.submit(
            file_ids,
            archive_name=archive_name,
            on_missing=on_missing,
            callback_url=callback_url,
            idempotency_key=idempotency_key,
        )
        return Job(self._loop, self._loop.result(submitting))

    def job(self, job_id: str) -> Job:
        """Do as AsyncWaybill.job()."""
        return Job(self._loop, self._waybill.job(job_id))

    def follow(self, job_ids: Sequence[str]) -> Generator[tuple[str, Message], None, None]:
        """Do as AsyncWaybill.follow()."""
        return self._loop.each(self._waybill.follow(job_ids))

    def list(self, *, statuses: Sequence[str] = (), limit: int | None = None) -> Generator[Record, None, None]:
        """Do as AsyncWaybill.list()."""
        return self._loop.each(self._waybill.list(statuses=statuses, limit=limit))

    def files(self, query: str = "", *, limit: int | None = None) -> Generator[dict[str, Any], None, None]:
        """Do as AsyncWaybill.files()."""
        return self._loop.each(self._waybill.files(query, limit=limit))
