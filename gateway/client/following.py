"""Follows one job to its end: each of its messages once and in order, by a stream or by asking for pages of its log."""

import asyncio
import random
from contextlib import aclosing
from typing import Any

from gateway.client.calls import Calls, monotonic_ms
from gateway.client.course import Course
from gateway.client.pursuit import Messages, OnConnection, Pursuit
from gateway.client.record import Message
from shared import limits
from shared.event_id import START


class Following:
    """One reader of the job at `path`, after `cursor`: None for a snapshot and what comes from now on."""

    def __init__(self, calls: Calls, path: str, *, cursor: str | None, on_connection: OnConnection) -> None:
        self._calls = calls
        self._path = path
        self._course = Course(cursor)
        self._pursuit = Pursuit(calls, f"{path}/stream", self._course, on_connection)

    async def messages(self) -> Messages:
        """Give the messages up to the last one. Raises as Pursuit.messages()."""
        async with aclosing(self._pursuit.messages(self._polled)) as source:
            async for message in source:
                if self._course.takes(message):
                    yield message
                if message.is_terminal:
                    return

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
        return await self._calls.json("GET", path, needs=["events", "has_more", "next_after"], headers=headers)

    async def _snapshot(self, gap: Any) -> Message:
        record = await self._calls.json("GET", self._path, needs=["status"])
        return Message(None, "snapshot", record | {"type": "snapshot"} | ({"gap": gap} if gap else {}))


def _event_of(event: dict[str, Any]) -> Message:
    return Message(event["id"], event["type"], {name: told for name, told in event.items() if name != "id"})
