"""Follows jobs to their ends, and shows them meanwhile."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from datetime import datetime

from gateway.client.calls import monotonic_ms
from gateway.client.command.exit_codes import CANCELLED, DONE, JOB_FAILED, NOT_FOUND, SKIPPED, worst
from gateway.client.command.going import Going
from gateway.client.command.layout import Row
from gateway.client.command.standard_streams import print_json
from gateway.client.job import AsyncJob
from gateway.client.pursuit import OnConnection
from gateway.client.record import Message
from gateway.client.sentences import connection_sentence, sentence
from gateway.client.sight import Sight
from shared import limits

SHORT_ID_CHARS = 8
_PHASES = {"completed": "Prepared", "failed": "Failed", "cancelled": "Cancelled", "gone": "Gone", "lost": "Lost"}
_CODES = {"failed": JOB_FAILED, "cancelled": CANCELLED, "gone": NOT_FOUND, "lost": NOT_FOUND}


class Watched:
    """One job that is followed, and the connection by which it is."""

    def __init__(self, job: AsyncJob) -> None:
        self.job = job
        self.sight = Sight()
        self._mode = "connecting"
        self._reason = ""
        self._lost_at_ms: int | None = monotonic_ms()

    def connection(self, mode: str, reason: str) -> None:
        """Take news of the connection."""
        self._mode, self._reason = mode, reason or self._reason
        if mode in ("live", "polling"):
            self._lost_at_ms, self._reason = None, ""
        elif self._lost_at_ms is None:
            self._lost_at_ms = monotonic_ms()

    def row(self) -> Row:
        """Give what is to be shown at this moment."""
        now_ms = monotonic_ms()
        if self.sight.state == "submitting":
            return Row("Preparing", "Connecting…", step="")
        lost_seconds = 0.0 if self._lost_at_ms is None else (now_ms - self._lost_at_ms) / 1000
        is_live = lost_seconds < limits.SHOWN_LOST_SECONDS
        facts = self.sight.facts(now_ms, datetime.now().astimezone(), is_live=is_live)
        # Polling is as good; it is told once, and then the job matters again.
        is_told = self._mode != "polling" and not self.sight.is_over
        trouble = connection_sentence(self._mode, lost_seconds=lost_seconds, reason=self._reason) if is_told else None
        quiet = facts.quiet_seconds > limits.SHOWN_QUIET_SECONDS
        step = f"{facts.state} {facts.attempt} {facts.phase} {quiet} {trouble}"
        return Row(
            _PHASES.get(facts.state, "Preparing"),
            trouble or sentence(facts),
            step,
            self.sight.progress_ratio,
            self.sight.is_over,
        )

    def exit_code(self, *, is_strict: bool = False) -> int:
        """Give the exit code of the job as it stands."""
        if is_strict and self.sight.skipped_files:
            return SKIPPED
        return _CODES.get(self.sight.state, DONE)


async def follow(going: Going, watched: Watched, *, prints: bool) -> None:
    """See a job to its end; with --json print its messages, if `prints`. Raises what AsyncJob.events() raises."""
    events = watched.job.events(on_connection=_telling(going, [watched]))
    async with aclosing(events) as messages:
        async for message in messages:
            watched.sight.see(message, monotonic_ms())
            if prints and going.settings.as_json:
                print_message(watched.job.job_id, message)


def _telling(going: Going, followed: Sequence[Watched]) -> OnConnection:
    was_polling = False

    def connection(mode: str, reason: str) -> None:
        nonlocal was_polling
        for watched in followed:
            watched.connection(mode, reason)
        if mode == "polling" and not was_polling:
            going.say(str(connection_sentence("polling")))
        was_polling = mode == "polling"

    return connection


def print_message(job_id: str, message: Message) -> None:
    """Print a message as a line of JSON, at once."""
    placed = {"job_id": job_id} | ({"id": message.id} if message.id else {})
    print_json(placed | dict(message.body))


async def watch(going: Going, job_ids: Sequence[str], *, is_strict: bool) -> int:
    """Follow jobs until all have ended; give the worst of their exit codes."""
    going.hint = lambda: f"The jobs go on. To watch them: waybill watch {' '.join(job_ids)}"
    followed = [Watched(going.waybill.job(job_id)) for job_id in dict.fromkeys(job_ids)]
    for watched in followed:
        name = "" if len(followed) == 1 else watched.job.job_id[:SHORT_ID_CHARS]
        going.rows.put(name, watched.row)
    async with going.shown():
        if len(followed) == 1:
            await follow(going, followed[0], prints=True)
        else:
            most = limits.MAX_JOBS_PER_STREAM
            lots = [followed[start : start + most] for start in range(0, len(followed), most)]
            await asyncio.gather(*(_follow_together(going, lot) for lot in lots))
    say_how_to_retry(going, [watched.job.job_id for watched in followed if watched.sight.can_retry])
    return worst(watched.exit_code(is_strict=is_strict) for watched in followed)


def say_how_to_retry(going: Going, job_ids: Sequence[str]) -> None:
    """Say how to start failed jobs anew, where that may help."""
    if job_ids:
        going.say(f"Starting {'it' if len(job_ids) == 1 else 'them'} anew may help: waybill retry {' '.join(job_ids)}")


async def _follow_together(going: Going, followed: Sequence[Watched]) -> None:
    by_id = {watched.job.job_id: watched for watched in followed}
    events = going.waybill.follow(list(by_id), on_connection=_telling(going, followed))
    async with aclosing(events) as messages:
        async for job_id, message in messages:
            by_id[job_id].sight.see(message, monotonic_ms())
            if going.settings.as_json:
                print_message(job_id, message)
