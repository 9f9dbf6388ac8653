"""Shows jobs on stderr while they go on: on a terminal one line that lives for each, elsewhere lines now and then."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple, Protocol

from gateway.client.calls import monotonic_ms
from gateway.client.command.standard_streams import stderr_failed, tell
from gateway.client.display import percent
from shared import limits

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

LINE_LOOK_EVERY_SECONDS = 1.0
BAR_CHARS = 20


class Row(NamedTuple):
    """One job at one moment. `phase` is a word, `step` what makes a new line where no terminal is; "" makes none.

    `progress_ratio` is None while nobody knows how far it is.
    """

    phase: str
    sentence: str
    step: str
    progress_ratio: float | None = None


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


class TerminalView:
    """A line for each job that is drawn again four times a second at most."""

    look_every_seconds = 1 / limits.CLIENT_REFRESHES_PER_SECOND

    def __init__(self, rows: Rows, console: Console) -> None:
        from rich.live import Live

        self._rows = rows
        self._console = console
        self._live: Live = Live(
            # stdout is not this terminal's business: it may be a pipe.
            console=console,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def look(self) -> None:
        """Draw it again."""
        self._live.update(self._drawn(), refresh=True)

    def say(self, sentence: str) -> None:
        """Print it above."""
        self._console.print(sentence, highlight=False, markup=False, soft_wrap=True)

    def close(self) -> None:
        """Leave the last lines on the screen."""
        self.look()
        self._live.stop()

    def _drawn(self) -> RenderableType:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        rows = self._rows.now()
        table = Table.grid(padding=(0, 1, 0, 0))
        widths = [None] if "" in rows else [None, None]  # one job alone needs no name
        for width in (*widths, BAR_CHARS, 4):
            table.add_column(no_wrap=True, width=width)
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        for name, row in rows.items():
            ratio = row.progress_ratio
            bar = ProgressBar(total=1.0, completed=ratio or 0.0, width=BAR_CHARS)
            share = Text("" if ratio is None else f"{percent(ratio)}%", justify="right")
            said = row.sentence.removeprefix(f"{row.phase}: ")
            table.add_row(*([Text(name)] if name else []), Text(row.phase), bar, share, Text(said))
        return table


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
