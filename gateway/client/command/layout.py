"""A job's line as it is shown: what of many jobs fits on a terminal, and how wide each column is. Pure."""

from collections.abc import Mapping
from typing import NamedTuple

PHASE_CHARS = 11  # Downloading
SHARE_CHARS = 4  # 100%
SENTENCE_CHARS = 56  # with a remaining time in it, which nobody shall miss for a wider bar
BAR_CHARS = 20
BAR_LEAST_CHARS = 6
SENTENCE_LEAST_CHARS = 8


class Row(NamedTuple):
    """One job at one moment. `phase` is a word, `step` what makes a new line where no terminal is; "" makes none.

    `progress_ratio` is None while nobody knows how far it is. `is_over`: it will not change any more.
    """

    phase: str
    sentence: str
    step: str
    progress_ratio: float | None = None
    is_over: bool = False


class Columns(NamedTuple):
    """Widths in characters; with 0 a column is left out. There is a space between two."""

    name: int
    phase: int
    bar: int
    share: int
    sentence: int


def columns_of(terminal_chars: int, *, name_chars: int) -> Columns:
    """Divide a line: the bar gives way first, then the sentence is cut, and a very narrow one has no phase."""
    left_chars = terminal_chars - (name_chars + 1 if name_chars else 0) - SHARE_CHARS - 1
    phase = PHASE_CHARS if left_chars > PHASE_CHARS + 1 + SENTENCE_LEAST_CHARS else 0
    left_chars -= phase + 1 if phase else 0
    bar = min(BAR_CHARS, left_chars - SENTENCE_CHARS - 1)
    if bar < BAR_LEAST_CHARS:
        return Columns(name_chars, phase, 0, SHARE_CHARS, max(1, left_chars))
    return Columns(name_chars, phase, bar, SHARE_CHARS, left_chars - bar - 1)


def fitting(rows: Mapping[str, Row], lines: int) -> dict[str, Row]:
    """Choose the jobs to show in so many lines, in their order: those that go on before those that have ended.

    Where not all fit, one line is left free to say so.
    """
    if len(rows) <= lines:
        return dict(rows)
    by_need = sorted(rows, key=lambda name: rows[name].is_over)  # a stable sort
    chosen = set(by_need[: max(0, lines - 1)])
    return {name: row for name, row in rows.items() if name in chosen}
