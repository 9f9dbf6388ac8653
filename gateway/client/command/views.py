"""Shows jobs on stderr while they go on: on a terminal a line for each that lives (terminal_view.py), else lines."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Protocol

from gateway.client.calls import monotonic_ms
from gateway.client.command.layout import Row
from gateway.client.command.standard_streams import stderr_failed, tell
from shared import limits

LINE_LOOK_EVERY_SECONDS = 1.0


MakeRow = Callable[[], Row]


class View(Protocol):
    """Where rows are shown."""

    look_every_seconds: float

    def look(self) -> None:
        """Show what has changed since the last look."""

    def say(self, sentence: str) -> None:
        """Say something once, above what is shown."""

    def close(self) -> None:
        """Show the end, and leave it there."""


class Rows:
    """The jobs that a view shows, by a short name each; "" where there is only one."""

    def __init__(self) -> None:
        self._makers: dict[str, MakeRow] = {}

    def put(self, name: str, make_row: MakeRow) -> None:
        """Show this job, or show it otherwise."""
        self._makers[name] = make_row

    def now(self) -> dict[str, Row]:
        """Give them all as they are at this moment."""
        return {name: make_row() for name, make_row in self._makers.items()}


class SilentView:
    """Shows nothing."""

    look_every_seconds = 60.0

    def look(self) -> None:
        """Show nothing."""

    def say(self, sentence: str) -> None:
        """Say nothing: `sentence` is lost."""

    def close(self) -> None:
        """Leave nothing."""


class LineView:
    """One line for each step, and at most one of progress in ten seconds: neither spam nor silence in a log."""

    look_every_seconds = LINE_LOOK_EVERY_SECONDS

    def __init__(self, rows: Rows, *, shows_progress: bool) -> None:
        self._rows = rows
        self._shows_progress = shows_progress
        self._shown: dict[str, tuple[Row, int]] = {}

    def look(self) -> None:
        """Print what has changed."""
        now_ms = monotonic_ms()
        for name, row in self._rows.now().items():
            if self._is_due(row, self._shown.get(name), now_ms):
                self._shown[name] = (row, now_ms)
                self.say(f"{name}: {row.sentence}" if name else row.sentence)

    def _is_due(self, row: Row, shown: tuple[Row, int] | None, now_ms: int) -> bool:
        if not row.step:
            return False
        if shown is None or row.step != shown[0].step:
            return True
        is_old = now_ms - shown[1] >= limits.CLIENT_LINE_EVERY_MS
        return self._shows_progress and is_old and row.sentence != shown[0].sentence

    def say(self, sentence: str) -> None:
        """Print it."""
        tell(sentence)

    def close(self) -> None:
        """Print what has changed last."""
        self.look()


@contextlib.asynccontextmanager
async def looking(view: View) -> AsyncIterator[None]:
    """Let a view be looked at as often as it wants, until the end of the block."""
    task = asyncio.create_task(_look_on(view), name="view")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        with _heard():
            view.close()


async def _look_on(view: View) -> None:
    while True:
        with _heard():
            view.look()
        await asyncio.sleep(view.look_every_seconds)


@contextlib.contextmanager
def _heard() -> Iterator[None]:
    try:
        yield
    except OSError:  # of a terminal that is gone
        stderr_failed()
