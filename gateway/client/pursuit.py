"""Follows what a stream tells over any number of connections; by asking, where streams stay mute.

What a connection dies of is mended here; what the server says of the job (401, 404, 410) is the caller's.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, aclosing
from typing import Any

from gateway.client.answers import error_of, is_worth_repeating, retry_after_ms
from gateway.client.calls import Calls, monotonic_ms
from gateway.client.course import Course
from gateway.client.errors import NotWaybill, ServerUnreachable
from gateway.client.event_stream import EventStream, Frame
from gateway.client.record import Message
from gateway.client.wire import Reading
from shared import limits
from shared.errors import UnavailableError, WaybillError

OnConnection = Callable[[str, str], None]
"""Told how the connection stands (`connecting`, `live`, `waiting`, `polling`), and the reason of a `busy`, or ""."""
Messages = AsyncGenerator[Message, None]


class _Interrupted(Exception):
    """A connection is over before its job; `at_least_ms` is what the server asked for."""

    def __init__(self, error: WaybillError, *, at_least_ms: int = 0, is_mute: bool = False, reason: str = "") -> None:
        super().__init__(str(error))
        self.error = error
        self.at_least_ms = at_least_ms
        self.is_mute = is_mute
        self.reason = reason


class Pursuit:
    """The way of one reader of the stream at `path`; `course` says from where, and whether a stream is of use."""

    def __init__(self, calls: Calls, path: str, course: Course, on_connection: OnConnection) -> None:
        self._calls = calls
        self._path = path
        self._course = course
        self._on_connection = on_connection
        self._patience = calls.patience()

    async def messages(self, asked: Callable[[], Messages]) -> Messages:
        """Give messages until the server says that none will come (204), or the reader leaves.

        `asked` gives them without a stream, until the next stream is due. Raises the server's refusals;
        ServerUnreachable or UnavailableError once patience is spent.
        """
        while True:
            by_stream = self._course.wants_stream(monotonic_ms())
            self._on_connection("polling" if self._course.is_polling else "connecting", "")
            try:
                async with aclosing(self._streamed() if by_stream else asked()) as source:
                    async for message in source:
                        self._patience.progressed(monotonic_ms())
                        yield message
                if by_stream:
                    return
            except _Interrupted as interrupted:
                self._note(interrupted)
                if not self._course.is_polling:
                    self._on_connection("waiting", interrupted.reason)
                    await self._calls.pause_or_raise(
                        self._patience, interrupted.error, at_least_ms=interrupted.at_least_ms
                    )

    def _note(self, interrupted: _Interrupted) -> None:
        if interrupted.is_mute:
            self._course.was_mute(monotonic_ms())
        elif not interrupted.reason:  # busy is an answer: streams work
            self._course.failed(monotonic_ms())

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
                    self._on_connection("live", "")
                    message = _message_of(frame)
                    if message.type == "busy":
                        raise _busy(message, frame)
                    # A heartbeat too: a job may wait for hours, on streams that each live ten minutes.
                    self._patience.progressed(monotonic_ms())
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
                opening = wire.open("GET", self._path, headers=headers)
                reading = await stack.enter_async_context(opening)
                if reading.status in (200, 204):
                    insist_on_event_stream(reading, wire.base_url)
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


def insist_on_event_stream(reading: Reading, shown_url: str) -> None:
    """Raise NotWaybill where something answered 200 that is no stream."""
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


def _busy(message: Message, frame: Frame) -> _Interrupted:
    reason = str(message.body.get("reason", "busy"))
    error = UnavailableError(f"The service is busy ({reason}).")
    return _Interrupted(error, at_least_ms=frame.retry_ms or limits.MIN_SSE_RETRY_MS, reason=reason)
