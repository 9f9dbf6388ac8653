"""Follows many jobs on one stream; by asking for all of them at once where streams stay mute."""

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from urllib.parse import urlencode

from gateway.client.calls import Calls, monotonic_ms
from gateway.client.course import Course
from gateway.client.job import JOBS
from gateway.client.pursuit import Messages, OnConnection, Pursuit
from gateway.client.record import TERMINAL, Message
from shared import limits

STREAM = "/v1/download/stream"


class ManyFollowing:
    """One reader of at most 50 jobs, from now on. Its cursor is a vector, which it gives back as it came."""

    def __init__(self, calls: Calls, job_ids: Sequence[str], on_connection: OnConnection) -> None:
        self._calls = calls
        self._unfinished = list(job_ids)
        self._query = urlencode([("job", job_id) for job_id in job_ids])
        self._course = Course(None)
        self._pursuit = Pursuit(calls, f"{STREAM}?{self._query}", self._course, on_connection)

    async def messages(self) -> AsyncGenerator[tuple[str, Message], None]:
        """Give each job's messages, with its id, until all have ended.

        A job that cannot be had is an `error` with the code NOT_FOUND or GONE. Raises as Pursuit.messages().
        """
        async with aclosing(self._pursuit.messages(self._asked)) as source:
            async for message in source:
                if message.id is not None:
                    self._course.cursor = message.id
                job_id = str(message.body["job_id"])
                yield job_id, message
                # On a stream the last message follows a snapshot of the end; who asks is shown the end alone.
                is_seen_ended = self._course.is_polling and message.body.get("status") in TERMINAL
                if message.is_terminal or is_seen_ended:
                    self._unfinished = [other for other in self._unfinished if other != job_id]
                if not self._unfinished:
                    return

    async def _asked(self) -> Messages:
        # The stream that follows shows each job as it is: what was seen by asking has no place in its log.
        self._course.cursor = None
        seen: dict[str, object] = {}
        while not self._course.wants_stream(monotonic_ms()):
            batch = await self._calls.json("GET", f"{JOBS}?{self._query}", needs=["jobs", "missing"])
            for record in batch["jobs"]:
                if seen.get(record["job_id"]) != record:
                    seen[record["job_id"]] = record
                    yield Message(None, "snapshot", record | {"type": "snapshot"})
            for missing in batch["missing"]:
                if missing["job_id"] in self._unfinished:
                    told = {"type": "error", "job_id": missing["job_id"], "error": missing, "can_retry": False}
                    yield Message(None, "error", told)
            await asyncio.sleep(limits.POLL_AFTER_SECONDS * random.uniform(1.0, 1.2))
