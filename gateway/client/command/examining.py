"""`waybill doctor`: looks at a server from here; findings.py says what was seen."""

import asyncio
import json
import ssl
import time
from contextlib import AsyncExitStack, aclosing
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from gateway.client.answers import error_of
from gateway.client.calls import monotonic_ms
from gateway.client.command.exit_codes import DONE
from gateway.client.command.findings import Finding, Reached, Streamed, about_reach, about_stream, unlooked
from gateway.client.command.going import Going
from gateway.client.command.standard_streams import print_json
from gateway.client.errors import NotWaybill, ServerUnreachable
from gateway.client.event_stream import EventStream, Frame
from gateway.client.job import JOBS, AsyncJob
from gateway.client.pursuit import insist_on_event_stream
from gateway.client.record import TERMINAL_TYPES
from shared import limits

SOMETHING_BAD = 1
ACTIVE = ("queued", "processing", "retrying")


async def examine(going: Going, *, job_id: str | None, file_id: int | None, watch_seconds: float) -> int:
    """Look at the server, print the findings; 1 when one of them is bad."""
    wire = going.waybill.wire
    reached = await _reach(going)
    findings = list(about_reach(wire.base_url, reached))
    job, is_ours = await _job_to_watch(going, job_id, file_id)
    if job is None:
        findings.append(unlooked())
    else:
        try:
            ahead_seconds = reached.clock_ahead_seconds or 0.0
            findings += about_stream(await _watched(going, job, watch_seconds, ahead_seconds))
        finally:
            if is_ours:
                await job.delete()
    _print(going, findings)
    return SOMETHING_BAD if any(finding.level == "bad" for finding in findings) else DONE


def _print(going: Going, findings: list[Finding]) -> None:
    if going.settings.as_json:
        print_json([finding._asdict() for finding in findings], indent=2)
    else:
        for finding in findings:
            print(f"{finding.level:<4}  {finding.sentence}")


async def _job_to_watch(going: Going, job_id: str | None, file_id: int | None) -> tuple[AsyncJob | None, bool]:
    """Find a stream to watch; True: it is of a job that was made for it."""
    if job_id is not None:
        return going.waybill.job(job_id), False
    if file_id is not None:
        return await going.waybill.submit([file_id], archive_name="waybill-doctor"), True
    async with aclosing(going.waybill.list(statuses=ACTIVE, limit=1)) as found:
        async for record in found:
            return going.waybill.job(record.job_id), False
    return None, False


# ── an answer ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _reach(going: Going) -> Reached:
    """Ask for a page of jobs. Raises what the server refuses: without a good key there is nothing more to see."""
    wire = going.waybill.wire
    await wire.call("GET", f"{JOBS}?limit=1")  # connects, and has the client imported
    began_ms = monotonic_ms()
    answer = await wire.call("GET", f"{JOBS}?limit=1")
    answered_ms = monotonic_ms() - began_ms
    if answer.status != 200 or not answer.headers.get("content-type", "").startswith("application/json"):
        raise error_of(answer.status, answer.headers, answer.body, shown_url=wire.base_url)
    ahead_seconds = _ahead_seconds(answer.headers.get("date"), answered_ms)
    return Reached(answered_ms, answer.status, ahead_seconds, await _offers_http2(wire.base_url))


def _ahead_seconds(date: str | None, answered_ms: int) -> float | None:
    try:
        written = parsedate_to_datetime(date or "")
    except ValueError:
        return None
    # A Date has whole seconds, and was written about half way through.
    server = written.timestamp() + 0.5
    return server - (time.time() - answered_ms / 2000)


async def _offers_http2(url: str) -> bool | None:
    parts = urlsplit(url)
    if parts.scheme != "https":
        return None
    context = ssl.create_default_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    try:
        async with asyncio.timeout(limits.CLIENT_CONNECT_WITHIN_SECONDS):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port or 443, ssl=context)
    except (OSError, TimeoutError):
        return False
    try:
        return bool(writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2")
    finally:
        writer.close()


# ── a stream ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Watch:
    """What is seen of one stream, counted from its opening."""

    def __init__(self, ahead_seconds: float) -> None:
        self._ahead_seconds = ahead_seconds
        self._opened_ms = monotonic_ms()
        self._spoke_ms = self._opened_ms
        self.head_ms: int | None = None
        self.first_frame_ms: int | None = None
        self.late_seconds = 0.0
        self.silence_ms = 0
        self.reason = ""

    def passed_ms(self) -> int:
        """Give the time since the opening."""
        return monotonic_ms() - self._opened_ms

    def spoke(self) -> None:
        """Note that bytes came."""
        self.silence_ms = max(self.silence_ms, monotonic_ms() - self._spoke_ms)
        self._spoke_ms = monotonic_ms()

    def see(self, frame: Frame) -> str | None:
        """Take an event; give how the stream ends with it, None when it goes on."""
        body = _body_of(frame)
        if self.first_frame_ms is None:
            self.first_frame_ms = self.passed_ms()
        elif "at" in body:
            written = datetime.fromisoformat(body["at"])
            passed = datetime.now(UTC) - written
            self.late_seconds = max(self.late_seconds, passed.total_seconds() + self._ahead_seconds)
        if body.get("type") == "busy":
            self.reason = str(body.get("reason", ""))
            return "busy"
        return "end" if body.get("type") in TERMINAL_TYPES else None

    def ended(self, ending: str) -> Streamed:
        """Give what was seen."""
        return Streamed(
            head_ms=self.head_ms,
            first_frame_ms=self.first_frame_ms,
            late_seconds=self.late_seconds,
            silence_ms=self.silence_ms,
            ending=ending,
            ended_ms=self.passed_ms(),
            reason=self.reason,
        )


def _body_of(frame: Frame) -> dict[str, Any]:
    try:
        body = json.loads(frame.data)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise NotWaybill("What came on the stream is no message of Waybill.")
    return body


async def _watched(going: Going, job: AsyncJob, watch_seconds: float, ahead_seconds: float) -> Streamed:
    """Watch a job's stream: for so long, or to its end."""
    going.say(f"Watching the stream of job {job.job_id} for {watch_seconds:g} seconds …")
    watch = _Watch(ahead_seconds)
    try:
        async with asyncio.timeout(watch_seconds):
            return watch.ended(await _read(going, job, watch))
    except TimeoutError:
        return watch.ended("open")
    except ServerUnreachable:
        return watch.ended("cut")
    except NotWaybill as error:
        watch.reason = error.message
        return watch.ended("refused")


async def _read(going: Going, job: AsyncJob, watch: _Watch) -> str:
    wire = going.waybill.wire
    async with AsyncExitStack() as stack:
        headers = {"accept": "text/event-stream"}
        reading = await stack.enter_async_context(wire.open("GET", f"{job.path}/stream", headers=headers))
        watch.head_ms = watch.passed_ms()
        insist_on_event_stream(reading, wire.base_url)
        if reading.status != 200:
            error = error_of(reading.status, reading.headers, await reading.whole(), shown_url=wire.base_url)
            watch.reason = error.message
            return "refused"
        decoder, chunks = EventStream(), reading.chunks()
        within_seconds: float | None = limits.CLIENT_FIRST_FRAME_WITHIN_SECONDS
        while True:
            async with asyncio.timeout(within_seconds):
                chunk = await anext(chunks, None)
            if chunk is None:
                return "cut"
            within_seconds = None
            watch.spoke()
            for frame in decoder.feed(chunk):
                if ending := watch.see(frame):
                    return ending
