"""Follows a job to its end over any number of connections: each message once and in order, by a stream or by asking.

What a connection dies of is mended here; what the server says of the job (401, 404, 410) is the caller's.
"""

import asyncio
import json
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, aclosing
from typing import Any

from gateway.client.answers import error_of, is_worth_repeating, retry_after_ms
from gateway.client.calls import Calls, monotonic_ms
from gateway.client.course import Course
from gateway.client.event_stream import EventStream, Frame
from gateway.client.record import Message
from gateway.client.wire import Reading
from shared import limits
from shared.errors import NotWaybill, ServerUnreachable, UnavailableError, WaybillError
from shared.event_id import START

OnConnection = Callable[[str, str], None]
"""Told how the connection stands (`live`, `waiting`, `polling`), and why: the reason of a `busy`, or ""."""
Messages = AsyncGenerator[Message, None]


class _Interrupted(Exception):
    """A connection is over before its job; `at_least_ms` is what the server asked for."""

    def __init__(self, error: WaybillError, *, at_least_ms: int = 0, is_mute: bool = False, reason: str = "") -> None:
        super().__init__(str(error))
        self.error = error
        self.at_least_ms = at_least_ms
        self.is_mute = is_mute
        self.reason = reason


class Following:
    """One reader of the job at `path`, after `cursor`: None for a snapshot and what comes from now on."""

    def __init__(self, calls: Calls, path: str, *, cursor: str | None, on_connection: OnConnection) -> None:
        self._calls = calls
        self._path = path
        self._course = Course(cursor)
        self._on_connection = on_connection

    async def messages(self) -> Messages:
        """Give the messages up to the last one. Raises the server's refusals, ServerUnreachable, UnavailableError."""
        patience = self._calls.patience()
        while True:
            by_stream = self._course.wants_stream(monotonic_ms())
            self._tell("polling" if self._course.is_polling else "connecting")
            source = self._streamed() if by_stream else self._polled()
            try:
                async with aclosing(source):
                    async for message in source:
                        patience.progressed(monotonic_ms())
                        if self._course.takes(message):
                            yield message
                        if message.is_terminal:
                            return
                if by_stream:
                    return  # 204: there is nothing after the cursor, and nothing will come
            except _Interrupted as interrupted:
                self._note(interrupted)
                if not self._course.is_polling:
                    self._tell("waiting", interrupted.reason)
                    await self._calls.pause_or_raise(patience, interrupted.error, at_least_ms=interrupted.at_least_ms)

    def _tell(self, mode: str, reason: str = "") -> None:
        self._on_connection(mode, reason)

    def _note(self, interrupted: _Interrupted) -> None:
        if interrupted.is_mute:
            self._course.was_mute(monotonic_ms())
        elif not interrupted.reason:  # busy is an answer: streams work
            self._course.failed(monotonic_ms())

    # ── by a stream ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def _streamed(self) -> Messages:
        async with AsyncExitStack() as stack:
            reading = await self._opened(stack)
            if reading.status == 204:
                return
            decoder, chunks, within_seconds = EventStream(), reading.chunks(), limits.CLIENT_FIRST_FRAME_WITHIN_SECONDS
            while (chunk := await self._next(chunks, within_seconds)) is not None:
                for frame in decoder.feed(chunk):
                    within_seconds = limits.CLIENT_SILENCE_MAX_SECONDS
                    self._course.spoke()
                    self._tell("live")
                    message = _message_of(frame)
                    if message.type == "busy":
                        raise _busy(message, frame)
                    if message.type != "heartbeat":
                        yield message
            raise _Interrupted(ServerUnreachable("The stream ended before its job."))

    async def _opened(self, stack: AsyncExitStack) -> Reading:
        headers = {"accept": "text/event-stream", "cache-control": "no-store"}
        if self._course.cursor is not None:
            headers["last-event-id"] = self._course.cursor
        wire = self._calls.wire
        try:
            async with asyncio.timeout(limits.CLIENT_HEAD_WITHIN_SECONDS):
                opening = wire.open("GET", f"{self._path}/stream", headers=headers)
                reading = await stack.enter_async_context(opening)
                if reading.status in (200, 204):
                    _insist_on_event_stream(reading, wire.base_url)
                    return reading
                error = error_of(reading.status, reading.headers, await reading.whole(), shown_url=wire.base_url)
        except TimeoutError:
            raise _Interrupted(ServerUnreachable(f"{wire.base_url} did not answer in time.")) from None
        except ServerUnreachable as unreachable:
            raise _Interrupted(unreachable) from None
        if is_worth_repeating(reading.status):
            raise _Interrupted(error, at_least_ms=retry_after_ms(reading.headers))
        raise error

    async def _next(self, chunks: Any, within_seconds: float) -> bytes | None:
        is_first = within_seconds == limits.CLIENT_FIRST_FRAME_WITHIN_SECONDS
        try:
            async with asyncio.timeout(within_seconds):
                chunk: bytes | None = await anext(chunks, None)
                return chunk
        except TimeoutError:
            silent = ServerUnreachable(f"The stream was silent for {within_seconds:.0f} seconds.")
            raise _Interrupted(silent, is_mute=is_first) from None
        except ServerUnreachable as unreachable:
            raise _Interrupted(unreachable) from None

    # ── by asking ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _polled(self) -> Messages:
        if self._course.cursor is None:
            async with aclosing(self._caught_up()) as caught_up:
                async for message in caught_up:
                    yield message
        while not self._course.wants_stream(monotonic_ms()):
            asked_at_ms = monotonic_ms()
            page = await self._page(wait=True)
            if page.get("gap"):
                yield await self._snapshot(page["gap"])
            for message in map(_event_of, page["events"]):
                yield message
            self._course.cursor = page["next_after"]
            quick_ms = limits.POLL_AFTER_SECONDS * 1000 - (monotonic_ms() - asked_at_ms)
            if not page["events"] and quick_ms > 0:
                await asyncio.sleep(quick_ms / 1000 * random.uniform(1.0, 1.2))

    async def _caught_up(self) -> Messages:
        """Move to the end of the log, and give the job as it is there."""
        last, has_more = None, True
        while has_more:
            page = await self._page(wait=False)
            has_more = page["has_more"]
            last = page["events"][-1] if page["events"] else last
            self._course.cursor = page["next_after"]
        yield await self._snapshot(None)
        if last is not None and _event_of(last).is_terminal:
            yield Message(None, last["type"], last)

    async def _page(self, *, wait: bool) -> dict[str, Any]:
        after = self._course.cursor or START
        headers = {"prefer": f"wait={limits.CLIENT_LONG_POLL_SECONDS}"} if wait else {}
        path = f"{self._path}/events?after={after}&limit={limits.MAX_EVENTS_PER_PAGE}"
        return await self._calls.json("GET", path, headers=headers)

    async def _snapshot(self, gap: Any) -> Message:
        record = await self._calls.json("GET", self._path)
        return Message(None, "snapshot", record | {"type": "snapshot"} | ({"gap": gap} if gap else {}))


def _insist_on_event_stream(reading: Reading, shown_url: str) -> None:
    kind = reading.headers.get("content-type", "")
    if reading.status == 200 and not kind.startswith("text/event-stream"):
        what = "a web page" if kind.startswith("text/html") else "something else"
        raise NotWaybill(f"{shown_url} answered with {what}, not with Waybill. Check the address.")


def _message_of(frame: Frame) -> Message:
    if frame.event == "heartbeat":
        return Message(None, "heartbeat", {})
    try:
        body = json.loads(frame.data)
        return Message(frame.id, body["type"], body)
    except (ValueError, TypeError, KeyError):
        raise NotWaybill("The stream sent what is no message of Waybill. Check the address.") from None


def _event_of(event: dict[str, Any]) -> Message:
    return Message(event["id"], event["type"], {name: told for name, told in event.items() if name != "id"})


def _busy(message: Message, frame: Frame) -> _Interrupted:
    reason = str(message.body.get("reason", "busy"))
    error = UnavailableError(f"The service is busy ({reason}).")
    return _Interrupted(error, at_least_ms=frame.retry_ms or limits.MIN_SSE_RETRY_MS, reason=reason)
