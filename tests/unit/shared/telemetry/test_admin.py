"""What the admin port says of a process that starts, loses what it depends on, and stops."""

import json
from typing import Any

import pytest

from shared.telemetry.admin import AdminApp

AWAY = "Redis does not answer."
STOPPING = "This gateway is stopping."


class Process:
    """A process as its admin port sees it."""

    def __init__(self) -> None:
        self.problems = [AWAY]
        self.is_stopping = False
        self._app = AdminApp(lambda: self.problems, lambda: self.is_stopping)

    async def ask(self, path: str) -> tuple[int, Any]:
        """Ask; give status and body."""
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            raise AssertionError("nothing is read")

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self._app({"type": "http", "path": path}, receive, send)
        return sent[0]["status"], json.loads(sent[1]["body"])


@pytest.fixture
def process() -> Process:
    """One that has just begun, and has not reached Redis yet."""
    return Process()


async def test_what_was_never_ready_is_sent_no_callers_and_says_why(process: Process) -> None:
    assert await process.ask("/startedz") == (503, {"status": "not ready", "problems": [AWAY]})


async def test_what_was_ready_once_keeps_its_callers_while_redis_is_away(process: Process) -> None:
    process.problems = []
    assert (await process.ask("/startedz"))[0] == 200

    process.problems = [AWAY]

    assert (await process.ask("/readyz"))[0] == 503
    assert (await process.ask("/startedz"))[0] == 200


async def test_what_stops_is_sent_no_callers(process: Process) -> None:
    process.problems = []
    await process.ask("/startedz")

    process.is_stopping, process.problems = True, [STOPPING]

    assert await process.ask("/startedz") == (503, {"status": "not ready", "problems": [STOPPING]})


async def test_liveness_depends_on_nothing(process: Process) -> None:
    assert (await process.ask("/livez"))[0] == 200
