"""The view of a terminal: a line for each job that is drawn again and again. The one module that knows rich."""

from collections.abc import Mapping

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from gateway.client.command.layout import Row, columns_of, fitting
from gateway.client.command.views import Rows
from gateway.client.display import percent
from shared import limits


class TerminalView:
    """Draws as often as CLIENT_REFRESHES_PER_SECOND says; of more jobs than there are lines, those that go on."""

    look_every_seconds = 1 / limits.CLIENT_REFRESHES_PER_SECOND

    def __init__(self, rows: Rows, console: Console) -> None:
        self._rows = rows
        self._console = console
        self._live = Live(
            # stdout is not this terminal's business: it may be a pipe.
            console=console,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def look(self) -> None:
        """Draw it again."""
        self._live.update(self._drawn(self._rows.now()), refresh=True)

    def say(self, sentence: str) -> None:
        """Print it above."""
        self._console.print(sentence, highlight=False, markup=False, soft_wrap=True)

    def close(self) -> None:
        """Leave the last lines on the screen, those of all jobs."""
        self._live.update(self._table(self._rows.now()))
        self._live.stop()

    def _drawn(self, rows: Mapping[str, Row]) -> RenderableType:
        shown = fitting(rows, self._console.height - 1)
        hidden = [row for name, row in rows.items() if name not in shown]
        if not hidden:
            return self._table(shown)
        ended = sum(row.is_over for row in hidden)
        return Group(self._table(shown), Text(f"… and {len(hidden):,} more, {ended:,} of them ended.", no_wrap=True))

    def _table(self, rows: Mapping[str, Row]) -> Table:
        columns = columns_of(self._console.width, name_chars=max(map(len, rows), default=0))
        table = Table.grid(padding=(0, 1, 0, 0), pad_edge=False)
        for width in filter(None, columns):
            # Each has its own: rich would take what lacks from whichever column it likes.
            table.add_column(no_wrap=True, width=width, overflow="ellipsis")
        for name, row in rows.items():
            ratio = row.progress_ratio
            share = Text("" if ratio is None else f"{percent(ratio)}%", justify="right")
            # The phase says it already.
            said = row.sentence.removeprefix(f"{row.phase}: ").removeprefix("Bundling: ")
            bar = ProgressBar(total=1.0, completed=ratio or 0.0, width=columns.bar or None)
            cells: tuple[RenderableType, ...] = (Text(name), Text(row.phase), bar, share, Text(said))
            table.add_row(*(cell for cell, width in zip(cells, columns, strict=True) if width))
        return table
